from __future__ import annotations

import os
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.inference.inputs import find_images


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.PNG", "a.jpeg", "c (1).tif", "note.txt", ".hidden.png", "deep/a.png", "deep/d[1].bmp"):
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(b"not decoded here")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scans"


def listed(*inputs: str) -> list[tuple[str, str]]:
    return [(image.path.as_posix(), image.name) for image in find_images(inputs)]


@pytest.mark.usefixtures("scans")
def test_a_folder_gives_the_images_directly_in_it_in_order():
    assert listed("scans") == [("scans/a.jpeg", "a"), ("scans/b.PNG", "b"), ("scans/c (1).tif", "c (1)")]


def test_masks_beside_their_image_are_no_images(tmp_path: Path):
    for name in ("benign (1)", "benign (1)_mask", "benign (1)_mask_1", "case001", "case001_tumor", "x_mask"):
        (tmp_path / f"{name}.png").touch()
    assert [name for _, name in listed(str(tmp_path))] == ["benign (1)", "case001", "x_mask"]


@pytest.mark.usefixtures("scans")
def test_globs_files_and_odd_names():
    assert listed("scans/*.tif") == [("scans/c (1).tif", "c (1)")]
    assert listed("scans/deep/d[1].bmp") == [("scans/deep/d[1].bmp", "d[1]")]
    assert listed("scans/note.txt") == [("scans/note.txt", "note")]  # named itself: its content decides
    assert [path for path, _ in listed("scans/**/*")] == [
        "scans/a.jpeg",
        "scans/b.PNG",
        "scans/c (1).tif",
        "scans/deep/a.png",
        "scans/deep/d[1].bmp",
    ]


def test_absolute_patterns(scans: Path):
    assert listed(f"{scans}/*.jpeg") == [((scans / "a.jpeg").as_posix(), "a")]


@pytest.mark.usefixtures("scans")
def test_colliding_stems_take_the_parent_folders_name():
    assert [name for _, name in listed("scans", "scans/deep")] == ["scans-a", "b", "c (1)", "deep-a", "d[1]"]


@pytest.mark.usefixtures("scans")
def test_each_file_counts_once():
    assert listed("scans/a.jpeg", "scans", "scans/../scans/a.jpeg") == listed("scans")


def test_names_differ_even_for_one_stem_twice_in_a_folder_and_in_upper_case(tmp_path: Path):
    for name in ("x/s/1.png", "x/s/1.jpg", "y/s/1.png", "y/s/B.png", "y/t/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [image.name for image in find_images([f"{tmp_path}/**/*"])]
    assert len({name.casefold() for name in names}) == 5
    assert names[-2:] == ["s-B", "t-b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("absent.png", "absent.png: does not exist"),
        ("scans/*.gif", r"no image matches 'scans/\*\.gif'"),
        ("empty", "empty: holds no images"),
    ],
)
def test_an_input_without_images(scans: Path, text: str, said: str):
    (scans.parent / "empty").mkdir()
    with pytest.raises(InputError, match=said):
        find_images(["scans", text])


def test_what_is_no_file_is_listed_so_that_reading_it_says_why(tmp_path: Path):
    """Nothing is opened here, and nothing passed over but folders."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "folder.png").mkdir()
    expected = ["gone.png", "loop.png", "pipe.png"]
    assert [image.path.name for image in find_images([str(tmp_path)])] == expected
    assert [image.path.name for image in find_images([str(tmp_path / "*.png")])] == expected
    assert [image.path.name for image in find_images([str(tmp_path / name) for name in expected])] == expected
