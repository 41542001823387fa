"""Frames of videos scored by lesion and patient, from predictions whose right scores are known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.reading.made_frames import frame, lesion

from bustle.core.config import to_mapping
from bustle.core.model_provenance import ForeignProvenance
from bustle.core.types import Box, Case, Geometry, Sample
from bustle.inference.geometry_record import GeometryRecord
from bustle.inference.prediction_files import MASK, RECORD, prediction_folder
from bustle.inference.prediction_record import DrawnOnImage, ImageRecord, LesionRecord, write_record
from bustle.io.raster import write_png
from bustle.reading.frame_record import FrameRecord, SeenLesion
from bustle.reading.video_scores import score_videos

SIZE = (64, 64)
AT_20, AT_50 = lesion(left=20), lesion(left=50)
BOX_AT_20 = Box(9, 19, 20, 24)


def sample(case_id: str, boxes: tuple[Box, ...]) -> Sample:
    return Sample(case_id, "frames", np.zeros((1, *SIZE), np.uint8), Geometry(SIZE), boxes=boxes)


def video(
    folder: Path, name: str, patient: str, label: str, records: list[FrameRecord], boxed: tuple[int, ...]
) -> list[Case]:
    """The cases of its frames, whose predictions are written; `boxed` frames have a box where `AT_20` is."""
    cases = []
    for record in records:
        case_id = f"frames/{name}#{record.frame}"
        write(prediction_folder(folder, case_id), record)
        boxes = (BOX_AT_20,) if record.frame in boxed else ()
        cases.append(
            Case(
                case_id=case_id,
                source="frames",
                load=partial(sample, case_id, boxes),
                patient_id=patient,
                label=label,
                has_box=bool(boxes),
                video=name,
                frame=record.frame,
            )
        )
    return cases


def write(folder: Path, record: FrameRecord) -> None:
    mask = np.zeros(SIZE, bool)
    lesions = []
    for seen in record.lesions:
        seen.mask.draw(mask)
        sizes = {"area": seen.area, "long_axis": seen.long_axis, "short_axis": seen.short_axis}
        first = (float(seen.box.y_start), float(seen.box.x_start))
        lesions.append(LesionRecord(**sizes, probability=seen.probability, box=seen.box, contour=(first,)))
    folder.mkdir(parents=True)
    write_png(folder / MASK, mask.astype(np.uint8) * 255)
    written = ImageRecord(
        decision=record.decision,
        class_probabilities=None,
        answer=record.answer,
        drawn=DrawnOnImage(mask_area=float(mask.sum()), lesions=tuple(lesions)),
        geometry=GeometryRecord(original_size=SIZE),
        provenance=ForeignProvenance({}),
    )
    write_record(folder / RECORD, written)


def frames(malignant: float, *seen: SeenLesion, normal: float = 0.0) -> list[FrameRecord]:
    return [frame(number, malignant, *seen, normal=normal) for number in range(6)]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Case], Path]:
    folder = tmp_path_factory.mktemp("predictions")
    beside = [frame(3, 0.9, AT_20, AT_50)]
    found = frames(0.9, AT_20)
    late = [frame(number, 0.2, AT_50) for number in (0, 1)] + [frame(2, 0.2, AT_20)]
    made = [
        *video(folder, "found", "p1", "malignant", [*found[:3], *beside, *found[4:]], boxed=(1, 3)),
        *video(folder, "missed", "p1", "benign", frames(0.1, normal=0.9), boxed=(2,)),
        *video(folder, "right", "p2", "benign", frames(0.1, AT_20), boxed=(0, 5)),
        *video(folder, "late", "p3", "benign", late, boxed=(0, 1, 2)),
        *video(folder, "nobody looked", "p4", "malignant", frames(0.8, AT_50), boxed=()),
    ]
    return made, folder


def test_a_lesion_is_found_by_one_that_is_followed_and_has_one_answer(cases: tuple[list[Case], Path]):
    scores = score_videos(cases[0], cases[1], resamples=100)
    assert scores is not None
    rows = [(row.video, row.hits, row.frames, row.found, row.lesion, row.decision) for row in scores.lesions]
    assert rows == [
        ("frames/found", 2, 2, True, 1, "malignant"),
        ("frames/missed", 0, 1, False, None, None),
        ("frames/right", 2, 2, True, 1, "benign"),
        ("frames/late", 1, 3, False, 2, "benign"),
    ]
    assert (scores.lesions_found.value, scores.lesions_found.n) == (0.5, 4)
    assert scores.lesions_found.ci95 is not None
    assert scores.false_lesions == 2  # beside the found one, and in the first frames of the late one
    assert scores.of_lesions.decisions == {"malignant": {"malignant": 1}, "benign": {"benign": 1}}
    assert (scores.of_lesions.auc.value, scores.of_lesions.auc.ci95, scores.of_lesions.auc.n) == (1.0, None, 2)


def test_a_patient_has_the_most_urgent_answer_of_all_her_videos(cases: tuple[list[Case], Path]):
    scores = score_videos(cases[0], cases[1], resamples=100)
    assert scores is not None
    rows = [(row.patient, row.videos, row.label, row.decision, row.malignant) for row in scores.patients]
    assert rows == [
        ("frames/p1", 2, "malignant", "malignant", 0.9),
        ("frames/p2", 1, "benign", "benign", 0.1),
        ("frames/p3", 1, "benign", "benign", 0.2),
        ("frames/p4", 1, "malignant", "malignant", 0.8),
    ]
    assert (scores.of_patients.auc.value, scores.of_patients.auc.n) == (1.0, 4)
    assert to_mapping(scores)["videos"] == 5


def test_frames_that_could_not_be_read_are_left_out_and_images_are_no_videos(
    cases: tuple[list[Case], Path], tmp_path: Path
):
    assert score_videos(cases[0], tmp_path, resamples=100) is None
    image = Case(case_id="busi/a", source="busi", load=partial(sample, "busi/a", ()))
    assert score_videos([image], cases[1], resamples=100) is None
