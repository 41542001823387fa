"""The page of the papers' tables and figures: all that is printed and nothing unknown is in it, and it runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.scripts import script

from bustle.core.errors import InputError
from bustle.core.published import load_published
from bustle.core.recipe import load_protocol, load_recipe, recipe_ids, setting_ids
from bustle.experiments.reproduction.catalogue import Block, recipes_of_row, sections
from bustle.models.zoo import resolve

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    return script("generate_reproduce_page")


@pytest.fixture(scope="module")
def trial() -> ModuleType:
    return script("try_reproduction_commands")


def test_the_page_is_current(page: ModuleType) -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.render(), "run scripts/generate_reproduce_page.py"


def test_what_was_tried_still_stands_on_the_page(page: ModuleType, trial: ModuleType) -> None:
    tried = page.TRIED.read_text(encoding="utf-8").splitlines()
    assert tried == [line for line in map(shlex.join, trial.commands()) if line in tried], "remove what is no more"


def test_what_was_tried_is_counted(page: ModuleType) -> None:
    apart = [["bustle train a --out runs/a"], ['bustle predict "x/*.png" --model runs/a/fold-0']]
    tried = {"bustle train a --out runs/a"}
    assert page._of_tried(apart, tried=tried) == "1 of its 2 commands were tried."
    tried |= {"bustle predict 'x/*.png' --model runs/a/fold-0"}
    assert page._of_tried(apart, tried=tried) == "All its 2 commands were tried."


def test_every_printed_table_has_a_command() -> None:
    told = {(section.paper, table) for section in sections() for block in section.blocks for table in block.tables}
    assert told == {(row.paper, row.table) for row in load_published()}


def test_recipes_of_the_systems_that_no_command_trains_are_named(page: ModuleType) -> None:
    beside = page.beside_the_tables()
    assert {"rmtl_net/cbam", "rmtl_net/se", "la_net_cpu", "acsnet/released"} <= set(beside)
    assert not {"rmtl_net", "rmtl_net/mtl-net", "rmtl_net/parity"} & set(beside), "trained, or shown"


def test_a_printed_row_without_a_recipe_is_an_error() -> None:
    row = next(row for row in load_published() if row.method == "MTL-COSA")
    with pytest.raises(LookupError, match="no recipe of 'Short' is MTL-COSA"):
        recipes_of_row(row, Block(title="Short", recipes=("rmtl_net", "rmtl_net/mtl-net")))


def test_every_recipe_setting_and_protocol_that_is_named_exists(trial: ModuleType) -> None:
    known = recipe_ids(ablations=True)
    trained = [words for words in trial.commands() if words[1] == "train"]
    shown = [words[3] for words in trial.commands() if words[1] == "models"]
    names = [words[2] for words in trained] + shown
    assert len(trained) > 80
    assert [name for name in names if name.partition("@")[0] not in known] == []
    assert {name.partition("@")[2] for name in names} <= {"", *setting_ids()}
    assert {load_protocol(words[words.index("--protocol") + 1]).id for words in trained}


def test_what_is_compared_and_drawn_is_trained_before(trial: ModuleType) -> None:
    trained = set()
    for words in trial.commands():
        if words[1] == "train":
            trained.add(words[-1])
        if words[1] in ("compare", "evaluate", "predict"):
            named = [word.removesuffix("/fold-0") for word in words if word.startswith("runs/")]
            assert [run for run in named if run not in trained] == []
            assert named


def test_the_small_form_knows_every_data_set_of_the_page(trial: ModuleType) -> None:
    for words in trial.commands():
        if "--data" in words:
            first = words.index("--data") + 1
            specs = words[first : next(n for n in range(first, len(words)) if words[n].startswith("--"))]
            assert [spec for spec in specs if spec not in trial.SMALL] == []


@pytest.mark.parametrize("name", ["rmtl_net", "la_net/located-25", "unet/ctg", "cms_vnet_iter"])
def test_the_small_form_is_a_recipe_of_one_step_and_a_smaller_network(trial: ModuleType, name: str) -> None:
    small = load_recipe(name, overrides=trial._little_training(name))
    assert small.model.encoder_weights is None
    assert (small.training.epochs, small.training.batch_size) == (1, 32)
    assert resolve(small).config != resolve(load_recipe(name)).config


def test_the_untried_are_run_with_the_trainings_that_they_need(trial: ModuleType) -> None:
    train, other = (["bustle", "train", "--out", out] for out in "ab")
    compare = ["bustle", "compare", "a/fold-0", "--out", "c"]
    done = [shlex.join(train), shlex.join(other)]
    assert trial.wanted([train, other, compare], done=done) == [train, compare]
    assert trial.wanted([train, other, compare]) == [train, other, compare]
    assert trial.wanted([train, other, compare], only="out b") == [other]


def test_a_command_that_fails_is_told_and_an_interrupt_ends_the_trial(
    trial: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not trial.runs(["train", "no-such-recipe", "--data", "phantom:", "--out", "x"])
    assert "no-such-recipe" in capsys.readouterr().err

    def interrupted(_: list[str]) -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise InputError("training was interrupted in epoch 1", remedy="go on") from None

    monkeypatch.setattr(trial, "bustle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trial.runs(["train"])


@pytest.mark.full
def test_every_command_of_the_page_runs(tmp_path: Path) -> None:
    program = ROOT / "scripts" / "try_reproduction_commands.py"
    done = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
