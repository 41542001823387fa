"""The result objects of predicted studies: one Segmentation and key image a file, one report and page a study."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.object_formats import ObjectFormat
from bustle.drawing.overlay_planes import caption_plane, outline_plane
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import OBJECTS, prediction_folder, remove_objects
from bustle.io.dicom.frames import open_frames
from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.io.dicom.result_content import Algorithm, ReportedAnswer, ReportedImage
from bustle.io.dicom.result_identity import KEY_IMAGES, OUTLINES, PAGE, REPORT, SeriesKind, write_object
from bustle.io.dicom.source import SourceImage, read_source
from bustle.io.dicom.wrap import Marks, wrap_key_image, wrap_page
from bustle.io.dicom.write_seg import LesionSegmentation, segment_lesions
from bustle.reading.reported_clips import ReadClip, reported_clip
from bustle.reading.reported_images import PredictedPicture, reported_image
from bustle.reading.reported_volumes import PredictedVolume, reported_volume
from bustle.report.result_sheet import SheetPicture, draw_result_sheet
from bustle.report.wording import number as number_text

if TYPE_CHECKING:
    from bustle.io.dicom.result_identity import Dataset

MOST_ON_A_PAGE = 6

DIAMETERS = ("longest_diameter", "perpendicular_diameter", "middle_diameter", "shortest_diameter")
"""Two of an outline, three of a lesion in a volume."""


@dataclass(frozen=True)
class KeyPicture:
    """The frame that stands for an image, a clip or a volume: `pixels` uint8 `C H W`, and what is drawn over them."""

    frame: int
    pixels: NDArray[np.uint8]
    outline: NDArray[np.bool_]
    caption: NDArray[np.bool_]
    said: str


@dataclass(frozen=True)
class _File:
    """A file of a study, and what is known of it: a volume, or an image's pictures or a clip's clips, one a field."""

    source: SourceImage
    known: Sequence[PredictedPicture | PredictedVolume | ReadClip]

    def reported(self) -> ReportedImage:
        if isinstance(self.known[0], PredictedVolume):
            return reported_volume(self.source, self.known[0])
        clips = [each for each in self.known if isinstance(each, ReadClip)]
        if clips:
            return reported_clip(self.source, clips)
        return reported_image(self.source, [each for each in self.known if isinstance(each, PredictedPicture)])


def write_study_objects(
    out: Path,
    images: Sequence[InputImage],
    clips: Sequence[ReadClip],
    *,
    formats: Sequence[ObjectFormat],
    algorithm: Algorithm,
    created: datetime.datetime,
    on_failure: Callable[[InputError], None],
) -> list[Path]:
    """Write the objects about `images` and `clips`, which were predicted into `out`, into `out/dicom-objects`.

    Returns their files. What is no DICOM file has none.

    Objects of an earlier call are removed first. A file whose objects cannot be made is told to `on_failure`, and the
    rest is done.
    """
    remove_objects(out)
    written: list[Path] = []
    with quiet_pydicom():
        for study in _studies(out, images, clips, on_failure):
            made_objects = _objects(
                study, formats=set(formats), algorithm=algorithm, created=created, on_failure=on_failure
            )
            for kind, made in made_objects:
                path = out / OBJECTS / f"{kind.key}-{made.SOPInstanceUID}.dcm"
                write_object(path, made)
                written.append(path)
    return written


def _studies(
    out: Path, images: Sequence[InputImage], clips: Sequence[ReadClip], on_failure: Callable[[InputError], None]
) -> Iterator[list[_File]]:
    """The files of each study, in the order of their paths."""
    known: dict[Path, list[PredictedPicture | PredictedVolume | ReadClip]] = {}
    for image in images:
        if image.dicom is not None:
            kind = PredictedVolume if image.dicom.frame is None else PredictedPicture
            known.setdefault(image.path, []).append(kind(image.dicom, prediction_folder(out, image.name)))
    for clip in clips:
        if clip.clip.dicom is not None:
            known.setdefault(clip.picture.path, []).append(clip)
    studies: dict[str, list[_File]] = {}
    for path in sorted(known):
        try:
            source = read_source(path)
        except InputError as error:
            on_failure(error)
            continue
        studies.setdefault(source.study, []).append(_File(source, known[path]))
    yield from studies.values()


def _objects(
    study: Sequence[_File],
    *,
    formats: set[ObjectFormat],
    algorithm: Algorithm,
    created: datetime.datetime,
    on_failure: Callable[[InputError], None],
) -> Iterator[tuple[SeriesKind, Dataset]]:
    """Those about each file, and those about all of which some could be made."""
    reported: list[ReportedImage] = []
    segmentations: dict[str, LesionSegmentation] = {}
    shown: list[SheetPicture] = []
    for number, file in enumerate(study, start=1):
        source = file.source
        try:
            image = file.reported()
            found = None
            if formats & {"seg", "sr"}:
                found = segment_lesions(image, algorithm=algorithm, number=number, created=created)
            key = key_picture(image) if formats & {"key", "pdf"} else None
        except InputError as error:
            on_failure(error)
            continue
        reported.append(image)
        if found is not None:
            segmentations[source.sop_instance] = found
            yield OUTLINES, found.dataset
        if key is not None and "key" in formats:
            yield KEY_IMAGES, _wrapped(key, source, algorithm=algorithm, number=number, created=created)
        if key is not None and "pdf" in formats and len(shown) < MOST_ON_A_PAGE:
            shown.append(_on_a_page(key, image, number))
    if not reported:
        return
    if "sr" in formats:
        from bustle.io.dicom.write_sr import report_measurements

        yield REPORT, report_measurements(reported, segmentations, algorithm=algorithm, created=created)
    if "pdf" in formats:
        page = draw_result_sheet(
            shown, left_out=len(reported) - len(shown), model=algorithm.name, version=algorithm.full_version
        )
        sources = [image.source for image in reported]
        yield PAGE, wrap_page(page, sources, title="AI results, research", algorithm=algorithm, created=created)


def key_picture(image: ReportedImage) -> KeyPicture:
    """The answer's frame with the outlines of its lesions and the answer."""
    assert image.source.path is not None
    frame = image.answer.frame
    outline = np.zeros(image.source.size, bool)
    drawn = np.zeros(image.source.size, bool)
    for lesion in image.lesions:
        if frame in lesion.masks:
            mask = lesion.masks[frame]
            drawn |= mask
            outline |= outline_plane(mask, suspected=lesion.suspected)
    said = answer_line(image.answer)
    return KeyPicture(
        frame=frame,
        pixels=open_frames(image.source.path).picture(frame),
        outline=outline,
        caption=caption_plane(drawn, (f"{said} - AI, not for diagnosis", said, image.answer.decision or "AI")),
        said=said,
    )


