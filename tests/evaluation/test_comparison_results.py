"""`comparison.json` read back strictly, and how differences are listed in families."""

from __future__ import annotations

import json

import pytest
from tests.made_results import MADE_UP

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_protocol
from bustle.evaluation.comparison_families import RunDifferences, leading_test, listed_comparisons
from bustle.evaluation.comparison_results import (
    BootstrapTest,
    Comparison,
    DeLongTest,
    MetricDifference,
    MetricTests,
    PairedTTest,
    PooledTTest,
    RunSummary,
    SharedBootstrap,
    TrackComparison,
    read_comparison,
    write_comparison,
)

BOOTSTRAP = BootstrapTest(p=0.5)
PAIRED = PairedTTest(p=0.02, t=2.5, degrees_of_freedom=11)
POOLED = PooledTTest(p=0.03, reference=(0.5, 0.6), values=(0.7, 0.8), degrees_of_freedom=2)
DELONG = DeLongTest(p=None, z=None, standard_error=0.0, ci95=(0.1, 0.1))


def difference(tests):
    return MetricDifference(
        title="Dice",
        unit="fraction",
        better="higher",
        n=12,
        reference=0.5,
        value=0.6,
        difference=0.1,
        ci95=(0.05, 0.15),
        tests=tests,
        n_unpaired=0,
    )


def made_up_differences(run):
    return RunDifferences(
        run=run,
        masks={
            "dice": difference(MetricTests(bootstrap=BOOTSTRAP, paired_t=PAIRED, pooled_t=POOLED)),
            "boundary": difference(MetricTests(bootstrap=BOOTSTRAP)),
        },
        classes={"auc": difference(MetricTests(bootstrap=BOOTSTRAP, delong=DELONG))},
        lesions={},
    )


LISTED = listed_comparisons([made_up_differences("b"), made_up_differences("c")], protocol=load_protocol("strict"))


@pytest.fixture
def comparison():
    track = TrackComparison(
        track="strict",
        protocol="strict",
        spread="fold_sd",
        resolution="native",
        empty_policy="undefined",
        classes=("benign", "malignant"),
        positive_class="malignant",
        average="binary",
        n_cases=12,
        n_tested=12,
        n_groups=6,
        bootstrap=SharedBootstrap(method="percentile", groups="patients", resamples=50, seed=0),
        warnings=(),
        comparisons=LISTED,
    )
    return Comparison(
        reference="a",
        runs=tuple(RunSummary(name=name, title=name, folder=name, folds=1) for name in "abc"),
        warnings=("b: one fold only",),
        tracks=(track,),
        provenance=MADE_UP,
    )


def test_what_was_written_is_read_back(tmp_path, comparison):
    path = tmp_path / "comparison.json"
    write_comparison(path, comparison)
    assert read_comparison(path) == comparison
    tests = json.loads(path.read_text())["tracks"][0]["comparisons"][2]["tests"]
    assert list(tests) == ["bootstrap", "delong"]  # those that were not made are left out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 1}, "is a comparison of format 1; compare the runs again"),
        ({"format": 3}, "is a comparison of format 3; update bustle"),
        ({"reference": None}, "is a damaged comparison .*reference is None"),
        ({"referense": "a"}, "did you mean reference"),
    ],
)
def test_another_format_and_a_damaged_file_are_refused(tmp_path, comparison, change, said):
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(to_mapping(comparison) | change))
    with pytest.raises(InputError, match=said):
        read_comparison(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text('{"track": "strict", "format": 2}')
    with pytest.raises(InputError, match="is no comparison"):
        read_comparison(path)


def test_a_family_is_corrected_over_all_runs_and_an_absent_p_does_not_count():
    found = {(entry.run, entry.metric): entry for entry in LISTED}
    assert list(found) == [(run, metric) for run in "bc" for metric in ("dice", "boundary", "auc")]
    assert [found[run, "dice"].p_holm for run in "bc"] == [0.04, 0.04]
    assert found["b", "dice"].n_family == 2
    assert (found["b", "boundary"].family, found["b", "boundary"].p_holm) == ("further masks", 1.0)
    auc = found["c", "auc"]
    assert (auc.family, auc.test, auc.p, auc.p_holm, auc.n_family) == ("classes", "delong", None, None, 0)


def test_the_test_of_repeats_leads_only_where_the_paper_makes_it():
    tests = MetricTests(bootstrap=BOOTSTRAP, paired_t=PAIRED, pooled_t=POOLED)
    assert leading_test(tests, spread="t95") == "pooled_t"
    assert leading_test(tests, spread="fold_sd") == "paired_t"
    assert leading_test(MetricTests(bootstrap=BOOTSTRAP, pooled_t=POOLED), spread="fold_sd") == "bootstrap"
