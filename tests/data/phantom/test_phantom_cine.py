"""Phantom cine loops: the scene changes smoothly, boxes fit the lesion, and the written set reads as generated."""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bustle.cli import data_phantom
from bustle.core.errors import InputError
from bustle.data.phantom.cases import anatomy_masks
from bustle.data.phantom.cine import (
    FEWEST_FRAMES,
    FRAMES_OF_SPECKLE,
    MOST_FRAMES,
    cine_anatomy,
    cine_boxes,
    cine_frame,
    plan_cine,
    plan_cines,
)
from bustle.data.phantom.cine_dataset import write_cine_set
from bustle.data.phantom.plan import plan_case
from bustle.data.relations.frame_features import frame_features
from bustle.data.relations.frame_match import COPY_CORRELATION, match_frames
from bustle.data.sources import open_sources


def test_plans() -> None:
    plans = plan_cines(100, seed=0)
    assert len({plan.video for plan in plans}) == 100
    label_of = {plan.patient_id: plan.patient.label for plan in plans}
    assert Counter(label_of.values()) == {"benign": 40, "malignant": 40}
    assert Counter(Counter(plan.patient_id for plan in plans).values()) == {1: 60, 2: 20}
    for start in range(0, 100, 5):  # the first two videos of every set show both classes
        assert {plan.patient.label for plan in plans[start : start + 2]} == {"benign", "malignant"}
    for plan in plans:
        assert FEWEST_FRAMES <= plan.frames <= MOST_FRAMES
        assert len(plan.boxed) == 1
        assert 0 <= plan.boxed[0] < plan.frames
    numbers = {plan_case(index, seed=0).patient.number for index in range(100)}
    assert numbers.isdisjoint(plan.patient.number for plan in plans)
    assert plan_cine(7, seed=0) == plans[7] != plan_cine(7, seed=1)


def test_the_scene_changes_smoothly() -> None:
    plan = plan_cine(0, seed=0)
    views = [cine_anatomy(plan, frame).view for frame in range(plan.frames)]
    for name, step in (("shift_mm", 1.0), ("compression", 0.01), ("slope", 0.02), ("lesion_scale", 0.12)):
        values = np.array([getattr(view, name) for view in views])
        assert 0 < np.abs(np.diff(values)).max() < step
    scales = [view.lesion_scale for view in views]
    assert max(scales) > 0.99
    assert max(scales[0], scales[-1]) < 0.9
    areas = [
        int((anatomy_masks(plan.patient, cine_anatomy(plan, f), size=96)[0] > 0).sum()) for f in range(plan.frames)
    ]
    assert min(areas) > 20
    assert max(areas) > 1.3 * min(areas)


def test_speckle_persists_for_some_frames_only() -> None:
    plan = plan_cine(0, seed=0)
    first, second, third, later = (
        frame_features(cine_frame(plan, frame).image) for frame in (0, 1, 2, 2 * FRAMES_OF_SPECKLE)
    )
    found = [match_frames(first, other) for other in (second, third, later)]
    assert all(match is not None for match in found)
    near, next_but_one, far = (match.speckle for match in found if match is not None)
    assert COPY_CORRELATION > near > 0.85
    assert near > next_but_one > far


def test_boxes_fit_the_lesions() -> None:
    for index in range(4):
        plan = plan_cine(index, seed=3)
        (frame,) = plan.boxed
        instances, _ = anatomy_masks(plan.patient, cine_anatomy(plan, frame), size=128)
        boxes = cine_boxes(plan, frame, size=128)
        assert boxes is not None
        assert len(boxes) == len(plan.patient.lesion_kinds)
        for number, box in enumerate(boxes, start=1):
            inside = np.zeros_like(instances, bool)
            inside[box.y_start : box.y_stop, box.x_start : box.x_stop] = True
            lesion = instances == number
            assert not (lesion & ~inside).any()
            cropped = lesion[box.y_start : box.y_stop, box.x_start : box.x_stop]
            assert all(edge.any() for edge in (cropped[0], cropped[-1], cropped[:, 0], cropped[:, -1]))
        assert cine_boxes(plan, (frame + 1) % plan.frames, size=128) is None


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match="negative"):
        plan_cine(0, seed=-1)
    with pytest.raises(InputError, match="cannot have 0 videos"):
        plan_cines(0, seed=0)
    with pytest.raises(InputError, match="32 to 1024"):
        cine_frame(plan_cine(0, seed=0), 0, size=16)
    with pytest.raises(IndexError):
        cine_frame(plan_cine(0, seed=0), 99)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "cine"
    write_cine_set(out, videos=2, seed=0, size=32)
    return out


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_frames_reader_gives_the_generated_samples_back(written: Path) -> None:
    stored = open_sources([f"frames:{written / 'videos.csv'}?name=phantom"])
    generated = open_sources(["phantom:?cine=2&seed=0&size=32"])
    assert stored.findings == generated.findings == ()
    assert len(stored.cases) == sum(plan.frames for plan in plan_cines(2, seed=0))
    for one, other in zip(stored.cases, generated.cases, strict=True):
        facts = [
            (c.case_id, c.patient_id, c.label, c.has_box, c.has_mask, c.spacing, c.video, c.frame)
            for c in (one, other)
        ]
        assert facts[0] == facts[1]
    boxed = [number for number, case in enumerate(stored.cases) if case.has_box]
    assert len(boxed) == 2
    for number in (0, 1, *boxed, -1):
        one, other = stored.cases[number].load(), pickle.loads(pickle.dumps(generated.cases[number])).load()
        np.testing.assert_array_equal(one.image, other.image)
        assert replace(one, image=other.image, provenance={}) == replace(other, provenance={})


def test_generated_frames_are_told_apart_by_their_metadata() -> None:
    specs = ["phantom:?cine=3", "phantom:?cine=3&seed=1&name=b", "phantom:?cine=3&size=64&name=c"]
    cases = open_sources(specs).cases
    assert len({json.dumps(dict(case.metadata), sort_keys=True) for case in cases}) == len(cases)
    assert not any(case.files for case in cases)
    with pytest.raises(InputError, match="both cases= and cine= are given"):
        open_sources(["phantom:?cine=3&cases=3"])
    with pytest.raises(InputError, match="'x' is no whole number for cine="):
        open_sources(["phantom:?cine=x"])


def test_a_stopped_run_continues_with_the_same_bytes(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(written, out)
    lost, *kept = sorted((out / "videos").rglob("*.png"))[::-1]
    for path in (lost, out / "videos.csv"):
        path.unlink()
    before = [path.stat().st_mtime_ns for path in kept]
    write_cine_set(out, videos=2, seed=0, size=32, workers=1)
    assert digests(out) == digests(written)
    assert [path.stat().st_mtime_ns for path in kept] == before
    with pytest.raises(InputError, match="other settings"):
        write_cine_set(out, videos=3, seed=0, size=32)


def test_command(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(written, tmp_path / "set")  # a finished set: nothing is left to make
    parser = argparse.ArgumentParser()
    data_phantom.add_arguments(parser)
    arguments = parser.parse_args(["--cine", "2", "--size", "32", "--out", str(tmp_path / "set")])
    assert data_phantom.run(arguments) == 0
    assert digests(tmp_path / "set") == digests(written)
    shown = capsys.readouterr().out
    assert "2 videos of 2 patients (1 benign, 1 malignant)" in shown
    assert "2 of them with boxes" in shown
    with pytest.raises(SystemExit):
        parser.parse_args(["--cine", "2", "--cases", "3", "--out", "x"])
