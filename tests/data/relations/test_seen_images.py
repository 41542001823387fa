from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.image_sketch import ImageSketch
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.volume_cases import phantom_volume
from bustle.data.relations.seen_images import SeenImages, _directions, image_sketch, sketches_of
from bustle.data.sources import open_sources

COPIES = {
    "smaller": lambda image: made.rescale(image, 0.6),
    "larger": lambda image: made.rescale(image, 1.5),
    "brighter": made.brighten,
    "compressed": made.jpeg,
}


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [phantom_case(number, seed=4, size=256).image for number in range(40)]


def test_the_same_pixels_are_known_whatever_they_are_called(images: list[np.ndarray]):
    seen = SeenImages(map(image_sketch, images[:20]))
    assert {seen.relation(image_sketch(image.copy())) for image in images[:20]} == {"same"}
    assert {seen.relation(image_sketch(np.repeat(image, 3, axis=0))) for image in images[:3]} == {"same"}


def test_other_images_are_not(images: list[np.ndarray]):
    seen = SeenImages(map(image_sketch, images[:20]))
    assert {seen.relation(image_sketch(image)) for image in images[20:]} == {None}
    assert SeenImages([]).relation(image_sketch(images[0])) is None


@pytest.mark.parametrize("kind", COPIES)
def test_copies_look_alike(images: list[np.ndarray], kind: str):
    seen = SeenImages(map(image_sketch, images[:20]))
    assert {seen.relation(image_sketch(COPIES[kind](image[0])[None])) for image in images[:5]} == {"alike"}


def test_a_volume_is_known_again():
    volume = phantom_volume(0, seed=0, coarse=6).image
    seen = SeenImages([image_sketch(volume)])
    assert seen.relation(image_sketch(volume.copy())) == "same"
    assert seen.relation(image_sketch(phantom_volume(1, seed=0, coarse=6).image)) is None


def test_a_case_takes_no_more_than_its_digest_and_sketch(images: list[np.ndarray]):
    sketch = image_sketch(images[0])
    assert len(bytes.fromhex(sketch.content + sketch.sketch)) == 32


def test_the_projections_stay_the_same_from_one_version_to_the_next():
    """Sketches in packages are compared with those of later versions."""
    assert hashlib.sha256(_directions().astype(np.int8).tobytes()).hexdigest()[:16] == "693efe3a37eac7d4"


@pytest.mark.parametrize("sketch", ["", "g" * 32, "A" * 32, "a" * 33])
def test_what_is_no_sketch_is_refused(sketch: str):
    with pytest.raises(InputError, match="32 hexadecimal digits"):
        from_mapping(ImageSketch, {"content": "a" * 32, "sketch": sketch}, where="image")


def test_real_images_are_known_and_told_apart(real_data: Path):
    cases = open_sources([f"busi:{real_data / 'busi'}", f"bus-bra:{real_data / 'bus-bra'}"]).cases
    chosen = [case for case in cases if case.source == "bus-bra"][:60:2]
    sketches = sketches_of(chosen)
    others = SeenImages(sketches_of([case for case in cases if case.source == "busi"][:60:2]).values())
    assert {others.relation(sketch) for sketch in sketches.values()} == {None}
    seen = SeenImages(sketches.values())
    grey = chosen[0].load().image
    small = cv2.resize(grey[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert (seen.relation(image_sketch(grey)), seen.relation(image_sketch(small[None]))) == ("same", "alike")
