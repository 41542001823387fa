from __future__ import annotations

import base64
from dataclasses import replace

import cv2
import numpy as np
import pytest

from bustle.drawing.outlines import PREDICTED, TRUTH
from bustle.evaluation.case_table import CaseRow
from bustle.report.gallery import (
    BEST,
    CLASS_ERRORS,
    CONTRADICTIONS,
    FALSE_POSITIVES,
    MEDIAN,
    MISSED_LESIONS,
    WORST,
    ShownImage,
    as_jpeg_uri,
    gallery_choice,
)

CLASSES = ("benign", "malignant")


def test_outlines_are_shown_from_the_worst_the_middle_and_the_best(rows):
    chosen = gallery_choice(rows, classes=CLASSES, each=5)
    dice = sorted(row.dice for row in rows if row.dice)
    middle = (len(dice) - 5) // 2
    assert [row.dice for row in chosen[WORST]] == dice[:5]
    assert [row.dice for row in chosen[MEDIAN]] == dice[middle : middle + 5]
    assert [row.dice for row in chosen[BEST]] == dice[:-6:-1]


def test_missed_lesions_stand_apart_from_bad_outlines(rows):
    chosen = gallery_choice(rows, classes=CLASSES)
    assert [row.case_id for row in chosen[MISSED_LESIONS]] == ["made/0"]
    assert "made/0" not in {row.case_id for row in chosen[WORST]}


def test_contradictions_are_those_that_are_counted(rows, metrics):
    chosen = gallery_choice(rows, classes=CLASSES, each=100)[CONTRADICTIONS]
    counted = sum(entry.count or 0 for entry in (metrics.consistency or {}).values())
    assert len(chosen) == counted > 0


def test_only_normals_with_something_drawn_are_false_positives(rows):
    assert [row.case_id for row in gallery_choice(rows, classes=CLASSES)[FALSE_POSITIVES]] == ["made/2"]


def test_class_errors_are_ordered_by_certainty(rows):
    errors = gallery_choice(rows, classes=CLASSES)[CLASS_ERRORS]
    certainty = [row.probability(row.decision) for row in errors]
    assert certainty == sorted(certainty, reverse=True)
    assert all(row.decision != row.label for row in errors)


def test_a_section_without_cases_is_left_out(rows):
    perfect = [replace(row, decision=row.label, false_positive_area=0) for row in rows if row.dice]
    assert list(gallery_choice(perfect[:3], classes=CLASSES)) == [WORST]


ROW = CaseRow(case_id="made/0", group_id="made/0", source="made")


@pytest.mark.parametrize(("channels", "width"), [(1, 120), (3, 900)])
def test_contours_stand_on_the_scaled_image(channels, width):
    image = np.full((channels, 300, width), 90, np.uint8)
    truth, prediction = np.zeros((2, 300, width), bool)
    truth[50:150, 20:100] = True
    prediction[180:250, 20:100] = True
    canvas = ShownImage(ROW, image, truth, prediction).drawn(width=360)[0]
    assert canvas.shape == (300 * 360 // width, 360, 3)
    assert (canvas == TRUTH).all(axis=2).any()
    assert (canvas == PREDICTED).all(axis=2).any()
    plain = ShownImage(ROW, image, None, None).drawn(width=360)[0]
    assert (plain == 90).all()


def test_a_picture_travels_inside_its_address():
    canvas = np.zeros((20, 30, 3), np.uint8)
    canvas[..., 0] = 200
    head, _, content = as_jpeg_uri(canvas).partition(",")
    assert head == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert decoded[10, 10, 2] == pytest.approx(200, abs=4)  # OpenCV's order is blue, green, red
