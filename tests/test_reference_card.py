"""The card of the model that comes with bustle, which says what its JSON files say."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scripts import script

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.inference.package import CARD, RECORD, Package, sealed

RESULTS = Path(__file__).resolve().parents[1] / "results"
GENERATOR = script("generate_reference_card")
PACKAGE = Package(GENERATOR.PACKAGE)


@pytest.fixture(scope="module")
def card() -> str:
    return (PACKAGE.path / CARD).read_text(encoding="utf-8")


def row_of(card: str, words: str) -> list[str]:
    (row,) = (line for line in card.splitlines() if line.startswith(f"| {words} |"))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def test_card_and_record_are_those_of_the_script(card: str):
    remedy = "run scripts/generate_reference_card.py"
    assert card == GENERATOR.render(), remedy
    assert PACKAGE.record == GENERATOR.described(), remedy


def test_a_physicist_finds_what_a_card_must_tell(card: str):
    titles = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert titles[:8] == [
        "What it does",
        "Intended use",
        "Use",
        "Figures",
        "Calibration and coverage",
        "Subgroups",
        "Limits",
        "Training",
    ]
    assert titles[-1] == "Licence"
    assert "not a medical device" in card
    assert len(card.splitlines()) <= 140, "three screens"
    for article in ("Dataset of breast ultrasound images", "BUS-BRA: A breast", "Curated benchmark dataset"):
        assert article in card


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (2, "without_busbra_on_busbra.json"),
        (3, "without_busi_on_busi.json"),
        (4, "without_breast_on_breast.json"),
    ],
)
def test_figures_of_unseen_hospitals_are_those_of_their_files(column: int, name: str, card: str):
    answers = read_json(RESULTS / "reference" / name)["answers"]
    for words, figure in (
        ("Dice", answers["segmentation"]["dice"]),
        ("AUC, malignant", answers["classification"]["auc"]),
        ("ECE, 10 bins of equal mass", answers["classification"]["ece_equal_mass_10"]),
        ("Left open", answers["left_open"]),
        ("Lesions whose class stays possible (90 %)", answers["coverage_classes"]),
    ):
        low, high = figure["ci95"]
        assert row_of(card, words)[column] == f"{figure['mean']:.3f} [{low:.3f}, {high:.3f}]"


def test_subgroups_are_those_of_their_file(card: str):
    groups = read_json(RESULTS / "reference" / "subgroups_cross_validated.json")["subgroups"]
    assert {group["kind"] for group in groups} >= {"device", "BI-RADS", "size of the lesion", "burned-in marks"}
    for group in groups:
        dice = row_of(card, f"{group['kind']}: {group['name']}")[1]
        assert dice.split(" ")[0] == ("–" if group["dice"]["value"] is None else f"{group['dice']['value']:.3f}")


def test_the_command_is_the_one_that_trained_the_weights(card: str):
    command = read_json(RESULTS / "reference.json")["provenance"]["sessions"][0]["command"]
    block = next(block for block in card.split("```") if "bustle train" in block)
    assert shlex.split(block.removeprefix("bash").replace("\\\n", "")) == command
    assert "training.precision=fp32" in command


def test_results_of_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = (replace(PACKAGE.record.weights[0], sha256="0" * 64),)
    write_json(tmp_path / RECORD, sealed(to_mapping(replace(PACKAGE.record, weights=weights))))
    monkeypatch.setattr(GENERATOR, "PACKAGE", tmp_path)
    with pytest.raises(InputError, match=r"is of other weights than the package; run `bustle results add"):
        GENERATOR.render()
