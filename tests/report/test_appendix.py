from __future__ import annotations

from dataclasses import replace

import pytest
from tests.report.test_pages import reported

from bustle.core.tracks import Tracks
from bustle.evaluation.reliability import Reliability
from bustle.report.appendix import Partition, appendix
from bustle.report.checklist_items import ITEMS
from bustle.report.wording import with_unit


@pytest.fixture
def tracks(rows, metrics):
    return reported(rows, metrics, pictures={})


def test_the_methods_name_the_cases_rules_and_software_of_the_evaluation(tracks, metrics):
    methods = appendix(tracks).methods
    assert "24 cases of made (24): 8 benign, 8 malignant and 8 normal" in methods
    assert "a missed lesion scored a Dice of 0 and the image's diagonal as distance" in methods
    assert "malignant as the positive class" in methods
    assert f"{metrics.bootstrap.resamples} bootstrap resamples of whole groups (seed 0)" in methods
    assert "bustle 0 on made up" in methods
    assert "[How the cases were chosen" in methods
    assert "folds" not in methods, "nothing was trained"


def test_what_makes_the_figures_too_good_stands_in_the_paragraph_that_is_pasted(tracks, metrics):
    leak = "LEAK: 2 of 24 cases were used to train this model; these figures are too good"
    warned = replace(tracks, results=Tracks(replace(metrics, warnings=(leak,)), None))
    made = appendix(warned)
    assert f"[To be stated: {leak}.]" in made.methods
    known = {each.item.key: each.known for each in made.items}
    assert leak in known[40], "a limitation"
    assert not known[10], "and no answer to how subsets were chosen"


@pytest.mark.parametrize(
    ("partition", "said"),
    [
        (
            Partition(folds=3, tested=1, test_share=0.34, seed=7),
            "into 3 folds, 1 of which were tested (seed 7",
        ),
        (Partition(folds=1, tested=1, test_share=0.25, seed=0), "A test part of 25 % was held out (seed 0"),
    ],
)
def test_the_division_is_that_of_the_run_and_not_the_protocols(tracks, partition: Partition, said: str):
    made = appendix(tracks, partition=partition)
    assert said in made.methods
    assert "inner validation part" in made.methods
    assert said in next(each.known for each in made.items if each.item.key == 19)


def test_calibration_is_told_only_where_there_were_probabilities(tracks):
    nothing = Reliability(network=None)
    assert "Calibration" not in appendix(replace(tracks, reliability=nothing)).methods


def test_the_results_are_those_of_the_page(tracks, metrics):
    entry = metrics.segmentation["dice"]
    low, high = (with_unit(bound, "fraction") for bound in entry.ci95)
    assert f"Dice {entry.mean:.3f} (95 % CI {low} to {high}; n = {entry.n})" in appendix(tracks).results


def test_items_that_an_evaluation_cannot_know_are_left_open(tracks, rows):
    items = {each.item.key: each for each in appendix(tracks).items}
    assert [number for number in items if isinstance(number, int)] == list(range(1, 45))
    assert items[35].known.startswith("24 included")
    assert "lesion missed: 1" in items[39].known
    assert not any(items[number].known for number in (1, 5, 8, 14, 16, 18, 20, 26, 34, 36, 42, 44, "8c", "17"))
    outlines = replace(tracks, rows=[replace(row, decision=None) for row in rows])
    assert "wrong class: 0" in next(each for each in appendix(outlines).items if each.item.key == 39).known


def test_every_item_of_tripod_ai_has_its_place():
    """The 52 items of the statement of 2024, by their letters: 27 numbers, of which these have several parts."""
    parts = {
        3: "abc",
        5: "ab",
        6: "abc",
        8: "abc",
        9: "abc",
        12: "abcdefg",
        18: "abcdef",
        20: "abc",
        23: "ab",
        27: "abc",
    }
    official = {f"{number}{part}" for number in range(1, 28) for part in parts.get(number, ("",))}
    assert len(official) == 52
    of_claim = [number for item in ITEMS if item.claim for number in item.tripod]
    alone = [number for item in ITEMS if not item.claim for number in item.tripod]
    assert len(set(alone)) == len(alone)
    assert not set(alone) & set(of_claim)
    assert set(alone) | set(of_claim) == official
