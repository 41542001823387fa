"""Data sets in ZIP archives, good and hostile ones."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.cli.main import main
from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.data import archives
from bustle.data.archives import unpacked
from bustle.data.sources import open_sources


def png(value: int) -> bytes:
    image = np.random.default_rng(value).integers(0, 255, (40, 50), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def busi(root: str = "") -> dict[str, bytes]:
    mask = cv2.imencode(".png", np.pad(np.full((10, 20), 255, np.uint8), 15))[1].tobytes()
    files = {}
    for number, label in enumerate(("benign", "malignant")):
        files[f"{root}{label}/{label} (1).png"] = png(number)
        files[f"{root}{label}/{label} (1)_mask.png"] = mask
    return files


def packed(path: Path, files: dict[str, bytes], *, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def left_over() -> list[str]:
    root = cache_directory() / "archives"
    return [entry.name for entry in root.iterdir() if entry.name.startswith(".")] if root.is_dir() else []


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("wrapping", ["", "archive/Dataset_BUSI_with_GT/", "a/b/Dataset_BUSI_with_GT/"])
@pytest.mark.parametrize("reader", ["", "auto:", "busi:"])
def test_a_zipped_data_set_is_read_as_its_folder(tmp_path: Path, reader: str, wrapping: str):
    files = busi(wrapping) | {f"__MACOSX/{wrapping}._x.png": b"junk", f"{wrapping}.DS_Store": b"junk"}
    collection = open_sources([f"{reader}{packed(tmp_path / 'busi.zip', files)}"])
    assert {case.case_id: case.label for case in collection.cases} == {
        "busi/benign (1)": "benign",
        "busi/malignant (1)": "malignant",
    }
    assert all(case.has_mask for case in collection.cases)
    assert [finding.kind for finding in collection.findings] == ["missing-folder"]  # normal/


def test_options_and_other_layouts_are_those_of_folders(tmp_path: Path):
    files = {"set/B/a.png": png(1), "set/M/b.png": png(2)}
    collection = open_sources([f"{packed(tmp_path / 'x.ZIP', files)}?labels=B:benign,M:malignant&name=mine"])
    assert [(case.case_id, case.label) for case in collection.cases] == [
        ("mine/a", "benign"),
        ("mine/b", "malignant"),
    ]
    plain = packed(tmp_path / "plain.zip", {"images/a.png": png(1)})
    assert [case.case_id for case in open_sources([f"folder:{plain}"]).cases] == ["folder/a"]


def test_it_is_unpacked_once_and_again_after_a_change(tmp_path: Path):
    path = packed(tmp_path / "busi.zip", busi())
    folder = unpacked(path)
    image = folder / "benign" / "benign (1).png"
    before = image.stat().st_mtime_ns
    assert unpacked(path) == folder
    assert image.stat().st_mtime_ns == before
    image.unlink()
    assert unpacked(path) == folder
    assert image.read_bytes() == png(0)
    packed(path, busi() | {"normal/normal (1).png": png(9)})
    os.utime(path, ns=(1, 1))
    assert unpacked(path) != folder
    assert left_over() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil.png", "is no name inside a folder"),
        ("a/../../evil.png", "is no name inside a folder"),
        ("/tmp/evil.png", "is no name inside a folder"),
        ("..\\evil.png", "is no name inside a folder"),
        ("C:\\evil.png", "is no name inside a folder"),
        ("a\nb.png", "is no name inside a folder"),
        ("BENIGN/benign (1).png", "are one name"),
        ("benign/benign (1).png/x.png", "is a file and a folder"),
    ],
)
def test_names_that_lead_elsewhere_or_clash_are_refused(tmp_path: Path, name: str, said: str):
    with pytest.raises(InputError, match=said) as caught:
        unpacked(packed(tmp_path / "evil.zip", busi() | {name: b"x"}))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.parent.glob("**/evil.png"))
    assert not (cache_directory() / "archives").exists()


@pytest.mark.parametrize(("kind", "said"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "is no ordinary file")])
def test_links_and_pipes_are_refused(tmp_path: Path, kind: int, said: str):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("benign")
        entry.create_system = 3
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc")
    with pytest.raises(InputError, match=said):
        unpacked(path)


def test_bombs_are_refused_before_a_byte_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "PACKED_AT_WILL", 1 << 20)
    monkeypatch.setattr(archives, "_write", None)  # would fail if it were called
    path = packed(tmp_path / "bomb.zip", {"a.bmp": bytes(2 << 20)})
    with pytest.raises(InputError, match=r"would unpack 0\.0 MB to 0\.0 GB, which no images do"):
        unpacked(path)
    monkeypatch.setattr(archives, "MOST_FILES", 3)
    with pytest.raises(InputError, match="holds 4 files"):
        unpacked(packed(tmp_path / "many.zip", busi()))
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(InputError, match=r"needs 0\.0 GB in .* BUSTLE_CACHE=FOLDER"):
        unpacked(packed(tmp_path / "large.zip", busi()))


def test_files_that_share_their_bytes_are_refused(tmp_path: Path):
    """As in the bomb of Fifield (2019), whose files overlap."""
    path = packed(tmp_path / "overlap.zip", {f"{name}.png": bytes(2000) for name in "abcd"}, kind=zipfile.ZIP_STORED)
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    shifted = content[:2036] + content[directory:]  # the first file, then the directory
    end = shifted.index(b"PK\x05\x06")
    shifted = shifted[: end + 16] + struct.pack("<I", 2036) + shifted[end + 20 :]
    path.write_bytes(shifted)
    with pytest.raises(InputError, match="its files overlap"):
        unpacked(path)


def test_an_archive_that_understates_its_sizes_is_refused(tmp_path: Path):
    path = packed(tmp_path / "lie.zip", {"a.png": bytes(100_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 100_000), struct.pack("<I", 1000)))
    with pytest.raises(InputError, match="is no readable ZIP archive"):
        unpacked(path)


def test_a_damaged_archive_is_one_line_wherever_it_is_damaged(tmp_path: Path):
    whole = packed(tmp_path / "whole.zip", busi("set/")).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.zip"
    told = []
    for place in [*random.integers(0, len(whole), 40), -1]:
        content = bytearray(whole)
        if place < 0:
            content = content[: len(whole) // 2]
        else:
            content[place] ^= 0xFF
        path.write_bytes(content)
        try:
            unpacked(path)
        except InputError as error:
            told.append(str(error))
    assert len(told) > 30
    assert not [text for text in told if "\n" in text]
    assert left_over() == []


def test_the_command_line_ends_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    assert main(["data", "audit", str(tmp_path / "a.zip"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert "a.zip: is no readable ZIP archive" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()
