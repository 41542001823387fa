"""`bustle predict` of clips: one folder a clip, one answer, and each frame exactly once whatever happens."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.inference.hand_made_package import graph, write_package
from tests.io.dicom.made_files import data_set, written

from bustle.cli.main import main
from bustle.core.types import Box
from bustle.io.raster import write_png
from bustle.reading import predict_clip
from bustle.reading.frame_log import FrameLog, read_frames, read_header
from bustle.reading.frame_record import FrameRecord
from bustle.reading.read_clips import read_clip_record

SIZE = (64, 64)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whatever is brighter than the mean of its training is a lesion."""
    return write_package(tmp_path_factory.mktemp("clips") / "hand.bustle")


def picture(*squares: Box, seed: int = 0) -> np.ndarray:
    """Dark speckle with light squares."""
    noise = np.random.default_rng(seed).integers(0, 60, SIZE, dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 1.5)
    for box in squares:
        image[box.y_start : box.y_stop, box.x_start : box.x_stop] += 150
    return image


def square(left: int, *, top: int = 20, side: int = 16) -> Box:
    return Box(top, left, top + side, left + side)


def frame_folder(folder: Path, pictures: Sequence[np.ndarray]) -> Path:
    for number, image in enumerate(pictures):
        write_png(folder / f"frame-{number:03d}.png", image)
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twenty frames: a square that moves, hidden in three of them, and another from frame 10 on."""
    pictures = []
    for number in range(20):
        squares = [] if 5 <= number < 8 else [square(2 + number)]
        pictures.append(picture(*squares, *([square(44, top=44, side=12)] if number >= 10 else []), seed=number))
    return frame_folder(tmp_path / "sweep", pictures)


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "frames.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_folder_of_frames_becomes_one_answer(clip: Path, package: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert predict(f"frames:{clip}", "--spacing", "0.5", "--model", package, "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["contact_sheet.png", "frames.csv", "summary.json", "sweep"]
    assert sorted(path.name for path in (out / "sweep").iterdir()) == [
        "clip.json",
        "contact_sheet.png",
        "frames.jsonl",
        "outlines.webp",
    ]
    answer = read_clip_record(out / "sweep" / "clip.json").answer
    moving, still = answer.lesions
    assert [sighting.frame for sighting in moving.sightings] == [*range(5), *range(8, 20)]
    assert [sighting.frame for sighting in still.sightings] == list(range(10, 20))
    assert moving.median_area == pytest.approx(16 * 16 * 0.25, rel=0.05)
    table = rows(out)
    assert [int(row["frame"]) for row in table] == list(range(20))
    assert [row["numbers"] for row in table][3:12] == ["1", "1", "", "", "", "1", "1", "1 2", "1 2"]
    assert {row["unit"] for row in table} == {"mm"}
    film = Image.open(out / "sweep" / "outlines.webp")
    assert (film.format, film.n_frames) == ("WEBP", 20)
    assert "1 of 1 clips predicted" in capsys.readouterr().out


def test_the_masks_of_the_frames_are_those_that_were_drawn(clip: Path, package: Path, tmp_path: Path):
    assert predict(f"frames:{clip}", "--model", package, "--out", tmp_path / "out") == 0
    assert predict(clip / "frame-012.png", "--model", package, "--out", tmp_path / "alone") == 0
    drawn = cv2.imread(str(tmp_path / "alone" / "frame-012" / "mask.png"), cv2.IMREAD_UNCHANGED) > 0
    record = list(read_frames(tmp_path / "out" / "sweep" / "frames.jsonl"))[12]
    canvas = np.zeros(SIZE, bool)
    for lesion in record.lesions:
        lesion.mask.draw(canvas)
    assert np.array_equal(canvas, drawn)
    assert len(record.lesions) == 2
    alone = json.loads((tmp_path / "alone" / "frame-012" / "prediction.json").read_text())
    assert record.class_probabilities == pytest.approx(alone["class_probabilities"])


class Killed(BaseException):
    """The process ends."""


@pytest.mark.parametrize("frames_before", [0, 16])
def test_a_killed_reading_goes_on_and_has_every_frame_once(
    frames_before: int, clip: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = (f"frames:{clip}", "--model", package, "--resume", "--out")
    assert predict(*words, tmp_path / "whole") == 0
    seen: list[int] = []
    append, of = FrameLog.append, FrameRecord.of.__func__  # type: ignore[attr-defined]

    def cut_short(self: FrameLog, records: Sequence[FrameRecord]) -> None:
        if sum(1 for _ in read_frames(self.path)) >= frames_before:
            with self.path.open("ab") as stream:
                stream.write(b'{"frame":')
            raise Killed
        append(self, records)

    def counted(cls: type[FrameRecord], prediction: object, *, frame: int) -> FrameRecord:
        seen.append(frame)
        return of(cls, prediction, frame=frame)

    monkeypatch.setattr(FrameLog, "append", cut_short)
    with pytest.raises(Killed):
        predict(*words, tmp_path / "out")
    monkeypatch.setattr(FrameLog, "append", append)
    monkeypatch.setattr(predict_clip.FrameRecord, "of", classmethod(counted))
    assert predict(*words, tmp_path / "out") == 0
    assert seen == list(range(frames_before, 20))
    for name in ("frames.jsonl", "clip.json", "outlines.webp", "contact_sheet.png"):
        assert (tmp_path / "out" / "sweep" / name).read_bytes() == (tmp_path / "whole" / "sweep" / name).read_bytes()
    seen.clear()
    assert predict(*words, tmp_path / "out") == 0
    assert seen == []


def test_frames_of_another_clip_or_model_are_not_kept(clip: Path, package: Path, tmp_path: Path):
    words = (f"frames:{clip}", "--resume", "--out", tmp_path / "out", "--model")
    records = tmp_path / "out" / "sweep" / "frames.jsonl"
    assert predict(*words, package) == 0
    first = records.read_text()
    write_png(clip / "frame-000.png", picture(seed=99))
    assert predict(*words, package) == 0
    second = records.read_text()
    assert second.splitlines()[2:] == first.splitlines()[2:]
    assert second.splitlines()[1] != first.splitlines()[1]
    assert predict(*words, write_package(tmp_path / "other.bustle", content=graph(3.0))) == 0
    assert records.read_text().splitlines()[0] != second.splitlines()[0]


def test_a_frame_that_cannot_be_read_is_told_and_the_rest_is_done(clip: Path, package: Path, tmp_path: Path, capsys):
    (clip / "frame-003.png").write_bytes(b"no picture")
    write_png(clip / "frame-004.png", np.full(SIZE, 7, np.uint8))
    out = tmp_path / "out"
    assert predict(f"frames:{clip}", "--model", package, "--out", out) == 2
    said = capsys.readouterr().err
    assert "sweep: frame 4 holds no ultrasound: everything in it has the same grey" in said
    assert "2 frames of clips could not be read" in said
    answer = read_clip_record(out / "sweep" / "clip.json").answer
    assert [each.frame for each in answer.unread] == [3, 4]
    assert [row["frame"] for row in rows(out) if row["problem"]] == ["3", "4"]
    assert len(rows(out)) == 20


def test_a_frame_that_could_not_be_read_is_tried_again(clip: Path, package: Path, tmp_path: Path):
    whole = (clip / "frame-003.png").read_bytes()
    write_png(clip / "frame-003.png", np.full(SIZE, 7, np.uint8))
    words = (f"frames:{clip}", "--model", package, "--resume", "--out", tmp_path / "out")
    assert predict(*words) == 2
    first = read_clip_record(tmp_path / "out" / "sweep" / "clip.json")
    seen = [record.frame for record in read_frames(tmp_path / "out" / "sweep" / "frames.jsonl")]
    assert predict(*words) == 2
    assert read_clip_record(tmp_path / "out" / "sweep" / "clip.json").answer == first.answer
    assert [record.frame for record in read_frames(tmp_path / "out" / "sweep" / "frames.jsonl")] == seen
    header = read_header(tmp_path / "out" / "sweep" / "frames.jsonl")
    (clip / "frame-003.png").write_bytes(whole)
    log = FrameLog(tmp_path / "out" / "sweep" / "frames.jsonl", header, numbers=range(20))
    assert log.done() == 3


def test_videos_of_a_folder_and_images_beside_them(package: Path, tmp_path: Path):
    folder = frame_folder(tmp_path / "mixed", [picture(square(20))])
    writer = cv2.VideoWriter(
        str(folder / "loop.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 20.0, SIZE, False
    )
    for number in range(7):
        writer.write(picture(square(10 + number), seed=number))
    writer.release()
    (folder / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    assert predict(folder, "--model", package, "--out", out) == 2
    assert (out / "frame-000" / "prediction.json").exists()
    assert read_clip_record(out / "loop" / "clip.json").answer.frames == 7
    summary = json.loads((out / "summary.json").read_text())
    assert [[part["name"] for part in study["parts"]] for study in summary["studies"]] == [["loop"]]
    assert [(each["name"], "cannot be opened as a video" in each["reason"]) for each in summary["skipped"]] == [
        ("broken", True)
    ]


def test_a_study_of_two_sides(package: Path, tmp_path: Path, capsys):
    study = tmp_path / "study"
    dark, light = picture(square(20)), picture(square(20, side=40))
    of_clip = np.stack([picture(square(20 + number), seed=number) for number in range(4)])
    written(study, data_set(dark, SOPInstanceUID="1.1", ImageLaterality="L"), "a.dcm")
    written(study, data_set(light, SOPInstanceUID="1.2", ImageLaterality="R"), "b.dcm")
    written(study, data_set(of_clip, frames=4, SOPInstanceUID="1.3", ImageLaterality="L"), "c.dcm")
    written(study, data_set(dark, SOPInstanceUID="2.1", StudyInstanceUID="9.9", PatientID="9"), "d.dcm")
    out = tmp_path / "out"
    assert predict(study, "--model", package, "--out", out) == 0
    first, second = json.loads((out / "summary.json").read_text())["studies"]
    assert (first["study"], [part["name"] for part in first["parts"]]) == ("1.2.3", ["1.1#1", "1.2#1", "1.3"])
    assert [(side["side"], side["parts"]) for side in first["sides"]] == [("left", 2), ("right", 1)]
    assert (second["study"], len(second["parts"])) == ("9.9", 1)
    assert first["patient"] != second["patient"]
    urgent = max((part for part in first["parts"]), key=lambda part: part["verdict"]["malignant_median"])
    assert first["answer"]["part"] == urgent["name"]
    assert "study 1.2.3: " in capsys.readouterr().out
    assert [row["part"] for row in rows(out)] == ["1.1#1", "1.2#1", "2.1#1", *["1.3"] * 4]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.full
def test_memory_is_flat_over_many_frames(package: Path, tmp_path: Path):
    """Peak memory after 100 frames and after 1,500 is the same but for what the frames' numbers take."""
    frames = [picture(square(2 + number % 44), seed=number % 50) for number in range(50)]
    peaks = []
    for count in (100, 1500):
        large = np.stack([np.kron(frames[number % 50], np.ones((4, 4), np.uint8)) for number in range(count)])
        file = written(tmp_path, data_set(large, frames=count, SOPInstanceUID=f"1.{count}"), f"{count}.dcm")
        del large
        peaks.append(_peak_mb("predict", file, "--model", package, "--out", tmp_path / f"out-{count}"))
    print(f"peak memory: {peaks[0]:.0f} MB of 100 frames, {peaks[1]:.0f} MB of 1,500")
    assert peaks[1] - peaks[0] < 30


