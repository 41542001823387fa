"""Result objects before other people's judges: dciodvfy knows the standard's modules, dcmtk reads and shows them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_volume_package
from tests.io.dicom.made_files import data_set, written
from tests.io.dicom.made_results import write_results
from tests.io.dicom.made_volumes import write_volumes

from bustle.cli.main import main
from bustle.io.dicom.frames import Frames
from bustle.io.dicom.header import read_header

TOOLS = {"dciodvfy": "dicom3tools", "dsrdump": "dcmtk", "dcmdump": "dcmtk", "dcm2pnm": "dcmtk"}
"""The Debian package of each."""

KNOWN = re.compile(r"Warning .*(Unrecognized defined term = <99BUSTLE>|Laterality.* only permitted to be empty when)")
"""A private scheme is named as PS3.16 asks for, and the side of a breast may really be unknown."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    lacking = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if lacking:
        subprocess.run(["apt-get", "install", "--yes", *lacking], check=True, capture_output=True)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Made-up results of images and clips, and those of `bustle predict` about volumes."""
    folder = tmp_path_factory.mktemp("objects")
    (folder / "volumes").mkdir()
    write_volumes(folder / "volumes")
    package, out = write_volume_package(folder / "hand.bustle"), folder / "out"
    words = ["predict", str(folder / "volumes"), "--model", str(package), "--out", str(out)]
    assert main([*words, "--format", "seg,sr,key,pdf"]) == 0
    return [*write_results(folder), *sorted((out / "dicom-objects").iterdir())]


def told(*words: str | Path) -> str:
    """All that a tool prints; fails where it ends with an error."""
    done = subprocess.run(words, capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    return text


def test_dciodvfy_finds_no_error(objects: list[Path]) -> None:
    for path in objects:
        done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        assert lines, path.name
        bad = [line for line in lines if line.startswith(("Error", "Warning")) and not KNOWN.search(line)]
        assert bad == [], path.name


def test_dciodvfy_finds_what_is_missing(objects: list[Path], tmp_path: Path) -> None:
    """The judge is awake."""
    import pydicom

    broken = pydicom.dcmread(next(path for path in objects if path.stem == "seg0"))
    del broken.SegmentSequence
    broken.save_as(tmp_path / "broken.dcm")
    done = subprocess.run(["dciodvfy", "-new", tmp_path / "broken.dcm"], capture_output=True, text=True, check=False)
    assert "Error" in done.stdout + done.stderr


def test_dcmtk_reads_every_object(objects: list[Path]) -> None:
    for path in objects:
        text = told("dcmdump", "+P", "SOPInstanceUID", "+P", "ContentQualification", path)
        assert "2.25." in text
        assert "RESEARCH" in text
        assert "W: " not in text
        assert "E: " not in text


def test_jpeg_of_12_bits_is_what_dcmtk_reads(tmp_path: Path) -> None:
    rows, columns = np.indices((60, 90), np.uint16)
    made = data_set(31 * columns + 17 * rows, BitsStored=12, HighBit=11)
    plain, packed, back = (tmp_path / f"{name}.dcm" for name in ("plain", "packed", "back"))
    written(tmp_path, made, plain.name)
    told("dcmcjpeg", "+ee", plain, packed)
    told("dcmdjpeg", packed, back)
    own, theirs = (Frames(read_header(path)).stored(1) for path in (packed, back))
    assert np.array_equal(own, theirs)


def test_dsrdump_shows_the_report_as_a_tree(objects: list[Path]) -> None:
    text = told("dsrdump", next(path for path in objects if path.stem == "sr"))
    assert "W: " not in text
    assert '<has obs context TEXT:(,,"Tracking Identifier")="Lesion 2 (suspected)">' in text
    assert '<contains CODE:(,,"Decision")=(refer,99BUSTLE,"Refer: benign or malignant is open")>' in text
    assert '<contains NUM:(,,"Long axis")="12.25" (mm,UCUM,"mm")>' in text


def test_dcmtk_shows_a_key_image_with_its_overlays_and_without(objects: list[Path], tmp_path: Path) -> None:
    path = next(path for path in objects if path.stem == "key_grey")
    told("dcm2pnm", path, tmp_path / "with.pgm")
    told("dcm2pnm", "-O", path, tmp_path / "without.pgm")
    assert (tmp_path / "with.pgm").read_bytes() != (tmp_path / "without.pgm").read_bytes()