def answer_line(answer: ReportedAnswer) -> str:
    """Such as `refer: malignant 0.50, benign 0.40, normal 0.10`."""
    ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    return ": ".join(filter(None, (answer.decision or "no decision", told)))


def _wrapped(
    key: KeyPicture, source: SourceImage, *, algorithm: Algorithm, number: int, created: datetime.datetime
) -> Dataset:
    return wrap_key_image(
        key.pixels,
        source,
        frame=key.frame,
        marks=[Marks("AI outline", key.outline), Marks("AI answer", key.caption)],
        caption=key.said,
        algorithm=algorithm,
        number=number,
        created=created,
    )


def _on_a_page(key: KeyPicture, image: ReportedImage, number: int) -> SheetPicture:
    title = f"Image {number}" + (f", frame {key.frame} of {image.source.frames}" if image.source.has_frames else "")
    lines = [key.said]
    for lesion in image.lesions[:3]:
        sizes = [value for name in DIAMETERS if (value := lesion.measured.get(name)) is not None]
        if sizes:
            told = " x ".join(number_text(value, lesion.unit) for value in sizes)
            lines.append(f"{lesion.label}: {told} {lesion.unit}")
    lines += image.answer.remarks
    return SheetPicture(title=title, pixels=key.pixels, outline=key.outline, lines=tuple(lines))
