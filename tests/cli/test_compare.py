"""`bustle compare` from the command line."""

from __future__ import annotations

import json
import shutil

import pytest
from tests.made_results import write_made_metrics

from bustle.cli.main import main
from bustle.evaluation.case_table import CaseRow, write_cases

CLASSES = ("benign", "malignant")


@pytest.fixture
def results(tmp_path):
    """Two evaluations of six cases: `second` draws better."""
    for name, better in (("first", 0.0), ("second", 0.1)):
        rows = []
        for number in range(6):
            label, malignant = ("benign", 0.2) if number % 2 else ("malignant", 0.3 + 0.1 * number)
            dice = 0.5 + 0.05 * number + better * (number > 0)
            row = CaseRow(
                case_id=f"s{number}",
                group_id=f"g{number // 2}",
                source="made",
                label=label,
                probabilities={"benign": 1 - malignant, "malignant": malignant},
                dice=dice,
                area=9,
                truth_empty=False,
                prediction_empty=False,
                false_positive_area=0,
            )
            rows.append(row)
        write_cases(tmp_path / name / "cases.csv", rows, classes=CLASSES)
        write_made_metrics(tmp_path / name / "metrics.json", rows, classes=CLASSES, title=f"The <{name}> method")
    return tmp_path


def compare(results, *names, out="out"):
    return main(["compare", *(str(results / name) for name in names), "--out", str(results / out)])


def test_prints_and_writes_the_comparison(results, capsys):
    assert compare(results, "first", "second") == 0
    printed = capsys.readouterr().out
    assert "second minus first (strict): 6 cases in 3 groups, malignant is positive" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("Dice"))
    assert line.split()[1:6] == ["fraction", "higher", "0.625", "0.708", "+0.083"]
    written = json.loads((results / "out" / "comparison.json").read_text())
    assert written["tracks"][0]["bootstrap"]["resamples"] == 2000
    page = (results / "out" / "report.html").read_text()
    assert "The &lt;second&gt; method" in page
    assert {path.name for path in (results / "out").iterdir()} == {"comparison.json", "report.html"}


@pytest.mark.parametrize(
    ("names", "out", "said"),
    [
        (["first"], "out", "at least two runs"),
        (["first", "third"], "out", "third: is no folder"),
        (["first", "second"], "first", "first: lies in the folder"),
        (["first", "second"], "first/cases.csv", "is a file; give a folder for --out"),
    ],
)
def test_wrong_input_ends_in_one_line_and_code_2(names, out, said, results, capsys):
    assert compare(results, *names, out=out) == 2
    error = capsys.readouterr().err
    assert error.startswith("bustle: error: ")
    assert said in error
    assert error.count("\n") == 1


def test_repeats_are_joined_with_commas(results, capsys):
    for name in ("first", "second"):
        shutil.copytree(results / name, results / f"{name} again")
    joined = [f"{results / name},{results / f'{name} again'}" for name in ("first", "second")]
    assert main(["compare", *joined, "--out", str(results / "repeated")]) == 0
    printed = capsys.readouterr().out
    assert "second (2 repeats) minus first (2 repeats) (strict): 6 cases in 3 groups" in printed
    assert "run, 95 % of repeats" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("Dice"))
    assert line.split()[-6:] == ["0.625", "to", "0.625", "0.708", "to", "0.708"]
