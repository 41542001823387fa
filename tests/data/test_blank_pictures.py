from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.cli.main import main
from bustle.data.blank_pictures import nothing_in
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.volume_cases import phantom_volume
from bustle.data.sources import open_sources
from bustle.io.raster import write_png

RANDOM = np.random.default_rng(0)
BLANK = {
    "black": np.zeros((60, 80), np.uint8),
    "white": np.full((60, 80), 255, np.uint8),
    "almost one grey": (100 + RANDOM.integers(0, 4, (60, 80))).astype(np.uint8),
    "a speck on black": np.pad(np.full((3, 3), 255, np.uint8), 60),
    "noise": RANDOM.integers(0, 256, (60, 80)).astype(np.uint8),
    "noise of a camera": RANDOM.normal(128, 20, (60, 80)).clip(0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("name", BLANK)
def test_a_picture_without_anything_in_it(name: str):
    assert nothing_in(BLANK[name][None]) in ("everything in it has the same grey", "there is only noise in it")
    assert nothing_in(np.stack([BLANK[name]] * 3)) is not None
    assert nothing_in(np.stack([BLANK[name]] * 20)[None]) is not None, "a volume of such slices"


@pytest.mark.parametrize("size", [32, 64, 256])
def test_generated_ultrasound_has_something_in_it(size: int):
    assert all(nothing_in(phantom_case(number, seed=1, size=size).image) is None for number in range(6))


def test_a_generated_volume_has_something_in_it():
    assert nothing_in(phantom_volume(0, seed=0, coarse=6).image) is None


def test_dark_blurred_and_compressed_ultrasound_has_something_in_it():
    image = phantom_case(0, seed=2, size=256).image[0]
    dark = (image // 8).astype(np.uint8)
    blurred = cv2.GaussianBlur(image, (0, 0), 4)
    compressed = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_GRAYSCALE)
    assert [nothing_in(changed[None]) for changed in (dark, blurred, compressed)] == [None] * 3


def test_real_images_have_something_in_them(real_data: Path):
    cases = open_sources([f"busi:{real_data / 'busi'}", f"bus-bra:{real_data / 'bus-bra'}"]).cases
    assert {nothing_in(case.load().image) for case in cases[:: len(cases) // 40]} == {None}


def test_an_audit_names_the_blank_ones(tmp_path: Path):
    for name, image in {"black": BLANK["black"], "scan": phantom_case(0, seed=2, size=96).image[0]}.items():
        write_png(tmp_path / "data" / "images" / f"{name}.png", image)
    from bustle.data.audit.audit import audit

    found = audit(open_sources([f"folder:{tmp_path / 'data'}"]))
    assert [finding.case_ids for finding in found.findings if finding.kind == "no-ultrasound"] == [("folder/black",)]


def test_nothing_is_said_about_a_blank_picture(tmp_path: Path, capsys):
    from tests.inference.hand_made_package import write_package

    package = write_package(tmp_path / "hand.bustle")
    scan = phantom_case(0, seed=2, size=96).image[0]
    for name, image in {"black": BLANK["black"], "noise": BLANK["noise"], "scan": scan}.items():
        write_png(tmp_path / "in" / f"{name}.png", image)
    words = ["predict", str(tmp_path / "in"), "--model", str(package), "--out", str(tmp_path / "out")]
    main([*words, "--device", "cpu"])
    said = capsys.readouterr()
    assert "black.png: holds no ultrasound: everything in it has the same grey" in said.out + said.err
    assert "noise.png: holds no ultrasound: there is only noise in it" in said.out + said.err
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == ["scan"]
