"""Comparing runs: what is read, corrected and written, on hand-made results and on a shipped run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.experiments.made_comparison import (
    NOTHING,
    compare,
    entry_of,
    made_up_rows,
    other_classes,
    write_results,
)

from bustle.cli.comparison_table import print_comparison
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.evaluation.comparison_results import read_comparison
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.multiplicity import holm
from bustle.experiments.compare import compare_runs
from bustle.experiments.run_record_file import read_record, write_record

pytestmark = pytest.mark.usefixtures("module_without_plots")

SHIPPED = Path(__file__).parents[2] / "results" / "busi_rmtl_net_cpu.json"


def test_a_run_is_compared_over_all_of_its_folds(tmp_path):
    for name, better in (("a", 0.0), ("b", 0.05)):
        write_results(tmp_path / name / "fold-0", made_up_rows(0, cases=range(6), better=better))
        write_results(tmp_path / name / "fold-1", made_up_rows(1, cases=range(6, 12), better=better))
    (tmp_path / "b" / "fold-2").mkdir()
    found = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert found == read_comparison(tmp_path / "out" / "comparison.json")
    assert found.warnings == ("b: fold 2 is not scored yet and does not count",)
    assert [run.folds for run in found.runs] == [2, 2]
    (track,) = found.tracks
    assert (track.n_cases, track.n_groups, track.positive_class) == (12, 6, "malignant")
    dice = entry_of(found, "dice")
    assert dice.difference == pytest.approx(0.05)
    assert (dice.test, dice.better, dice.n, dice.unit) == ("paired_t", "higher", 12, "fraction")
    assert len(dice.tests.pooled_t.values) == 2
    assert entry_of(found, "auc").difference == 0
    assert entry_of(found, "auc").test == "delong"
    assert entry_of(found, "accuracy", part="classification").test == "bootstrap"


def test_repeats_count_by_the_mean_over_their_folds_with_an_interval_over_the_repeats(tmp_path):
    """Three seeds of two folds; the second method is better by 0.05 in every case, and one seed draws worse."""
    folders = {}
    for name, better in (("a", 0.0), ("b", 0.05)):
        for seed, worse in enumerate((0.0, 0.02, 0.01)):
            for fold in range(2):
                cases = range(6 * fold, 6 * fold + 6)
                rows = made_up_rows(fold, cases=cases, better=better - worse)
                write_results(tmp_path / f"{name}{seed}" / f"fold-{fold}", rows)
            folders[name, seed] = tmp_path / f"{name}{seed}"
    runs = [[folders[name, seed] for seed in range(3)] for name in ("a", "b")]
    found = compare_runs(runs, out=tmp_path / "out", resamples=50)
    assert found == read_comparison(tmp_path / "out" / "comparison.json")
    assert [run.name for run in found.runs] == ["a0 (3 repeats)", "b0 (3 repeats)"]
    assert {(run.folds, run.repeats) for run in found.runs} == {(6, 3)}
    assert (found.tracks[0].n_cases, found.tracks[0].n_tested, found.tracks[0].n_groups) == (12, 36, 6)
    dice = entry_of(found, "dice")
    values = np.array(dice.tests.pooled_t.values)
    np.testing.assert_allclose(values - values[0], [0, -0.02, -0.01], atol=1e-5)
    assert dice.value == pytest.approx(values.mean(), abs=1e-5)
    interval = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    assert dice.tests.pooled_t.values_ci95 == pytest.approx(interval)
    expected = stats.ttest_ind(values, dice.tests.pooled_t.reference, alternative="greater").pvalue
    assert dice.tests.pooled_t.p == pytest.approx(expected)
    assert dice.tests.pooled_t.over == "repeats"
    with pytest.raises(InputError, match="not equally often; compare as many repeats of each"):
        compare_runs([runs[0], runs[1][:2]], out=tmp_path / "out2", resamples=5)
    write_results(folders["b", 2] / "fold-1", made_up_rows(1, cases=range(6, 11)))
    with pytest.raises(InputError, match="b2: tests other cases than b0"):
        compare_runs(runs, out=tmp_path / "out2", resamples=5)


def test_other_methods_are_no_repeats(tmp_path):
    first, other, second = (write_results(tmp_path / name, made_up_rows()) for name in ("a", "b", "c"))
    with pytest.raises(InputError, match="is 'b', no repeat of 'a'"):
        compare_runs([[first, other], [second]], out=tmp_path / "out", resamples=5)


def test_the_lesions_found_are_compared_where_both_sought_them(tmp_path):
    """Twelve cases with a lesion each: one run finds them all, the other half of them with a false positive each."""
    rows = made_up_rows()
    for name, missed in (("a", 0), ("b", 6)):
        folder = write_results(tmp_path / name, rows[:: 1 if name == "a" else -1])
        detected = [
            DetectedCase(
                case_id=row.case_id,
                group_id=row.group_id,
                hit_scores=(None if number < missed else 0.9,),
                lesion_mm3=(500.0,),
                false_scores=(0.8,) if number < missed else (),
            )
            for number, row in enumerate(rows)
        ]
        (folder / "detected.json").write_text(json.dumps(to_mapping(detected)))
    found = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out", resamples=300)
    entry = entry_of(found, "lesion_sensitivity", part="lesion_detection")
    assert (entry.reference, entry.value, entry.n, entry.family) == (1, 0.5, 12, "lesions")
    assert entry.test == "bootstrap"
    assert -1 <= entry.ci95[0] < -0.5 < entry.ci95[1] <= 0
    entry = entry_of(found, "false_positives_per_case", part="lesion_detection")
    assert (entry.difference, entry.better) == (0.5, "lower")
    assert entry_of(found, "sensitivity_at_8", part="lesion_detection").family == "further lesions"
    (tmp_path / "b" / "detected.json").write_text('[{"group_id": "g0", "hit_scores": [0.9], "false_scores": []}]')
    with pytest.raises(InputError, match=r"b/detected\.json: is damaged or of another version .*; score"):
        compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    (tmp_path / "b" / "detected.json").unlink()
    alone = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert not [entry for entry in alone.tracks[0].comparisons if entry.part == "lesion_detection"]


def test_evaluations_in_another_order_of_cases_and_single_folds(tmp_path):
    rows = made_up_rows()
    write_results(tmp_path / "a", rows)
    write_results(tmp_path / "run" / "fold-0", rows[::-1])
    found = compare(tmp_path / "a", tmp_path / "run" / "fold-0", out=tmp_path / "out")
    assert [run.name for run in found.runs] == ["a", "run/fold-0"]
    assert all(entry.difference == 0 for entry in found.tracks[0].comparisons)
    assert entry_of(found, "dice").tests.pooled_t is None


def test_i11_repeats_of_one_split_are_led_by_the_test_of_la_net(tmp_path, capsys):
    for name, values in (("without", (0.405, 0.423, 0.407)), ("with", (0.438, 0.432, 0.445))):
        for number, value in enumerate(values):
            rows = [replace(row, iou=value, dice=0.5, hd95_px=1.0) for row in made_up_rows()]
            write_results(tmp_path / name / f"fold-{number}", rows, track="published", protocol="lanet")
    found = compare(tmp_path / "without", tmp_path / "with", out=tmp_path / "out")
    (track,) = found.tracks
    assert (track.n_cases, track.n_tested, track.spread) == (12, 36, "t95")
    iou = entry_of(found, "iou")
    assert (iou.test, iou.p) == ("pooled_t", pytest.approx(0.00871, abs=5e-6))
    assert iou.tests.paired_t.degrees_of_freedom == 5  # of six patients
    assert entry_of(found, "dice").p is None  # neither side varies
    print_comparison(found)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("IoU"))
    assert "+0.027" in line
    assert "pooled t, one-sided" in line


def test_every_source_is_compared_as_if_it_were_tested_alone(tmp_path, capsys):
    def rows(seed, *, better=0.0):
        both = made_up_rows(seed, better=better)
        return [replace(row, source="udiat" if number % 12 < 4 else "busi") for number, row in enumerate(both)]

    def part(folder, *, seed, better=0.0):
        return [
            write_results(
                tmp_path / name / folder, [row for row in rows(seed, better=better) if row.source in sources]
            )
            for name, sources in (("pooled", ("busi", "udiat")), ("busi", ("busi",)), ("udiat", ("udiat",)))
        ]

    first, second = part("a", seed=0), part("b", seed=1, better=0.02)
    pooled, busi, udiat = (
        compare(*pair, out=tmp_path / f"out{number}") for number, pair in enumerate(zip(first, second, strict=True))
    )
    of_source = {found.source: found for found in pooled.tracks[0].by_source}
    assert {name: (found.n_cases, found.n_groups) for name, found in of_source.items()} == {
        "busi": (8, 4),
        "udiat": (4, 2),
    }
    assert of_source["busi"].comparisons == busi.tracks[0].comparisons
    assert of_source["udiat"].comparisons == udiat.tracks[0].comparisons
    assert busi.tracks[0].by_source == ()
    assert read_comparison(tmp_path / "out0" / "comparison.json") == pooled
    assert "udiat alone: 4 cases in 2 groups" in (tmp_path / "out0" / "report.html").read_text()
    print_comparison(pooled)
    assert "busi alone: 8 cases in 4 groups" in capsys.readouterr().out


def test_several_runs_are_corrected_together_against_the_first(tmp_path):
    for number, name in enumerate("abc"):
        write_results(tmp_path / name, made_up_rows(number, better=0.03 * number))
    found = compare(tmp_path / "a", tmp_path / "b", tmp_path / "c", out=tmp_path / "out")
    members = [entry for entry in found.tracks[0].comparisons if entry.family == "masks"]
    assert {entry.metric for entry in members} == {"dice", "hd95_px", "missed_lesions"}
    assert {entry.n_family for entry in members} == {6}
    assert [entry.p_holm for entry in members] == holm([entry.p for entry in members])
    alone = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "alone")
    assert entry_of(alone, "dice").ci95 == entry_of(found, "dice", run="b").ci95


def test_the_other_track_is_compared_where_all_follow_its_protocol(tmp_path):
    for name, protocol in (("a", "rmtl"), ("b", "rmtl"), ("c", "acsnet")):
        write_results(tmp_path / name, made_up_rows())
        rows = made_up_rows()
        if name == "b":
            rows[0] = replace(rows[0], area=25)  # scored on a smaller grid
        write_results(tmp_path / name, rows, track="published", protocol=protocol, suffix="_published")
    both = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert [track.protocol for track in both.tracks] == ["strict", "rmtl"]
    assert [track.positive_class for track in both.tracks] == ["malignant", "benign"]
    assert "metrics in px are left out" in both.tracks[1].warnings[0]
    assert not any(entry.unit == "px" for entry in both.tracks[1].comparisons)
    one = compare(tmp_path / "a", tmp_path / "c", out=tmp_path / "one")
    assert [track.track for track in one.tracks] == ["strict"]
    assert one.warnings == ("only the strict track is compared: on the published one they follow rmtl and acsnet",)


def test_a_value_in_only_one_run_is_left_out_and_counted(tmp_path):
    rows = made_up_rows(1)
    rows[3] = replace(rows[3], hd95_px=None)
    write_results(tmp_path / "a", made_up_rows())
    write_results(tmp_path / "b", [replace(row, probabilities=NOTHING) for row in rows])
    found = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert (entry_of(found, "hd95_px").n, entry_of(found, "hd95_px").n_unpaired) == (11, 1)
    assert {entry.family for entry in found.tracks[0].comparisons} == {"masks"}
    assert (tmp_path / "out" / "report.html").exists()


def test_a_method_that_only_draws_is_compared_with_one_of_three_classes(tmp_path):
    write_results(tmp_path / "a", [replace(row, probabilities=NOTHING) for row in made_up_rows()])
    other_classes(tmp_path / "b")
    for names in ("ab", "ba"):
        found = compare(*(tmp_path / name for name in names), out=tmp_path / names)
        assert {entry.part for entry in found.tracks[0].comparisons} == {"segmentation"}


def test_other_groups_are_mentioned(tmp_path):
    write_results(tmp_path / "a", made_up_rows())
    write_results(tmp_path / "b", [replace(row, group_id=row.case_id) for row in made_up_rows()])
    found = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert "groups the cases in another way" in found.tracks[0].warnings[0]
    assert found.tracks[0].n_groups == 6


def test_runs_of_one_name_are_told_by_the_folders_that_differ(tmp_path):
    first, second = (write_results(tmp_path / part / "run", made_up_rows()) for part in "ab")
    found = compare(first, second, out=tmp_path / "out")
    assert [run.name for run in found.runs] == ["a/run", "b/run"]
    assert str(tmp_path) not in (tmp_path / "out" / "comparison.json").read_text()


def test_a_shipped_run_against_a_perturbed_copy(tmp_path):
    rng = np.random.default_rng(0)

    def perturbed(row):
        malignant = float(np.clip(row.probability("malignant") + rng.normal(0, 0.4), 0, 1))
        probabilities = {"benign": 1 - malignant, "malignant": malignant}
        return replace(row, dice=min(1.0, row.dice + 0.02), probabilities=probabilities, box_iou=None)

    def perturbed_track(track):
        return replace(track, cases=tuple(map(perturbed, track.cases)))

    shipped = read_record(SHIPPED)
    folds = [
        replace(fold, main=perturbed_track(fold.main), companion=perturbed_track(fold.companion))
        for fold in shipped.folds
    ]
    copy = tmp_path / "perturbed.json"
    write_record(copy, replace(shipped, folds=tuple(folds)))
    found = compare(SHIPPED, copy, out=tmp_path / "out", resamples=200)
    assert [run.name for run in found.runs] == ["busi_rmtl_net_cpu", "perturbed"]
    assert [run.folds for run in found.runs] == [2, 2]
    assert [track.protocol for track in found.tracks] == ["strict", "rmtl"]
    for number, track in enumerate(shipped.result.tracks):
        for part, names in (("segmentation", ("dice", "hd95_px", "asd_px")), ("classification", ("auc", "accuracy"))):
            for name in names:
                entry = entry_of(found, name, track=number, part=part)
                assert entry.reference == pytest.approx(estimates_of(track.pooled, part)[name].mean)
                assert entry.n == 252
    dice = entry_of(found, "dice")
    assert 0 < dice.ci95[0] < dice.difference <= 0.02
    assert dice.p_holm < 0.001
    assert dice.tests.pooled_t.reference == pytest.approx(shipped.result.over_folds.segmentation["dice"].folds)
    auc = entry_of(found, "auc")
    assert auc.ci95[1] < 0
    assert auc.tests.delong.p < 0.01
    assert entry_of(found, "hd95_px").p == 1.0


def test_images_of_three_patients_have_neither_interval_nor_p(tmp_path, capsys):
    for name, better in (("a", 0.0), ("b", 0.1)):
        patients = [replace(row, group_id=f"g{place % 3}") for place, row in enumerate(made_up_rows(better=better))]
        write_results(tmp_path / name, patients)
    found = compare(tmp_path / "a", tmp_path / "b", out=tmp_path / "out")
    assert all(entry.ci95 is None and entry.p is None for entry in found.tracks[0].comparisons)
    assert entry_of(found, "dice").difference == pytest.approx(0.1)
    print_comparison(found)
    assert "warning: no intervals and no p: only 3 groups, at least 5 are needed" in capsys.readouterr().out
