"""The page of a folder of predictions, from the files that were written there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from bustle.core.errors import InputError
from bustle.core.explanation import MEANINGS
from bustle.experiments.own_outputs import ANSWERS_PAGE
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.inputs import InputImage
from bustle.inference.known_cases import COPY, SEEN
from bustle.inference.picture_remarks import COLOUR, CUT_OFF, FEW_PIXELS, INVERTED, SEEMS_CUT_OFF, TWO_FRAMES
from bustle.inference.prediction_files import OVERLAY, RECORD, explanation_names, prediction_folder
from bustle.inference.prediction_record import (
    CandidateRecord,
    DescriptorsRecord,
    ImageRecord,
    LesionRecord,
    VolumeRecord,
    read_record,
)
from bustle.inference.predictor import Predictor
from bustle.io.dicom.recognition import is_dicom
from bustle.report.answers_page import AnsweringModel, ShownAnswer, ShownLesion, ShownPicture, write_answers_page
from bustle.report.wording import diameters, number

SHOWN_VALUES = (
    "depth_width_ratio",
    "circularity",
    "sphericity",
    "echo_contrast",
    "posterior_contrast",
    "margin_roughness",
)
"""Of all descriptors, those that a reader can check with the eye; the others are in the record."""

SUSPECTED = "Whether there is a lesion is open; what is drawn is suspected."
TOLD = {
    CUT_OFF: "A lesion is cut off by the edge of the picture: it is measured as far as it is seen.",
    SEEMS_CUT_OFF: "A lesion seems to go on beyond the edge of the picture: outline, class and sizes may be those of "
    "a part, or of something else.",
    TWO_FRAMES: "The picture seems to hold two frames side by side: predict each by itself.",
    INVERTED: "The picture seems to be dark on white: invert it.",
    COLOUR: "The picture holds colour, as of colour Doppler: the model knows grey pictures, take one without colour.",
    FEW_PIXELS: "The picture has few pixels: its outlines and measurements are coarse.",
    SEEN: "The model was trained or chosen on this very image: its answer proves nothing.",
    COPY: "The model was trained or chosen on an image that looks like a copy of this one: its answer "
    "proves nothing.",
}
"""Remarks of a prediction as sentences."""


def write_answers_report(
    out: Path,
    images: Sequence[InputImage],
    *,
    predictor: Predictor,
    failures: Mapping[str, InputError],
    clips: Sequence[ShownAnswer] = (),
    unread_clips: Sequence[str] = (),
) -> Path:
    """Write `out/answers.html` on the images that were predicted into `out`, and return its path.

    `clips` follow the images, and `unread_clips` say in one line each why others have no answer.
    """
    answers = [_shown(out, image) for image in images if image.name not in failures]
    told = [*_told(images, failures), *unread_clips]
    write_answers_page(out / ANSWERS_PAGE, [*answers, *clips], model=_model(predictor), failures=told)
    return out / ANSWERS_PAGE


def _model(predictor: Predictor) -> AnsweringModel:
    made = predictor.provenance
    details = {
        "network": made.model,
        "recipe": made.recipe,
        "weights": ", ".join(f"{each.fold} {each.sha256[:16]}" for each in made.weights),
        "run by": made.runtime or "–",
        "bustle": made.bustle or "not installed",
    }
    return AnsweringModel(title=made.title, details=details)


def _shown(out: Path, image: InputImage) -> ShownAnswer:
    folder = prediction_folder(out, image.name)
    record = read_record(folder / RECORD)
    answer = record.answer
    probabilities = (record.class_probabilities if answer is None else answer.probabilities) or {}
    return ShownAnswer(
        name=image.name,
        decision=record.decision,
        probabilities=probabilities,
        calibrated=answer is not None,
        possible=() if answer is None else answer.possible,
        moved_by=() if answer is None else [str(moved) for moved in answer.moved_by],
        similar=[str(case) for case in record.similar_cases],
        lesions=_lesions(record),
        remarks=list(_remarks(record)),
        pictures=shown_pictures(folder, out=out),
        record=page_url(folder / RECORD, out=out),
    )


def shown_pictures(folder: Path, *, out: Path, of: str = "") -> list[ShownPicture]:
    """The pictures of a prediction in `folder`; their titles begin with `of`."""
    record = read_record(folder / RECORD)
    return [
        ShownPicture(title=f"{of}{title}", url=page_url(folder / file, out=out))
        for title, file in _pictures(record, folder)
    ]


def _pictures(record: ImageRecord | VolumeRecord, folder: Path) -> Iterator[tuple[str, str]]:
    """The overlay, and each picture that explains the answer, with their titles."""
    if (folder / OVERLAY).exists():
        yield "outline", OVERLAY
    for found in record.explanations:
        title, of = MEANINGS[found.method].title, found.class_name or found.channel
        names = explanation_names(found.method, channel=found.channel)
        yield title if of is None else f"{title}: {of}", names.picture


def _remarks(record: ImageRecord | VolumeRecord) -> Iterator[str]:
    if record.answer is not None and record.answer.suspected:
        yield SUSPECTED
    yield from (TOLD.get(remark, remark) for remark in record.remarks)


def _lesions(record: ImageRecord | VolumeRecord) -> list[ShownLesion]:
    if isinstance(record, VolumeRecord):
        unit = record.unit or "px"
        return [_candidate(candidate, unit=unit) for candidate in record.drawn.candidates if candidate.found.voxels]
    return [_lesion(lesion, unit=record.unit or "px") for lesion in record.drawn.lesions or ()]


def _lesion(lesion: LesionRecord, *, unit: str) -> ShownLesion:
    size = diameters([lesion.long_axis, lesion.short_axis], unit)
    measured = {"area": f"{number(lesion.area, unit)} {unit}²"}
    if lesion.descriptors is not None:
        measured |= _described(lesion.descriptors)
    return ShownLesion(size=size, measured=measured)


def _described(descriptors: DescriptorsRecord) -> dict[str, str]:
    return _words(descriptors) | _values(descriptors)


def _words(descriptors: DescriptorsRecord) -> dict[str, str]:
    words = descriptors.words
    told = {
        "shape": words.shape,
        "orientation": words.orientation,
        "margin": words.margin,
        "echo pattern": words.echo_pattern,
        "posterior": words.posterior_features,
    }
    return {name: word for name, word in told.items() if word is not None}


def _values(descriptors: DescriptorsRecord) -> dict[str, str]:
    found = ((name, descriptors.values.get(name)) for name in SHOWN_VALUES)
    return {DEFINITIONS[name].title: f"{value:.2f}" for name, value in found if value is not None}


def _candidate(candidate: CandidateRecord, *, unit: str) -> ShownLesion:
    found, described = candidate.found, candidate.descriptors
    measured = {
        "voxels": f"{found.voxels:,}",
        "score": f"{found.score:.2f}",
        "centre in voxels": ", ".join(f"{at:.0f}" for at in found.centre),
    }
    if described is not None:
        measured |= _described(described)
    return ShownLesion(size=size_of_candidate(candidate, unit=unit), measured=measured)


def size_of_candidate(candidate: CandidateRecord, *, unit: str) -> str:
    """Such as `13.0 x 9.67 x 8.74 mm, 308.4 mm³`; the volume alone where nothing else was measured.

    Of a lesion that the volume's edge cuts off it is said.
    """
    volume = f"{number(candidate.found.volume_mm3, 'mm³')} mm³"
    if candidate.descriptors is None:
        return volume
    size = f"{diameters(candidate.descriptors.volume_diameters, unit)}, {volume}"
    return f"{size} (of the part within the volume)" if candidate.descriptors.touches_edge else size


def _told(images: Sequence[InputImage], failures: Mapping[str, InputError]) -> list[str]:
    """One line each; a DICOM file's name may be a patient's, so its prediction's stands there."""
    lines = []
    for image in images:
        error = failures.get(image.name)
        if error is not None:
            of_dicom = image.dicom is not None or is_dicom(image.path)
            named = InputError(error.problem, remedy=error.remedy, path=image.name) if of_dicom else error
            lines.append(str(named))
    return lines


def page_url(path: Path, *, out: Path) -> str:
    """A file of `out` as its page refers to it."""
    return quote(path.relative_to(out).as_posix())
