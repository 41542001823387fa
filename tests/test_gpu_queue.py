"""The runs that wait for a GPU: each of their commands names what exists, and runs."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest
from benchmarks.__main__ import names
from tests.experiments.made_run import write_run
from tests.scripts import script

from bustle.cli.main import build_parser, main
from bustle.core.recipe import load_recipe
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.sources import check_specs
from bustle.experiments.reproduction.given_data import GivenData
from bustle.experiments.reproduction.items import find_items
from bustle.experiments.reproduction.runs import Settings, all_runs

queue = script("gpu_queue")
ENTRIES = queue.entries()


@pytest.fixture
def cargo(tmp_path: Path) -> Path:
    """Where the data is; nothing of it is read."""
    for source in ("busi", "bus-bra"):
        (tmp_path / "cargo" / source).mkdir(parents=True)
    return tmp_path / "cargo"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_names_recipes_data_and_options_that_exist(name: str, cargo: Path, tmp_path: Path) -> None:
    for words in ENTRIES[name].words(data=cargo, out=tmp_path):
        if words[:3] == queue.BENCHMARK:
            assert words[3] in names()
            overrides = queue.without(words, "--set")[1]
            load_recipe(queue.option(words, "--recipe"), overrides=overrides)
            continue
        parsed = build_parser(words[1]).parse_args([*words[1:], "--resume", "--time-budget", "9s"])
        assert parsed.out.is_relative_to(tmp_path)
        check_specs(parsed.data)
        if words[1] == "train":
            assert load_recipe(parsed.recipe, overrides=parsed.overrides)
            continue
        given = GivenData.of(parsed.data, stand_in=parsed.stand_in)
        settings = Settings(overrides=tuple(parsed.set))
        runs = all_runs(find_items(parsed.item), given, settings=settings)
        assert runs, "no row has its data"
        for recipe in {run.recipe for run in runs}:
            settings.recipe(recipe)


def test_the_page_of_the_queue_ticks_its_entries() -> None:
    page = (queue.QUEUE.parent / "QUEUE.md").read_text(encoding="utf-8")
    ticks = re.findall(r"^- \[[ x]\] (\S+)\. (.+)$", page, flags=re.MULTILINE)
    assert ticks == [(name, entry.title) for name, entry in ENTRIES.items()]


def test_only_what_the_time_allows_is_begun_and_failures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(queue, "_told", lambda words, log: ran.append(words) or 2)
    entry = queue.Entry(title="", commands=("bustle train a --out {out}/a", "python -m benchmarks b --json {out}/b"))
    about = {"data": tmp_path, "out": tmp_path / "out", "tiny": False, "after_each": lambda: None}
    assert queue.run(entry, seconds=0, **about) == ([], True)
    assert not ran
    (tmp_path / "out" / "b").touch()
    failed, stopped = queue.run(entry, seconds=99, **about)
    (command,) = failed
    assert command.startswith(f"python -m bustle train a --out {tmp_path}/out/a --resume --time-budget ")
    assert (len(ran), stopped) == (1, False)


def test_what_is_finished_is_left_out_and_what_others_begin_with_is_done_for_them(tmp_path: Path) -> None:
    start, heir = entry_words = queue.Entry(
        title="",
        commands=(
            "bustle train a --out {out}/start",
            "bustle train a --init {out}/start/fold-0/best.safetensors --out {out}/b",
        ),
    ).words(data=tmp_path, out=tmp_path)
    write_run(tmp_path / "start")
    assert not queue.is_done(start, beside=entry_words), "its weights may be elsewhere"
    write_run(tmp_path / "b")
    assert queue.is_done(heir, beside=entry_words)
    assert queue.is_done(start, beside=entry_words)
    (tmp_path / "b" / "fold-1" / "metrics.json").unlink()
    assert not queue.is_done(heir, beside=entry_words)
    assert queue.is_done([*heir, "--fold", "0"], beside=entry_words)


def test_figures_and_masks_come_back_and_weights_of_the_final_run_alone(tmp_path: Path) -> None:
    fold, out = "fold-0/predictions/busi/a", tmp_path / "runs" / "6"
    kept = ["log-1.txt", "run/metrics.json", f"run/{fold}/mask.png", "final/fold-0/best.safetensors"]
    left = [
        f"run/{fold}/overlay.png",
        "run/fold-0/best.safetensors",
        "final/fold-0/checkpoints/last.ckpt",
        "start/recipe.yaml",
    ]
    for name in (*kept, *left):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"x" * 99)
    queue.archive(out, tmp_path / "back", since=0.0)
    (part,) = (tmp_path / "back").iterdir()
    assert re.fullmatch(r"6-\d+\.tar\.gz\.000", part.name)
    with tarfile.open(part) as packed:
        assert sorted(packed.getnames()) == sorted(f"6/{name}" for name in kept)


@pytest.fixture(scope="module")
def small_cargo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of phantoms in the place of both data sets."""
    folder = tmp_path_factory.mktemp("queue")
    for seed, source in enumerate(("busi", "bus-bra")):
        write_phantom_set(folder / "phantoms" / source, cases=40, seed=seed, size=96)
    specs = [f"folder:{folder}/phantoms/{source}?name={source}" for source in ("busi", "bus-bra")]
    assert main(["data", "shrink", *specs, "--longest-side", "64", "--out", str(folder / "cargo")]) == 0
    return folder / "cargo"


@pytest.mark.full
@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_runs_in_its_tiny_form(name: str, small_cargo: Path, tmp_path: Path) -> None:
    about = {"data": small_cargo, "out": tmp_path / name, "seconds": 3600, "after_each": lambda: None}
    assert queue.run(ENTRIES[name], tiny=True, **about) == ([], False)
    figures = [*tmp_path.rglob("metrics.json"), *tmp_path.rglob("resnet*.json")]
    assert len(figures) >= len(
        {
            queue.option(words, "--out")
            for words in ENTRIES[name].words(data=small_cargo, out=tmp_path)
            if "--out" in words
        }
    )
