"""What the report of a comparison draws: bars of runs and cases, and pictures of the cases that differ most."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.experiments.made_comparison import compare, made_up_rows, write_results

from bustle.core.errors import InputError
from bustle.core.types import Case, Geometry, Sample
from bustle.experiments.compare import compare_runs
from bustle.inference.prediction_files import prediction_folder
from bustle.io.raster import write_png
from bustle.report.comparison_page import fold_bars
from bustle.report.comparison_plots import differences_figure, fold_bars_figure

pytestmark = pytest.mark.usefixtures("module_without_plots")


def test_bars_have_the_values_of_every_fold_in_the_order_of_the_runs(tmp_path):
    for name, better in (("weak", 0.0), ("strong", 0.05)):
        for fold in range(2):
            rows = made_up_rows(fold, cases=range(6 * fold, 6 * fold + 6), better=better)
            write_results(tmp_path / name / f"fold-{fold}", [replace(row, accuracy=0.99) for row in rows])
    comparison = compare(tmp_path / "weak", tmp_path / "strong", out=tmp_path / "out", resamples=2)
    bars = fold_bars(comparison.tracks[0], reference="weak")
    assert list(bars) == ["Dice", "Accuracy", "AUC"]
    means = [
        np.mean([row.dice for row in made_up_rows(fold, cases=range(6 * fold, 6 * fold + 6))]) for fold in (0, 1)
    ]
    assert list(bars["Dice"]) == ["weak", "strong"]
    np.testing.assert_allclose(bars["Dice"]["weak"], means)
    np.testing.assert_allclose(bars["Dice"]["strong"], np.add(means, 0.05))
    (axes,) = fold_bars_figure(bars["Dice"], title="Dice").axes
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], [np.mean(means), np.mean(means) + 0.05])
    (low, high) = axes.collections[0].get_segments()[0][:, 1]
    np.testing.assert_allclose(high - low, 2 * np.std(means, ddof=1))
    assert max(max(values) for values in bars["Accuracy"].values()) < 0.99, "of classes, and not of pixels"
    (axes,) = fold_bars_figure({"weak": means[:1], "strong": means}, title="Dice").axes
    single, several = axes.collections[0].get_segments()
    assert (len(single), len(several)) == (0, 2), "one fold has no spread"


def test_every_case_has_a_bar_of_its_difference():
    rows = made_up_rows(0, cases=range(4))
    before, after = ([replace(row, dice=value) for row in rows] for value in (0.5, 0.5))
    after = [replace(row, dice=value) for row, value in zip(after, (0.3, 0.4, 0.6, 0.5), strict=True)]
    (axes,) = differences_figure(before, after, column="dice", title="Dice").axes
    gains, losses = (patch.get_data() for patch in axes.patches)
    np.testing.assert_allclose(gains.values, [0, 0, 0, 0.1], atol=1e-12)
    np.testing.assert_allclose(losses.values, [-0.2, -0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(losses.edges, [0.5, 1.5, 2.5, 3.5, 4.5])


def test_a_row_of_pictures_for_each_case_on_which_the_runs_differ_most(tmp_path):
    def load(case_id):
        truth = np.zeros((24, 30), np.uint8)
        truth[4:12, 5:15] = 1
        return Sample(case_id, "made", np.full((1, 24, 30), 90, np.uint8), Geometry((24, 30)), lesion_mask=truth)

    rows = {name: made_up_rows(seed, cases=range(3)) for name, seed in (("a", 0), ("b", 1), ("c", 2))}
    dice = {"a": (0.5, 0.6, None), "b": (0.6, 0.1, 0.4), "c": (0.55, 0.6, None)}
    folders = {
        name: write_results(
            tmp_path / name, [replace(row, dice=value) for row, value in zip(own, dice[name], strict=True)]
        )
        for name, own in rows.items()
    }
    mask = np.zeros((24, 30), np.uint8)
    mask[6:18, 5:15] = 255
    for name in ("a", "b"):  # c keeps no predictions
        for number in range(3):
            write_png(prediction_folder(folders[name] / "predictions", f"made/{number}") / "mask.png", mask)
    cases = [
        Case(case_id=f"made/{number}", source="made", load=partial(load, f"made/{number}"), has_mask=True)
        for number in range(3)
    ]
    compare_runs(list(folders.values()), out=tmp_path / "out", cases=cases, resamples=2)
    page = (tmp_path / "out" / "report.html").read_text()
    strips = re.findall(r"<h3>(made/\d).*?</h3>\n<div class=\"strip\">(.*?)</div>", page, flags=re.DOTALL)
    assert [case for case, _ in strips] == ["made/1", "made/0"]
    captions = [
        re.sub("<[^>]*>", " ", caption).split()
        for caption in re.findall("<figcaption>.*?</figcaption>", strips[0][1])
    ]
    assert [words[0] for words in captions] == ["image", "truth", "a", "b", "c"]
    assert captions[3][:3] == ["b", "Dice", "0.100"]
    assert " ".join(captions[4]) == "c Dice 0.600, no prediction file"
    assert strips[0][1].count('src="data:image/jpeg;base64,') == 4
    with pytest.raises(InputError, match="the data hold no case 'made/1'"):
        compare_runs(list(folders.values()), out=tmp_path / "out2", cases=cases[:1], resamples=2)
