"""A run that was killed at any write ends, resumed, with the weights and tables of an uninterrupted one."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.services.kill_states import KillStates, kill_states

from bustle.cli.main import main
from bustle.core.recipe import Recipe, Track, load_recipe
from bustle.core.types import Case, Collection
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.phantom.volume_dataset import write_volume_set
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold, Splits
from bustle.experiments import run_summary, scored_method
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.train import run_training

TINY = Path(__file__).parents[1] / "training" / "tiny.yaml"
FAST = ("training.monitor=loss", "training.epochs=2", "training.batch_size=2", "data.size=[32, 32]")
STAGES = (
    "data.located_fraction=0.5",
    "training.ema_decay=null",
    "stages=[{name: located, cases: located, set: {training.epochs: 1}}, {name: all, set: {training.epochs: 2}}]",
)
VOLUME = ("data.size=[32, 32, 32]", "model.config.width=4", "training.epochs=2", "training.batch_size=2")

Train = Callable[..., None]


@pytest.fixture(autouse=True)
def quick_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and intervals take most of the time of a tiny run, and are made anew by every scoring."""
    for module, name in ((run_summary, "write_run_page"), (scored_method, "write_evaluation_page")):
        monkeypatch.setattr(module, name, lambda path, *_, **__: path.write_text("page"))
        monkeypatch.setattr(module, "gallery_pictures", lambda *_, **__: ())
    monkeypatch.setattr(run_summary, "RESAMPLES", 10)
    monkeypatch.setitem(scored_method.score_method.__kwdefaults__, "resamples", 10)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_set(folder, cases=9, seed=0, size=32)
    return folder


def training(recipe: Recipe, *, spec: str, track: Track, protocol: str) -> Train:
    """Train such a recipe into a folder: half of the cases, then a validation and a test part."""
    cases = open_sources([spec]).cases
    ids = _classes_in_turn(cases)
    half = len(ids) // 2
    fold = Fold(tuple(ids[:half]), tuple(ids[half : half + 2]) if track == "strict" else (), tuple(ids[half + 2 :]))
    chosen = protocol if track == "published" else "strict"
    made = Splits(track, chosen, 0, (fold,), (), {name: name for name in ids})
    split = SplitChoice(track=track, published_protocol=protocol, made=made)

    def train(out: Path, *, resume: bool = False) -> None:
        run_training(
            recipe, load_data=lambda: Collection(cases, ()), out=out, split=split, resume=resume, device="cpu"
        )

    return train


def _classes_in_turn(cases: Sequence[Case]) -> list[str]:
    """The ids of the first case of every class, then of the second, so that a few cases hold every class."""
    before: Counter[str | None] = Counter()
    turn = {}
    for case in cases:
        turn[case.case_id] = before[case.label]
        before[case.label] += 1
    return sorted(turn, key=lambda case_id: turn[case_id])


def of_kind(kind: str, phantoms: Path) -> Train:
    if kind == "volumes":
        recipe = load_recipe("cms_vnet_iter_cpu", overrides=VOLUME)
        write_volume_set(phantoms / "volumes", volumes=6, seed=0, coarse=16)
        return training(recipe, spec=f"folder:{phantoms / 'volumes'}", track="published", protocol="abus")
    recipe = load_recipe(str(TINY), overrides=(*FAST, *(STAGES if kind == "stages" else ())))
    track: Track = "strict" if kind == "strict" else "published"
    return training(recipe, spec=f"folder:{phantoms}", track=track, protocol="rmtl")


