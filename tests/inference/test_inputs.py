from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.folder_names import portable_name
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
        (
            "empty",
            r"empty: holds no images; .* directly inside, or a pattern for those below, as 'empty/\*\*/\*\.png'$",
        ),
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


def names_of(folder: Path, *files: str) -> list[str]:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return [image.name for image in find_images([str(folder / file) for file in files])]


def test_names_that_differ_only_in_case_or_normal_form_get_no_part_of_the_path_above(tmp_path: Path):
    names = names_of(tmp_path, "A.png", "a.png", "a.jpg", "\u00e4.png", "a\u0308.png")
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == 5
    assert not any(part in name for name in names for part in tmp_path.parts[1:-1])


def test_names_of_several_folders_hold_only_the_parents_that_differ(tmp_path: Path):
    names = names_of(tmp_path, "p/one/img/s.png", "p/two/img/s.png", "p/two/other.png")
    assert names == ["one-img-s", "two-img-s", "other"]


def test_names_are_portable(tmp_path: Path):
    names = names_of(tmp_path, "CON.png", "x .png", "a\\b.png", "a\nb.png", "\x1b[31m.png", "..png")
    assert names == [portable_name(name) for name in ("CON", "x ", "a\\b", "a\nb", "\x1b[31m", ".")]


def test_a_name_that_is_not_utf8_is_an_image_like_others(tmp_path: Path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (tmp_path / "good.png").touch()
    names = [image.name for image in find_images([str(tmp_path)])]
    assert sorted(names) == sorted(["good", portable_name("\udcff")])


@pytest.mark.parametrize("suffix", [".png", ".nrrd"])
def test_links_have_their_own_names_and_their_target_counts_once(suffix: str, tmp_path: Path):
    (tmp_path / "store").mkdir()
    (tmp_path / "scans").mkdir()
    for number in (1, 2):
        (tmp_path / "store" / f"MD5E-s17--{number}{suffix}").touch()
        (tmp_path / "scans" / f"case{number}{suffix}").symlink_to(tmp_path / "store" / f"MD5E-s17--{number}{suffix}")
    (tmp_path / "scans" / f"copy{suffix}").symlink_to(f"case2{suffix}")
    images = find_images([str(tmp_path / "scans"), str(tmp_path / "store")])
    assert [image.name for image in images] == ["case1", "case2"]
    assert [image.path.name for image in images] == [f"case1{suffix}", f"case2{suffix}"]


def test_a_name_of_5000_characters_is_told_in_one_line():
    with pytest.raises(InputError, match="is too long for a path; use a shorter one"):
        find_images(["x" * 5000 + ".png"])


def test_files_that_are_passed_over_are_counted_by_kind(tmp_path: Path, capsys):
    for name in ("a.png", "a_mask.png", "a_mask (1).png", "b.doc", "c.DOC", "d.heic", "README", ".hidden"):
        (tmp_path / name).touch()
    assert [image.name for image in find_images([str(tmp_path)])] == ["a"]
    assert (
        capsys.readouterr().err.strip().endswith("6 files are passed over: 2 mask, 2 .doc, 1 without ending, 1 .heic")
    )
