from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.data.audit.marks import marks_in

ROOT = Path(__file__).parents[3]


def dim_text(image: np.ndarray) -> None:
    """Text of a grey that tissue has too."""
    cv2.putText(image, "MAMA ESQ QSI", (60, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 205, 1, cv2.LINE_AA)


def thin_caliper(image: np.ndarray) -> None:
    cv2.drawMarker(image, (150, 90), 200, cv2.MARKER_CROSS, 11, 1)


def slanted_caliper(image: np.ndarray) -> None:
    cv2.drawMarker(image, (150, 90), 200, cv2.MARKER_TILTED_CROSS, 11, 1)


def scale_at_the_rim(image: np.ndarray) -> None:
    for number in range(1, 5):
        cv2.putText(image, str(number), (309, 50 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.35, 190, 1, cv2.LINE_AA)


def dashed_frame(image: np.ndarray) -> None:
    """The sides of a colour box, left where the colour was switched off."""
    for y in range(60, 180, 14):
        image[y : y + 8, (80, 240)] = 190


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """Speckle frames without ink: three of the brightness of usual tissue, three bright and coarse ones."""
    return [(made.frame(seed, seed) * (0.6 if seed < 3 else 1)).astype(np.uint8) for seed in range(6)]


@pytest.mark.parametrize("paint", [dim_text, thin_caliper, slanted_caliper, scale_at_the_rim, dashed_frame])
def test_grey_thin_and_small_marks_are_found(paint, frames: list[np.ndarray]) -> None:
    for frame in frames[:3]:
        drawn = frame.copy()
        paint(drawn)
        found = marks_in(drawn)
        assert (found & (drawn != frame)).any()


def test_speckle_and_interfaces_are_no_marks(frames: list[np.ndarray]) -> None:
    for frame in frames:
        frame = frame.copy()
        frame[100:103, 40:280] = 230
        assert not marks_in(frame).any()


def test_a_small_sign_in_an_upper_corner_is_no_mark(frames: list[np.ndarray]) -> None:
    for x in (2, 302):
        signed = cv2.putText(frames[0].copy(), "Q", (x, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
        assert not marks_in(signed).any()


def test_pictures_of_noise_and_tiny_ones_are_looked_at_too() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8)
    assert marks_in(noise).shape == (600, 800)
    assert not marks_in(np.full((1, 5), 9, np.uint8)).any()


@pytest.mark.full
def test_nearly_all_marks_of_hand_marked_images_are_found_and_clean_images_are_clean(real_data: Path) -> None:
    spec = importlib.util.spec_from_file_location("marks_recall", ROOT / "scripts" / "marks_recall.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    report = script.measure(real_data)["report"]
    assert report["recall"]["n"] == 63
    assert report["recall"]["share"] >= 0.95
    assert report["false_alarms"]["n"] == 44
    assert report["false_alarms"]["share"] <= 0.05
