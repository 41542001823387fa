"""Which results cannot be compared, and how that is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.experiments.made_comparison import compare, made_up_rows, other_classes, write_results

from bustle.core.errors import InputError

pytestmark = pytest.mark.usefixtures("module_without_plots")


def relabelled(folder):
    rows = made_up_rows()
    rows[0] = replace(rows[0], label="malignant")
    write_results(folder, rows)


def redrawn(folder):
    rows = made_up_rows()
    rows[0] = replace(rows[0], area=7)
    write_results(folder, rows)


def repeated(folder):
    for number in range(2):
        write_results(folder / f"fold-{number}", made_up_rows())


def without_column(folder):
    (write_results(folder, made_up_rows()) / "cases.csv").write_text("case_id,dice\na,0.5\n")


def without_group(folder):
    write_results(folder, [replace(row, group_id="") for row in made_up_rows()])


def mixed_rules(folder):
    write_results(folder / "fold-0", made_up_rows(cases=range(6)))
    write_results(folder / "fold-1", made_up_rows(cases=range(6, 12)), track="published", protocol="rmtl")


def broken_metrics(folder):
    (write_results(folder, made_up_rows()) / "metrics.json").write_text("[]")


def begun(folder):
    (folder / "fold-0").mkdir(parents=True)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "is no folder"),
        (Path.mkdir, "holds neither a run nor an evaluation"),
        (begun, "holds no scored fold; finish the run"),
        (lambda folder: write_results(folder, []), "holds no case"),
        (lambda folder: write_results(folder, made_up_rows(cases=range(5, 15))), "10 here, 12 there, 7 in common"),
        (lambda folder: write_results(folder, made_up_rows(cases=range(20, 25))), "5 here, 12 there, 0 in common"),
        (repeated, "not equally often"),
        (
            lambda folder: write_results(folder, made_up_rows(), track="published", protocol="rmtl"),
            "is scored on the published rules of rmtl, reference on strict rules",
        ),
        (other_classes, "tells benign, malignant, normal apart, reference benign, malignant"),
        (relabelled, "another truth than reference in 1 cases"),
        (redrawn, "another truth than reference in 1 cases"),
        (without_column, "lacks the column patient_id"),
        (without_group, "a row without group_id"),
        (mixed_rules, "follows other rules"),
        (broken_metrics, "is not the result of an evaluation"),
    ],
)
def test_what_cannot_be_compared_is_refused(make, said, tmp_path):
    reference = write_results(tmp_path / "reference", made_up_rows())
    make(tmp_path / "other")
    with pytest.raises(InputError) as refused:
        compare(reference, tmp_path / "other", out=tmp_path / "out")
    assert said in str(refused.value)
    assert "other" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_one_run_or_one_twice_is_refused(tmp_path):
    folder = write_results(tmp_path / "a", made_up_rows())
    for folders, said in (((folder,), "at least two"), ((folder, tmp_path / "b" / ".." / "a"), "named twice")):
        with pytest.raises(InputError, match=said):
            compare(*folders, out=tmp_path / "out")
