"""Every file of a run that is read back, damaged in every way: a result, or one line that names the file."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from tests.experiments.made_run import write_run

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.core.run_layout import RunLayout
from bustle.core.run_provenance import read_run_provenance
from bustle.evaluation.result_files import read_run
from bustle.experiments.add_result import add_result
from bustle.experiments.compare import compare_runs
from bustle.experiments.scored_fold import read_scored, read_training
from bustle.experiments.training_overlap import training_overlap
from bustle.models.weight_file import write_weights
from bustle.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bustle.training.determinism import random_state
from bustle.training.selection import SelectionState

FILES = (
    "recipe.yaml",
    "splits.json",
    "provenance.json",
    "summary.json",
    "fold-0/metrics.csv",
    "fold-0/stages/located/metrics.csv",
    "fold-0/cases.csv",
    "fold-0/cases_published.csv",
    "fold-0/metrics.json",
    "fold-0/metrics_published.json",
    "fold-0/detected.json",
    "fold-0/best.safetensors",
    "fold-0/checkpoints/last.ckpt",
)
VALUES = (None, True, -1, 0, 1e300, 10**30, float("nan"), "", "soon", "\ud800", [], {}, [[]], {"": None}, [None, 1])
ADVICE_THAT_DESTROYS = re.compile(r"\b(delete|remove|erase|clear)\b")
CELLS = ("", "nan", "inf", "-1", "1e300", "9" * 400, "soon", '"', "\x00", "0.5,0.5", "\n")


def finished_run(path: Path) -> RunLayout:
    """Two folds, with weights and the checkpoint of three epochs, of a network of one layer."""
    write_run(path)
    run = RunLayout(path)
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for fold in run.folds():
        write_weights(fold.weights, network.state_dict(), metadata={"epoch": "2"})
        checkpoint = Checkpoint(
            network=network.state_dict(),
            average=None,
            loss={},
            optimizer=optimizer.state_dict(),
            precision={},
            finished=True,
            epoch=3,
            selection=SelectionState(0.5, 2, 3),
            random_state=random_state(),
            history=tuple({"epoch": epoch, "train_loss": 1 / epoch, "seconds": 0.5} for epoch in (1, 2, 3)),
        )
        write_checkpoint(fold.checkpoint, checkpoint)
    return run


def emptied(content: bytes, random: Random) -> bytes:
    return b""


def cut_off(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def flipped(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 3, 30))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def repeated(content: bytes, random: Random) -> bytes:
    start, length = random.randrange(len(content)), random.randrange(200)
    return content[: start + length] + content[start:]


def of_another_type(content: bytes, random: Random) -> bytes:
    """A value, at any depth, becomes another or goes; of a table, a cell."""
    try:
        value = json.loads(content)
    except ValueError:
        return with_another_cell(content, random)
    where, key = random.choice(list(_places(value)))
    if random.random() < 0.2:
        del where[key]
    else:
        where[key] = random.choice(VALUES)
    return json.dumps(value).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


def with_another_cell(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    row = random.randrange(len(lines))
    cells = lines[row].split(b",")
    cells[random.randrange(len(cells))] = random.choice(CELLS).encode()
    lines[row] = b",".join(cells)
    return b"\n".join(lines)


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (emptied, cut_off, flipped, flipped, repeated)
MUTATIONS += (of_another_type,) * 4


def checked(path: Path, use: Callable[[], object]) -> None:
    """Use what stands in the run's folder; what is said of it is one line that names a file there."""
    try:
        use()
    except InputError as error:
        text = str(error)
        assert "\n" not in text
        assert str(path) in text, "no file is named"
        assert not ADVICE_THAT_DESTROYS.search(text)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("finished") / "reference").path


def damage_and_use(name: str, *, seeds: range, reference: Path, folder: Path) -> None:
    run = RunLayout(Path(shutil.copytree(reference, folder / "run")))
    kept, compared = folder / "kept", folder / "compared"
    read = reader_of(name, run)
    read()
    path = run.path / name
    content = path.read_bytes()
    for seed in seeds:
        random = Random(f"{name} {seed}")
        mutation = MUTATIONS[seed % len(MUTATIONS)]
        path.write_bytes(mutation(content, random))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # numbers that overflowed
            try:
                checked(run.path, read)
                if seed % 36 == 5:
                    checked(run.path, lambda: add_result(run.path, to=kept))
                    checked(run.path, lambda: compare_runs([reference, run.path], out=compared, resamples=2))
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}, {mutation.__name__}") from error


def reader_of(name: str, run: RunLayout) -> Callable[[], object]:
    fold = run.fold(0)
    readers: dict[str, Callable[[], object]] = {
        "recipe.yaml": lambda: load_recipe(str(run.recipe)),
        "splits.json": lambda: training_overlap(fold.path, ()),
        "provenance.json": lambda: read_run_provenance(run.provenance),
        "summary.json": lambda: read_run(run.summary),
        "fold-0/checkpoints/last.ckpt": lambda: read_checkpoint(fold.checkpoint),
        "fold-0/best.safetensors": lambda: read_training(fold),
        "fold-0/metrics.csv": lambda: read_training(fold),
        "fold-0/stages/located/metrics.csv": lambda: read_training(fold),
        "fold-0/cases_published.csv": lambda: read_scored(fold.companion("published")),
        "fold-0/metrics_published.json": lambda: read_scored(fold.companion("published")),
    }
    return readers.get(name, lambda: read_scored(fold.main))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_said_to_be_so_and_its_removal_is_not_advised(
    name: str, reference: Path, tmp_path: Path
) -> None:
    run = RunLayout(Path(shutil.copytree(reference, tmp_path / "run")))
    (run.path / name).unlink()
    (run.path / name).mkdir()  # opening it fails, as of a file without permission
    with pytest.raises(InputError, match=r"cannot be read|is not a readable safetensors file") as caught:
        reader_of(name, run)()
    assert str(run.path / name) in str(caught.value)
    assert not ADVICE_THAT_DESTROYS.search(str(caught.value))


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_run_is_a_result_or_one_line(name: str, reference: Path, tmp_path: Path) -> None:
    damage_and_use(name, seeds=range(36), reference=reference, folder=tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_run_damaged_ten_thousand_times_in_all(name: str, reference: Path, tmp_path: Path) -> None:
    damage_and_use(name, seeds=range(36, 36 + 10_000 // len(FILES) + 1), reference=reference, folder=tmp_path)
