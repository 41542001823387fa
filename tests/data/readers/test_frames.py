"""Frames of videos and of frame folders: a class each, boxes on some, patients together, each its own picture."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from tests.data.speckle_frames import frame as speckle
from tests.io.made_videos import HEIGHT, WIDTH, cut, number_in, picture, write_video

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.recipe import load_protocol
from bustle.core.types import Box, Case
from bustle.data import video_sizes
from bustle.data.audit.audit import audit
from bustle.data.prepared.cache import CaseCache
from bustle.data.relations import duplicates
from bustle.data.relations.duplicates import FRAMES_PER_VIDEO, compared_frames, related_frames
from bustle.data.relations.leak_groups import patient_groups
from bustle.data.sources import open_sources
from bustle.data.splits.splits import make_splits
from bustle.io.raster import write_png

BOX_HEADER = "video,frame,y_start,x_start,y_stop,x_stop\n"


def write_folder(folder: Path, *, numbers: range) -> Path:
    for number in numbers:
        write_png(folder / f"scan2-frame_{number:04d}.png", picture(number)[..., 0])
    return folder


def tables(folder: Path, videos: str, boxes: str | None = None) -> str:
    (folder / "videos.csv").write_text(videos)
    if boxes is not None:
        (folder / "boxes.csv").write_text(BOX_HEADER + boxes)
    return f"frames:{folder / 'videos.csv'}"


def frame_numbers(cases: tuple[Case, ...]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for case in cases:
        assert case.video is not None
        assert case.frame is not None
        assert case.case_id == f"{case.source}/{case.video}#{case.frame}"
        found.setdefault(case.video, []).append(case.frame)
    return found


@pytest.fixture
def spec(tmp_path: Path) -> str:
    write_video(tmp_path / "clips" / "one.avi", frames=12)
    write_video(tmp_path / "clips" / "two.mp4", frames=9, codec="mp4v", first=50)
    write_folder(tmp_path / "stills" / "three", numbers=range(1, 8))
    return tables(
        tmp_path,
        "video,label,patient_id,spacing_mm,scanner\n"
        "clips/one.avi,malignant,p1,0.1,GE\nclips/two.mp4,benign,p1,,\nstills/three,BENIGN,,0.1 0.2,\n",
        "one,5,10,20,30,40\none,5,1,2,3,4\nclips/two.mp4,8,0,0,96,128\nthree,7,2,3,10,20\n",
    )


def test_every_frame_has_its_picture_and_class(spec: str) -> None:
    collection = open_sources([spec])
    assert collection.findings == ()
    assert frame_numbers(collection.cases) == {
        "one": list(range(12)),
        "two": list(range(9)),
        "three": list(range(1, 8)),
    }
    shown = {"one": 0, "two": 50, "three": 0}
    for case in collection.cases:
        sample = pickle.loads(pickle.dumps(case)).load()
        assert case.video is not None
        assert case.frame is not None
        assert number_in(sample.image) == shown[case.video] + case.frame
        assert sample.case_id == case.case_id
        assert sample.label == case.label == ("malignant" if case.video == "one" else "benign")
        assert (sample.boxes is not None) == case.has_box
        assert sample.lesion_mask is None
        assert not case.has_mask
    boxes = {case.case_id: case.load().boxes for case in collection.cases if case.has_box}
    assert boxes == {
        "frames/one#5": (Box(10, 20, 30, 40), Box(1, 2, 3, 4)),
        "frames/two#8": (Box(0, 0, HEIGHT, WIDTH),),
        "frames/three#7": (Box(2, 3, 10, 20),),
    }
    first = collection.cases[0]
    assert (first.patient_id, first.spacing, first.metadata) == ("p1", (0.1, 0.1), {"scanner": "GE"})
    assert collection.cases[-1].spacing == (0.1, 0.2)


def test_every_nth_frame_and_those_with_boxes(spec: str) -> None:
    cases = open_sources([f"{spec}?every=4&name=v"]).cases
    assert frame_numbers(cases) == {"one": [0, 4, 5, 8], "two": [0, 4, 8], "three": [1, 5, 7]}
    assert [case.case_id for case in cases if case.has_box] == ["v/one#5", "v/two#8", "v/three#7"]


def test_tables_as_parquet_names_of_their_own_and_normal_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "a" / "scan.avi", frames=3)
    write_video(tmp_path / "b" / "scan.avi", frames=3)
    rows = {
        "video": ["a/scan.avi", "b/scan.avi"],
        "video_id": [7.0, 8.0],
        "label": ["normal", "benign"],
        "patient_id": [1.0, float("nan")],
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "v.parquet")
    corners = {"y_start": [1], "x_start": [2], "y_stop": [3], "x_stop": [4]}
    pyarrow.parquet.write_table(pyarrow.table({"video": [8], "frame": [2], **corners}), tmp_path / "places.parquet")
    cases = open_sources([f"frames:{tmp_path / 'v.parquet'}?boxes=places.parquet"]).cases
    assert frame_numbers(cases) == {"7": [0, 1, 2], "8": [0, 1, 2]}
    assert [case.patient_id for case in cases[::3]] == ["1", None]
    assert [case.has_mask for case in cases] == [True] * 3 + [False] * 3
    mask = cases[0].load().lesion_mask
    assert mask is not None
    assert not mask.any()
    assert cases[5].load().boxes == (Box(1, 2, 3, 4),)


def test_videos_are_counted_once(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = frame_numbers(open_sources([spec]).cases)

    def forbidden(path: Path) -> None:
        raise AssertionError(f"{path} was counted again")

    monkeypatch.setattr(video_sizes, "video_size", forbidden)
    assert frame_numbers(open_sources([spec]).cases) == numbers


ONE = "video,label\none.avi,benign\n"


@pytest.mark.parametrize(
    ("videos", "boxes", "said"),
    [
        ("file\none.avi\n", "", r"videos\.csv: has no column 'video'; add the column"),
        ("video\n", "", r"videos\.csv: has no rows; write one row per video"),
        ("video,label\n,benign\n", "", r"videos\.csv: line 2: has no video; fill in"),
        ("video,label\none.avi,tumour\n", "", r"videos\.csv: line 2: unknown class name 'tumour'; .*nown: benign"),
        ("video\ngone.avi\n", "", r"videos\.csv: line 2: there is no 'gone\.avi'; correct the path"),
        (
            "video\nvideos.csv\n",
            "",
            r"videos\.csv: line 2: 'videos\.csv' is neither a folder of frames nor",
        ),
        ("video\nempty\n", "", r"empty: holds no images"),
        ("video\nnameless\n", "", r"scan\.png: has no number in its name; number the frames"),
        ("video\ntwice\n", "", r"twice: 'a1\.png' and 'b1\.png' have the same frame number"),
        ("video\none.avi\none.avi\n", "", r"videos\.csv: line 3: two videos have the name 'one'; name them apart"),
        ("video,video_id\none.avi,../x\n", "", r"'frames/\.\./x#0' cannot be a case id"),
        ("video\ncut.avi\n", "", r"cut\.avi: announces 12 frames, of which \d+ can be decoded"),
        ("video\ntext.mp4\n", "", r"text\.mp4: cannot be opened as a video"),
        (ONE, "on,0,1,2,3,4\n", r"boxes\.csv: line 2: unknown video 'on'; did you mean one\?"),
        (
            ONE,
            "one,1,1,2,3,4\none,12,1,2,3,4\n",
            r"boxes\.csv: line 3: video 'one' has no frame 12, its frames are 0 to",
        ),
        (ONE, "one,-1,1,2,3,4\n", r"boxes\.csv: line 2: '-1' is no frame number"),
        (ONE, "one,,1,2,3,4\n", r"boxes\.csv: line 2: '' is no frame number"),
        (
            ONE,
            "one,3,1,2,3,4\none,3,1,2,97,4\n",
            r"boxes\.csv: line 3: a box of frame 3 .* ends at row 97, column 4, yet",
        ),
        (ONE, "one,3,1,2,3,129\n", r"column 129, yet the frame has 96 rows and 128 columns; correct the box"),
        (ONE, "one,3,-1,2,3,4\n", r"boxes\.csv: line 2: the box '-1 2 3 4' is empty or negative"),
        (ONE, "one,3,5,2,3,4\n", r"the box '5 2 3 4' is empty or negative"),
        (ONE, "one,3,1,2,3\n", r"boxes\.csv: line 2: '1 2 3' is not a box"),
        (ONE, "one,3\n", r"boxes\.csv: line 2: has no box"),
        ("video,label\none.avi,normal\n", "one,3,1,2,3,4\n", r"line 2: the video 'one' is normal, yet has a box"),
        ("video\nfolder\n", "folder,9,1,2,3,4\n", r"video 'folder' has no frame 9, its frames are 3 to 5"),
        ("video\nfolder\n", "folder,4,1,2,3,400\n", r"column 400, yet the frame has 96 rows and 128 columns"),
    ],
)
def test_broken_tables(tmp_path: Path, videos: str, boxes: str, said: str) -> None:
    write_video(tmp_path / "one.avi", frames=12)
    cut(write_video(tmp_path / "cut.avi", frames=12), part=0.8)
    (tmp_path / "text.mp4").write_text("nonsense")
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "folder", numbers=range(3, 6))
    for name in ("nameless/scan", "twice/a1", "twice/b1"):
        write_png(tmp_path / f"{name}.png", picture(0)[..., 0])
    with pytest.raises(InputError, match=said) as caught:
        open_sources([tables(tmp_path, videos, boxes)])
    assert "\n" not in str(caught.value)


def test_boxes_need_their_columns(tmp_path: Path) -> None:
    write_video(tmp_path / "one.avi", frames=2)
    spec = tables(tmp_path, ONE)
    assert not any(case.has_box for case in open_sources([spec]).cases)
    (tmp_path / "b.csv").write_text("video,frame,x,y\n")
    with pytest.raises(InputError, match=r"b\.csv: has no column 'y_start'"):
        open_sources([f"{spec}?boxes=b.csv"])
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        open_sources([f"{spec}?boxes=gone.csv"])


@pytest.mark.parametrize(
    ("tail", "said"),
    [("?every=0", "'0' is no number of frames"), ("?every=x", "'x' is no"), ("?nth=2", "unknown option of frames")],
)
def test_wrong_options(spec: str, tail: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_sources([spec + tail])


def test_a_single_folder_of_frames_or_video(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "three", numbers=range(1, 8))
    video = write_video(tmp_path / "one.avi", frames=5)
    for place, name, numbers in ((folder, "three", [1, 4, 7]), (video, "one", [0, 3])):
        cases = open_sources([f"frames:{place}?every=3"]).cases
        assert frame_numbers(cases) == {name: numbers}
        assert [number_in(case.load().image) for case in cases] == numbers
        assert {case.label for case in cases} == {None}
    with pytest.raises(InputError, match="boxes= is for a table of videos"):
        open_sources([f"frames:{folder}?boxes=b.csv"])


def test_an_empty_folder_or_nothing_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        open_sources([f"frames:{tmp_path}"])
    with pytest.raises(InputError, match="needs a file"):
        open_sources(["frames:"])


def test_frames_of_one_file_have_cache_entries_of_their_own(spec: str, tmp_path: Path) -> None:
    section = ImageData(size=(HEIGHT, WIDTH), classes=("benign", "malignant"))
    cases = open_sources([spec]).cases[:12]

    def shown(*chosen: Case) -> list[int]:
        cache = CaseCache.open(chosen, section=section, directory=tmp_path / "cache")
        assert cache.case_ids == [case.case_id for case in chosen]
        assert cache.has_box.tolist() == [case.has_box for case in chosen]
        return [number_in(image) for image in cache.images]

    assert shown(*cases) == list(range(12))
    assert shown(cases[3]) == [3]
    assert shown(cases[4]) == [4]
    assert shown(cases[5], cases[3]) == [5, 3]
    assert len(list((tmp_path / "cache").glob("prepared-*"))) == 4


def test_videos_and_patients_stay_together(spec: str) -> None:
    cases = open_sources([spec]).cases
    group = patient_groups(cases)
    assert {case.video: group[case.case_id] for case in cases} == {
        "one": "frames/one#0",
        "two": "frames/one#0",
        "three": "frames/three#1",
    }


def speckle_video(folder: Path, *, seed: int, frames: int = 24) -> None:
    """A slow cine loop: the speckle of each frame is a mixture of two neighbouring patterns."""
    patterns = [speckle(seed, 100 * seed + number).astype(float) for number in range(frames // 8 + 2)]
    for number in range(frames):
        before, part = divmod(number, 8)
        mixed = (patterns[before] * (8 - part) + patterns[before + 1] * part) / 8
        write_png(folder / f"{number}.png", np.clip(mixed, 0, 255).astype(np.uint8))


@pytest.fixture
def loops(tmp_path: Path) -> str:
    for seed in range(3):
        speckle_video(tmp_path / f"v{seed}", seed=seed)
    (tmp_path / "part").mkdir()
    for number in range(5, 21):
        (tmp_path / "part" / f"{number}.png").write_bytes((tmp_path / "v1" / f"{number}.png").read_bytes())
    rows = "v0,benign,a\nv1,benign,b\nv2,malignant,c\npart,benign,d\n"
    return tables(tmp_path, "video,label,patient_id\n" + rows)


def test_audit_finds_a_video_that_occurs_twice_and_compares_no_neighbours(
    loops: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "FRAMES_PER_VIDEO", 6)
    collection = open_sources([loops])
    found = audit(collection)
    video_of = {case.case_id: case.video for case in collection.cases}
    assert found.pairs
    assert {frozenset((video_of[pair.first], video_of[pair.second])) for pair in found.pairs} == {
        frozenset(("v1", "part"))
    }
    assert sum(pair.relation == "identical" for pair in found.pairs) == 16
    assert "copies-across-patients" in {finding.kind for finding in found.findings}
    assert len(set(found.group_of.values())) == 3
    splits = make_splits(collection, protocol=load_protocol("strict"), track="strict", folds=3)
    for fold in splits.folds:
        assert {video_of[name] for name in fold.train}.isdisjoint({video_of[name] for name in fold.test})


def test_some_frames_of_a_video_are_compared() -> None:
    def case(name: str, video: str | None, frame: int | None) -> Case:
        return Case(name, "s", lambda: None, video=video, frame=frame)  # type: ignore[arg-type,return-value]

    long = [case(f"s/long#{n}", "long", n) for n in range(200)]
    short = [case(f"s/short#{n}", "short", n) for n in range(5)]
    stills = [case(f"s/{n}", None, None) for n in range(7)]
    chosen = compared_frames([*long, *short, *stills])
    assert len(chosen) == FRAMES_PER_VIDEO + 5 + 7
    frames = sorted(int(name.split("#")[1]) for name in chosen if "long" in name)
    assert np.diff(frames).min() >= 12
    assert frames[0] == 6


def test_pairs_are_remembered_by_frame_not_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two choices of as many frames of the same files are two questions."""
    monkeypatch.setattr(duplicates, "cache_directory", lambda: tmp_path / "cache")
    write_video(tmp_path / "a.avi", frames=6)
    write_video(tmp_path / "b.avi", frames=6)
    cases = {case.case_id: case for case in open_sources([tables(tmp_path, "video\na.avi\nb.avi\n")]).cases}
    same = [cases["frames/a#2"], cases["frames/b#2"]]
    other = [cases["frames/a#2"], cases["frames/b#3"]]
    assert [pair.relation for pair in related_frames(same)] == ["identical"]
    assert "identical" not in [pair.relation for pair in related_frames(other)]
    assert [pair.relation for pair in related_frames(same)] == ["identical"]