def _peak_mb(*words: object) -> float:
    """Of `bustle` with these words in a process of its own."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, ([str(word) for word in words],))


def _measured(words: list[str]) -> float:
    assert main(words) == 0
    # of this program alone: what `getrusage` says holds its parent's memory, too
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return int(peak[1]) / 1024


@pytest.mark.full
def test_frames_of_videos_are_scored_by_lesion_and_patient_too(package: Path, tmp_path: Path, capsys):
    for name, left in (("a", 10), ("b", 30)):
        frame_folder(tmp_path / name, [picture(square(left), seed=left + number) for number in range(2)])
    (tmp_path / "videos.csv").write_text("video,label,patient_id\na,benign,p1\nb,malignant,p2\n")
    (tmp_path / "boxes.csv").write_text("video,frame,y_start,x_start,y_stop,x_stop\na,1,20,10,36,26\nb,0,0,0,9,9\n")
    out = tmp_path / "out"
    words = ["evaluate", "--model", str(package), "--data", f"frames:{tmp_path / 'videos.csv'}", "--out", str(out)]
    assert main(words) == 0
    assert "2 videos, by lesion and patient:\n  lesions found " in capsys.readouterr().out
    scores = json.loads((out / "videos.json").read_text("utf-8"))
    assert [(row["video"], row["found"]) for row in scores["lesions"]] == [("frames/a", True), ("frames/b", False)]
    assert [row["patient"] for row in scores["patients"]] == ["frames/p1", "frames/p2"]
