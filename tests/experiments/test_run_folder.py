"""What `--resume` begins anew, and what it would lose and therefore leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.cli.main import main
from bustle.core.claimed_output import claim_folder
from bustle.core.learning_curve import write_learning_curve
from bustle.core.recipe import load_recipe
from bustle.core.run_layout import RunLayout
from bustle.core.run_provenance import MeasuredForm, MeasuredMemoryFormat, MeasuredPrecision, read_run_provenance
from bustle.experiments.own_outputs import RUN
from bustle.experiments.run_folder import check_run_folder
from bustle.models import zoo
from bustle.models.weight_file import write_weights
from bustle.training import fastest_form
from bustle.training import run as training_run

pytestmark = pytest.mark.usefixtures("module_without_plots")

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"


def begun(folder: Path, *, epochs: int) -> RunLayout:
    """A run whose checkpoint is not there."""
    run = RunLayout(folder)
    fold = run.fold(0)
    fold.path.mkdir(parents=True)
    run.recipe.write_bytes(RECIPE.read_bytes())
    run.provenance.write_text("{}")
    fold.weights.write_bytes(b"weights")
    write_learning_curve(fold.history, [{"epoch": number + 1, "seconds": 1.0} for number in range(epochs)])
    return run


def test_what_a_kill_in_the_first_epoch_leaves_is_begun_anew(tmp_path: Path):
    run = begun(tmp_path / "run", epochs=1)
    with claim_folder(run.path, RUN) as claim:
        assert check_run_folder(claim, resume=True) is False
    run.fold(0).history.write_text("epoch,sec")
    with claim_folder(run.path, RUN) as claim:
        assert check_run_folder(claim, resume=True) is False


def test_weights_of_several_epochs_are_not_lost_with_their_checkpoint(tmp_path: Path, capsys):
    run = begun(tmp_path / "run", epochs=3)
    words = ["train", str(RECIPE), "--data", "phantom:?cases=8&size=64", "--out", str(run.path), "--resume"]
    assert main([*words, "--set", "training.epochs=1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds fold-0, trained for several epochs, without its checkpoint or its results" in line
    assert run.fold(0).weights.read_bytes() == b"weights"


def test_weights_to_start_from_are_not_removed_before(tmp_path: Path, capsys):
    run = begun(tmp_path / "run", epochs=1)
    network = zoo.resolve(load_recipe(str(RECIPE))).build()
    write_weights(run.fold(0).weights, network.state_dict())
    words = ["train", str(RECIPE), "--data", "phantom:?cases=8&size=64", "--out", str(run.path), "--resume"]
    assert main([*words, "--holdout", "0.5", "--init", str(run.fold(0).weights)]) == 2
    assert "best.safetensors: lies in the folder" in capsys.readouterr().err.splitlines()[-1]
    assert run.fold(0).weights.exists()


def test_a_resumed_run_keeps_the_form_that_its_machine_chose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    chosen = MeasuredForm(
        precision=MeasuredPrecision(chosen="bf16", timed="network", seconds={"fp32": 2.0, "bf16": 1.0}),
        memory_format=MeasuredMemoryFormat(chosen="contiguous", seconds={"channels_last": 2.0, "contiguous": 1.0}),
    )
    monkeypatch.setattr(fastest_form, "fastest_form", lambda recipe, device: chosen)
    run = RunLayout(tmp_path / "run")
    words = ["train", str(RECIPE), "--data", "phantom:?cases=8&size=64", "--out", str(run.path), "--holdout", "0.5"]
    words += ["--set", "training.epochs=1", "training.precision=auto", "training.channels_last=auto"]
    assert main(words) == 0
    recorded = read_run_provenance(run.provenance)
    assert (recorded.precision, recorded.memory_format) == (chosen.precision, chosen.memory_format)
    assert load_recipe(str(run.recipe)).training.precision == "auto"

    monkeypatch.setattr(fastest_form, "fastest_form", None)  # another machine may be faster otherwise
    used, train_fold = [], training_run.train_fold
    monkeypatch.setattr(
        training_run,
        "train_fold",
        lambda recipe, **rest: used.append(recipe.training) or train_fold(recipe, **rest),
    )
    assert main([*words, "--resume"]) == 0
    assert [(training.precision, training.channels_last) for training in used] == [("bf16", False)]
