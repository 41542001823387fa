"""What of a command's inputs is read as clips, and what as single images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bustle.core.errors import InputError
from bustle.core.folder_names import portable_name, without_case
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.data.video_sizes import video_sizes
from bustle.inference.inputs import InputImage, find_images
from bustle.io.video import is_video
from bustle.reading.clip import Clip, Place, clip_of_cases, clip_of_pictures, clip_of_video

FRAMES_READER = "frames:"
"""What an input begins with that names the frames of clips as a data spec does."""


@dataclass(frozen=True, kw_only=True)
class Picked:
    """`images` are single ones, `clips` the others; `unread` are the inputs that are known not to be readable.

    `places` tell, by their names, of which study the images of DICOM files are.
    """

    images: tuple[InputImage, ...]
    clips: tuple[Clip, ...]
    places: Mapping[str, Place]
    unread: tuple[InputImage, ...]

    @property
    def is_study(self) -> bool:
        """Whether there is more to say than an answer about each image."""
        return bool(self.clips or self.places)


def pick(inputs: Sequence[str], *, spacing: tuple[float, ...] | None = None) -> Picked:
    """Sort files, folders, archives, patterns and `frames:` specs; `spacing` (mm) replaces what the files say.

    A DICOM file of several frames that is no volume is a clip, one for each of its fields, and so is a video file.
    Raises `InputError` as `find_images` and the reader `frames` do.
    """
    specs = [text for text in inputs if text.startswith(FRAMES_READER)]
    paths = [text for text in inputs if not text.startswith(FRAMES_READER)]
    found = find_images(paths) if paths else ()
    images: list[InputImage] = []
    unread: list[InputImage] = []
    clips: list[Clip] = []
    films: dict[tuple[str, int], list[InputImage]] = {}
    for image in found:
        if image.problem is not None:
            unread.append(image)
        elif image.dicom is not None and image.dicom.frame is not None:
            films.setdefault((image.dicom.sop_uid, image.dicom.field.number), []).append(image)
        elif is_video(image.path):
            try:
                clips.append(_video(image, spacing=spacing))
            except InputError as error:
                unread.append(InputImage(image.path, image.name, problem=error))
        else:
            images.append(image)
    places = _places(found)
    for of_field in films.values():
        if len(of_field) == 1:
            images += of_field
            continue
        pictures = tuple(image.dicom for image in of_field if image.dicom is not None)
        clips.append(clip_of_pictures(pictures, place=places[pictures[0].sop_uid], spacing=spacing))
    taken = {without_case(each.name) for each in (*images, *clips)}
    clips += _of_specs(specs, spacing=spacing, taken=taken)
    return Picked(
        images=tuple(images),
        clips=tuple(clips),
        places={image.name: places[image.dicom.sop_uid] for image in images if image.dicom is not None},
        unread=tuple(unread),
    )


def _video(image: InputImage, *, spacing: tuple[float, ...] | None) -> Clip:
    size = video_sizes([image.path])[image.path]
    return clip_of_video(image.path, name=image.name, frames=size.frames, spacing=spacing)


def _places(images: Iterable[InputImage]) -> dict[str, Place]:
    """By the identifier of a DICOM file, whose it is."""
    places: dict[str, Place] = {}
    for image in images:
        if image.dicom is not None and image.dicom.sop_uid not in places:
            from bustle.io.dicom.image import read_dicom

            told = read_dicom(image.dicom.path)
            patient = told.patient if told.patient_known else None
            places[image.dicom.sop_uid] = Place(study=told.study_uid, patient=patient, side=told.laterality)
    return places


def _of_specs(specs: Sequence[str], *, spacing: tuple[float, ...] | None, taken: set[str]) -> list[Clip]:
    """The videos of `frames:` specs; one whose name is `taken` (`without_case`) bears a number after it."""
    if not specs:
        return []
    videos: dict[tuple[str, str], list[Case]] = {}
    for case in open_sources(specs).cases:
        videos.setdefault((case.source, case.video or case.case_id), []).append(case)
    clips = []
    for (_, video), cases in videos.items():
        name, number = portable_name(video), 1
        while without_case(name) in taken:
            number += 1
            name = portable_name(f"{video}-{number}")
        taken.add(without_case(name))
        place = Place(patient=cases[0].patient_id)
        clips.append(clip_of_cases(cases, name=name, place=place, spacing=spacing))
    return clips