def outcome(run: Path) -> dict[str, Any]:
    """Weights, tables, scores and predictions of a run, without times and what says when and where it was made."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.name == "metrics.csv":
            with path.open(newline="") as table:
                found[name] = [{**row, "seconds": None} for row in csv.DictReader(table)]
        elif path.name in ("best.safetensors", "recipe.yaml", "splits.json") or path.suffix in (
            ".csv",
            ".png",
            ".nrrd",
        ):
            found[name] = path.read_bytes()
        elif path.suffix == ".json" and path.name != "provenance.json":
            found[name] = without_circumstances(json.loads(path.read_text()))
    return found


def without_circumstances(value: Any) -> Any:
    if isinstance(value, dict):
        kept = value.keys() - {"provenance", "training_seconds"}
        return {key: without_circumstances(value[key]) for key in kept}
    return [without_circumstances(entry) for entry in value] if isinstance(value, list) else value


def resumed_from(states: KillStates, numbers: Sequence[int], *, train: Train, folder: Path) -> list[str]:
    """The moments after which a resumed run ends otherwise, and how."""
    right, wrong = outcome(states.run), []
    for number in numbers:
        out = states.restored(number, folder / str(number))
        try:
            train(out, resume=True)
        except Exception as error:
            wrong.append(f"{states.moments[number]}: {type(error).__name__}: {error}")
            continue
        found = outcome(out)
        different = sorted(name for name in found.keys() | right.keys() if found.get(name) != right.get(name))
        hidden = sorted(path.name for path in out.rglob(".*"))
        if different or hidden:
            wrong.append(f"{states.moments[number]}: differs in {different}, leaves {hidden}")
    return wrong


def test_a_published_run_is_resumed_after_a_kill_at_any_kind_of_write(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = of_kind("published", phantoms)
    with kill_states(tmp_path / "run", tmp_path / "states") as states:
        train(tmp_path / "run")
    chosen = [
        *states.at("made .recipe.yaml.yaml"),
        *states.at("renamed recipe.yaml"),
        states.at("renamed provenance.json")[0],
        states.at("renamed fold-0/best.safetensors")[0],
        *states.at("renamed fold-0/checkpoints/last.ckpt"),  # the second is of the last epoch
        states.at("renamed fold-0/metrics.csv")[-1],
        states.at("written fold-0/checkpoints/.last.ckpt.ckpt")[-1],
        states.at("renamed fold-0/predictions/.*/mask.png")[0],
        *states.at("renamed fold-0/cases.csv"),
        *states.at("renamed fold-0/metrics.json"),
        *states.at("renamed summary.json"),
    ]
    assert len(set(chosen)) == 12
    assert resumed_from(states, chosen, train=train, folder=tmp_path / "resumed") == []
    with_summary = states.copies / str(chosen[-1])
    assert (with_summary / "reliability.json").exists()
    assert (with_summary / "report.html").exists()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_summary, "write_reliability", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", resume=True)
    assert not (tmp_path / "run/summary.json").exists()


@pytest.mark.full
@pytest.mark.parametrize("kind", ["published", "strict", "stages", "volumes"])
def test_a_run_is_resumed_after_a_kill_at_every_write(kind: str, phantoms: Path, tmp_path: Path) -> None:
    train = of_kind(kind, phantoms)
    with kill_states(tmp_path / "run", tmp_path / "states") as states:
        train(tmp_path / "run")
    assert len(states.moments) > 60
    every = range(len(states.moments))
    assert resumed_from(states, every, train=train, folder=tmp_path / "resumed") == []


def command(phantoms: Path, out: Path) -> list[str]:
    words = [
        "train",
        str(TINY),
        "--data",
        f"folder:{phantoms}",
        "--track",
        "published",
        "--folds",
        "2",
        "--fold",
        "0",
    ]
    return [*words, "--out", str(out), "--device", "cpu", "--set", *FAST]


def started(words: Sequence[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-m", "bustle", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.full
def test_a_command_that_is_really_killed_is_resumed(phantoms: Path, tmp_path: Path) -> None:
    assert main(command(phantoms, tmp_path / "whole")) == 0
    for written in ("recipe.yaml", "fold-0/checkpoints/last.ckpt", "fold-0/cases.csv"):
        out = tmp_path / Path(written).stem
        with started(command(phantoms, out)) as process:
            while not (out / written).exists():
                assert process.poll() is None, f"it ended before it wrote {written}"
                time.sleep(0.002)
            process.kill()
        assert main([*command(phantoms, out), "--resume"]) == 0
        assert outcome(out) == outcome(tmp_path / "whole"), written
        assert not list(out.rglob(".*"))


@pytest.mark.full
def test_of_two_trainings_at_once_the_second_is_refused(phantoms: Path, tmp_path: Path) -> None:
    first, second = (started([*command(phantoms, tmp_path / "run"), f"training.seed={seed}"]) for seed in (1, 2))
    errors = [process.communicate()[1] for process in (first, second)]
    assert sorted([first.returncode, second.returncode]) == [0, 2]
    refused = errors[[first.returncode, second.returncode].index(2)]
    assert "another bustle command is writing there" in refused or "is not empty" in refused
