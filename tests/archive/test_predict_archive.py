"""Archives: each different content once, what fails is told and tried again, and what is done stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet
from tests.archive.made_archive import answer, rows_of, write_images, write_manifest
from tests.inference.hand_made_package import scene, write_package
from tests.io.made_videos import write_video

from bustle.archive import division
from bustle.archive.layout import digests_of, parts_of
from bustle.archive.predict_archive import parts_for, predict_archive
from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.experiments.engines.engine import LocalEngine, Shown
from bustle.inference.predictor import Predictor
from bustle.io.raster import read_mask, write_png
from bustle.reading.clip import Clip


def test_the_rows_hold_what_predict_writes_of_each_image(predictor: Predictor, tmp_path: Path):
    names = write_images(tmp_path, [64, 90])
    answer(predictor, write_manifest(tmp_path, names))
    model = ["--model", str(predictor.path), "--out", str(tmp_path / "files")]
    assert main(["predict", *(str(tmp_path / name) for name in names), *model]) == 0
    contents = {row["sha256"]: Path(row["image"]).stem for row in rows_of(tmp_path, "contents")}
    rows, masks = rows_of(tmp_path), {row["sha256"]: row["png"] for row in rows_of(tmp_path, "masks")}
    assert len(rows) == 2
    for row in rows:
        folder = tmp_path / "files" / contents[row["sha256"]]
        record = json.loads((folder / "prediction.json").read_text())
        assert row["decision"] == record["decision"]
        assert row["probability_malignant"] == record["class_probabilities"]["malignant"]
        assert (row["image_height"], row["image_width"]) == tuple(record["image_size"])
        lesion = record["lesions"][0]
        assert (row["area"], row["long_axis"]) == (lesion["area"], lesion["long_axis"])
        assert row["descriptor_circularity"] == lesion["descriptors"]["values"]["circularity"]
        (tmp_path / "mask.png").write_bytes(masks[row["sha256"]])
        assert np.array_equal(read_mask(tmp_path / "mask.png"), read_mask(folder / "mask.png"))


def test_copies_are_answered_once_and_one_bad_file_stops_nothing(predictor: Predictor, tmp_path: Path):
    first, second = write_images(tmp_path, [64, 70])
    shutil.copy(tmp_path / first, tmp_path / "copy.png")
    (tmp_path / "text.png").write_text("no picture")
    manifest = write_manifest(tmp_path, [first, "absent.png", "copy.png", "", "text.png", first, second])
    summary, contents = answer(predictor, manifest)
    assert (summary.rows, summary.unread, summary.copies, summary.contents, summary.failed) == (7, 2, 2, 3, 1)
    assert contents == 3
    assert sum(summary.decisions.values()) == 2
    told = [row["problem"] for row in rows_of(tmp_path) + rows_of(tmp_path, "contents") if row["problem"]]
    assert len(told) == 3
    assert not any("absent" in text or "text.png" in text for text in told)  # a name may be a patient's


def test_what_is_done_stays_and_what_is_new_or_failed_is_done(predictor: Predictor, tmp_path: Path):
    names = write_images(tmp_path, [64, 70])
    (tmp_path / "late.png").write_text("on its way")
    answer(predictor, write_manifest(tmp_path, [*names, "late.png"]))
    before = {row["sha256"]: row for row in rows_of(tmp_path) if row["problem"] is None}
    write_png(tmp_path / "late.png", scene(80, 80))
    grown = write_manifest(tmp_path, [*names, "late.png", *write_images(tmp_path, [100])])
    shutil.rmtree(tmp_path / "out" / "contents")  # as the message about a changed file says
    summary, _ = answer(predictor, grown, resume=True)
    assert summary.contents == 4
    assert summary.is_complete
    after = {row["sha256"]: row for row in rows_of(tmp_path)}
    assert before.items() <= after.items()
    _, contents = answer(predictor, grown, resume=True)
    assert contents == 0
    assert {row["sha256"]: row for row in rows_of(tmp_path)} == after


def test_a_file_that_came_back_is_found_by_resume(predictor: Predictor, tmp_path: Path):
    names = write_images(tmp_path, [64])
    manifest = write_manifest(tmp_path, [*names, "70.png"])
    assert answer(predictor, manifest)[0].unread == 1
    write_images(tmp_path, [70])
    assert answer(predictor, manifest, resume=True)[0].is_complete


def test_a_kill_between_parts_costs_only_the_part(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bustle.archive.predict_archive.CONTENTS_PER_PART", 1)
    manifest = write_manifest(tmp_path, write_images(tmp_path, range(64, 72)))

    class Killed(LocalEngine):
        def run(self, work: Any, tasks: Iterable[Any], *, shown: Shown) -> None:
            for i, task in enumerate(tasks):
                if shown.description == "answer" and i == 2:
                    raise KeyboardInterrupt
                work(task)

    with pytest.raises(KeyboardInterrupt):
        predict_archive(lambda: predictor, manifest, tmp_path / "out", engine=Killed())
    done = {row["sha256"] for row in rows_of(tmp_path)}
    assert 0 < len(done) < 8
    summary, contents = answer(predictor, manifest, resume=True)
    assert summary.is_complete
    assert summary.contents == 8
    assert contents == 8 - len(done)
    assert len(rows_of(tmp_path)) == 8


def test_the_answers_of_an_archive_that_grows_are_divided_into_more_parts(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bustle.archive.predict_archive.CONTENTS_PER_PART", 1)
    names = write_images(tmp_path, range(64, 70))
    answer(predictor, write_manifest(tmp_path, names[:3]))
    before = {row["sha256"]: row for row in rows_of(tmp_path)}
    assert stored_settings(tmp_path)["parts"] == 3
    grown = write_manifest(tmp_path, names)
    for name in names[:3]:
        (tmp_path / name).unlink()
    whole = division.write_table

    def write_table(path: Path, table: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        whole(path, table)

    monkeypatch.setattr(division, "write_table", write_table)
    for writes in (1, 2):  # each resume dies later, with what the one before has left
        left = iter(range(writes))
        with pytest.raises(KeyboardInterrupt):
            answer(predictor, grown, resume=True)
    monkeypatch.setattr(division, "write_table", whole)
    summary, _ = answer(predictor, grown, resume=True)
    assert (summary.contents, summary.failed) == (6, 0), "what was answered is not asked again"
    assert stored_settings(tmp_path)["parts"] == 6
    for kind in ("answers", "masks"):
        stored = [
            (row["sha256"], number) for number in range(6) for row in rows_of(tmp_path, kind, f"part-{number:06d}")
        ]
        sha256, numbers = zip(*stored, strict=True)
        assert len(set(sha256)) == len(sha256) == 6
        assert tuple(parts_of(digests_of(sha256), 6)) == numbers
    assert before.items() <= {row["sha256"]: row for row in rows_of(tmp_path)}.items()


def stored_settings(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "archive.json").read_text())


@pytest.mark.parametrize("stage", ["list", "answer"])
def test_a_folder_that_not_all_machines_see_is_told(predictor: Predictor, tmp_path: Path, stage: str):
    class Elsewhere(LocalEngine):
        def run(self, work: Any, tasks: Iterable[Any], *, shown: Shown) -> None:
            super().run(replace(work, out=tmp_path) if shown.description == stage else work, tasks, shown=shown)

    manifest = write_manifest(tmp_path, write_images(tmp_path, [64]))
    with pytest.raises(InputError, match="not all machines") as raised:
        predict_archive(lambda: predictor, manifest, tmp_path / "out", engine=Elsewhere())
    assert raised.value.path == tmp_path / "out"
    assert "--out on a disk that they share" in raised.value.remedy


def test_every_table_of_answers_names_the_model_and_those_that_do_not_yet_are_kept(
    predictor: Predictor, tmp_path: Path
):
    names = write_images(tmp_path, [64, 70])
    answer(predictor, write_manifest(tmp_path, names[:1]))
    files = [tmp_path / "out" / kind / "part-000000.parquet" for kind in ("answers", "masks")]
    provenance = stored_settings(tmp_path)["provenance"]
    assert [model_of(file) for file in files] == [provenance, provenance]
    before = rows_of(tmp_path)
    for file in files:  # as they were before they named the model
        parquet.write_table(parquet.read_table(file).replace_schema_metadata(), file)
    (tmp_path / names[0]).unlink()
    answer(predictor, write_manifest(tmp_path, names), resume=True)
    assert all(row in rows_of(tmp_path) for row in before)
    assert [model_of(file) for file in files] == [provenance, provenance]


def model_of(file: Path) -> dict[str, Any]:
    return json.loads(parquet.read_schema(file).metadata[b"provenance"])


def test_answers_of_another_model_are_not_mixed(predictor: Predictor, tmp_path: Path):
    manifest = write_manifest(tmp_path, write_images(tmp_path, [64]))
    answer(predictor, manifest)
    other = Predictor.open(write_package(tmp_path / "other.bustle", changes={"network": "another"}), device="cpu")
    with pytest.raises(InputError, match="another model"):
        answer(other, manifest, resume=True)


@pytest.mark.parametrize(
    ("contents", "parts"),
    [(0, 1), (640, 10), (200_000, 3_125), (1_000_000, 4_096), (10_000_000, 25_000), (100_000_000, 250_000)],
)
def test_a_part_is_at_most_a_minutes_work(contents: int, parts: int):
    assert parts_for(contents) == parts
    assert contents <= 400 * parts


@pytest.mark.parametrize(
    ("damaged", "failed", "kinds"), [({1, 2}, 0, {"frame", "clip", None}), (range(4), 1, {None})]
)
def test_frames_that_cannot_be_read_are_counted(
    predictor: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damaged: Sequence[int],
    failed: int,
    kinds: set[str | None],
):
    whole = Clip.frame

    def frame(clip: Clip, number: int) -> Any:
        if number in damaged:
            raise InputError(f"frame {number} is damaged", remedy="restore the file")
        return whole(clip, number)

    monkeypatch.setattr(Clip, "frame", frame)
    video = write_video(tmp_path / "clip.avi", frames=4)
    summary, _ = answer(predictor, write_manifest(tmp_path, [video.name]))
    assert (summary.frames, summary.unread_frames, summary.failed) == (4, len(damaged), failed)
    assert not summary.is_complete
    assert {row["kind"] for row in rows_of(tmp_path)} == kinds


def test_a_clip_has_a_row_a_frame_and_one_of_its_own(predictor: Predictor, tmp_path: Path):
    video = write_video(tmp_path / "clip.avi", frames=4)
    answer(predictor, write_manifest(tmp_path, [video.name]))
    rows = rows_of(tmp_path)
    assert [row["frame"] for row in rows if row["kind"] == "frame" and row["lesion"] in (None, 1)] == [0, 1, 2, 3]
    (clip,) = (row for row in rows if row["kind"] == "clip")
    assert main(["predict", str(video), "--model", str(predictor.path), "--out", str(tmp_path / "files")]) == 0
    told = json.loads((tmp_path / "files" / "clip" / "clip.json").read_text())["answer"]
    assert (clip["frames"], clip["lesions"]) == (told["frames"], len(told["lesions"]))
    assert clip["decision"] == told["verdict"]["decision"]
