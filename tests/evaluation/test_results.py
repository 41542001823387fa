"""Results are read as types: unchanged from the first form, which had no number, and strictly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.evaluation.figures import Estimate, estimates_of
from bustle.evaluation.metrics import CATALOGUES
from bustle.evaluation.result_files import completed_figures, read_run, read_track
from bustle.evaluation.results import FORMAT
from bustle.inference.shipped import shipped_package

OLDER = Path(__file__).parent / "older_results"
"""As earlier versions wrote them, but for the indentation: the oldest run, and a search of volumes."""

SUMMARY = OLDER / "summary_of_two_folds.json"
TRACKS = sorted(OLDER.glob("metrics_*.json"))
NEW_SINCE = {"format", "groups", "box_iou", "box_dice", "consistency", "earlier_stages", "lesion_detection"}
"""Keys that the first form lacked, in all or in its oldest files."""


def assert_holds(read, written):
    """Everything that was written is there to the last digit; what is new says that it was not measured."""
    if isinstance(written, dict):
        assert [key for key in written.keys() - read.keys() if written[key] is not None] == []
        assert read.keys() - written.keys() <= NEW_SINCE
        for key, value in written.items():
            assert_holds(read.get(key), value)
    elif isinstance(written, list):
        assert len(read) == len(written)
        for one, other in zip(read, written, strict=True):
            assert_holds(one, other)
    else:
        assert read == written


@pytest.mark.parametrize("path", TRACKS, ids=lambda path: path.stem)
def test_a_metrics_json_of_the_first_form_is_read_without_a_change(path):
    result = read_track(path)
    assert_holds(to_mapping(result), json.loads(path.read_text(encoding="utf-8")))
    assert result.format == FORMAT
    for part, catalogue in CATALOGUES.items():
        assert set(estimates_of(result, part) or catalogue) == set(catalogue)


def test_a_summary_json_of_the_first_form_is_read_without_a_change():
    assert_holds(to_mapping(read_run(SUMMARY)), json.loads(SUMMARY.read_text(encoding="utf-8")))


def altered(tmp_path, change):
    mapping = to_mapping(read_track(TRACKS[0]))
    change(mapping)
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(mapping))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.update(format=FORMAT + 1), f"is a result of format {FORMAT + 1}"),
        (lambda found: found.pop("track"), "is not the result of an evaluation"),
        (lambda found: found.update(trakc="strict"), "unknown key 'trakc'"),
        (lambda found: found["segmentation"].update(kappa=found["segmentation"]["dice"]), "has an unknown key kappa"),
        (lambda found: found["segmentation"]["dice"].update(n="many"), "segmentation.dice.n is 'many'"),
        (lambda found: found["segmentation"]["dice"].pop("unit"), "segmentation.dice lacks unit"),
        (lambda found: found["by_size"]["strata"].update(small=[""]), "is a damaged result"),
        (lambda found: found.update(segmentation=["dice"]), "is a damaged result"),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(tmp_path, change, said):
    with pytest.raises(InputError) as refused:
        read_track(altered(tmp_path, change))
    assert said in str(refused.value)
    assert "metrics.json" in str(refused.value)


def test_a_result_of_this_form_is_read_as_it_was_written(tmp_path):
    result = read_track(altered(tmp_path, lambda found: None))
    assert result == read_track(TRACKS[0])
    assert "count" not in to_mapping(result)["segmentation"]["dice"]


def test_a_result_from_before_a_metric_was_known_has_no_value_of_it(tmp_path):
    def without(found):
        found["segmentation"].pop("dice")
        found["classification"].pop("auc")
        found["by_size"]["strata"]["small"]["segmentation"].pop("dice")

    result = read_track(altered(tmp_path, without))
    assert result.segmentation["dice"] == Estimate(mean=None, sd=None, ci95=None, n=0, unit="fraction")
    assert result.classification.estimates["auc"].n == 0
    assert result.by_size.strata["small"].segmentation["dice"].mean is None
    assert result.segmentation["iou"] == read_track(TRACKS[0]).segmentation["iou"]


def test_so_have_the_figures_of_a_package_and_of_its_answers():
    known = json.loads((shipped_package("reference") / "package.json").read_text(encoding="utf-8"))["metrics"][0]
    for figures in (known, known["answers"]):
        figures["segmentation"].pop("dice", None)
    completed = completed_figures(known)
    for figures in (completed, completed["answers"]):
        assert figures["segmentation"]["dice"] == {"mean": None, "sd": None, "ci95": None, "n": 0, "unit": "fraction"}
        assert figures["segmentation"]["iou"]["mean"] is not None
