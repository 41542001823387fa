"""Our figures beside the printed ones: their unit, spread and interval, what is tested, and what is marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.experiments.made_run import write_run

from bustle.core.recipe import load_protocol
from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, ReproducedRow, Trainings
from bustle.evaluation.result_files import read_run
from bustle.evaluation.results import RunResult
from bustle.experiments.reproduction.counted import counted_figures
from bustle.experiments.reproduction.items import find_items
from bustle.experiments.reproduction.own_figures import extreme_of, own_figure, p_reference_better
from bustle.experiments.reproduction.printed_metrics import OwnMetric
from bustle.experiments.reproduction.printed_rows import rows_of
from bustle.report.reproduction_wording import as_published, notes, strict

DICE = OwnMetric(title="DSC", part="segmentation", name="dice", unit="percent", scale=100.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """That of a run of two folds."""
    path = tmp_path_factory.mktemp("made")
    write_run(path)
    return read_run(path / "summary.json")


def test_the_figure_of_a_run_is_in_the_unit_of_the_print(made: RunResult):
    figure = own_figure([made], DICE, source="made", wanted=5)
    assert figure is not None
    over_folds = made.over_folds.segmentation
    assert over_folds is not None
    assert figure.mean == pytest.approx(100 * over_folds["dice"].mean)
    assert figure.sd == pytest.approx(100 * over_folds["dice"].sd)
    assert len(figure.values) == 2
    accuracy, precision = (
        own_figure([made], OwnMetric(title="", part="classification", name=name), source="made", wanted=5)
        for name in ("accuracy", "precision")
    )
    assert accuracy is not None
    assert accuracy.ci95 is not None
    assert precision is not None
    assert precision.ci95 is None, "that of all folds' cases together is none of the mean over folds"


def test_several_repeats_have_the_mean_over_folds_and_repeats_and_an_interval_over_the_repeats(tmp_path: Path):
    for seed in range(3):
        write_run(tmp_path / f"{seed}", better=seed / 100)
    results = [read_run(tmp_path / f"{seed}/summary.json") for seed in range(3)]
    single = own_figure(results[:1], DICE, source="made", wanted=2)
    three = own_figure(results, DICE, source="made", wanted=6)
    assert single is not None
    assert three is not None
    assert three.mean == pytest.approx(single.mean + 1)
    half = 4.302653 * 1 / 3**0.5  # t(.975, 2) s / sqrt(3), s = 1 percent
    assert three.ci95 == pytest.approx((three.mean - half, three.mean + half))
    assert len(three.values) == 6
    assert three.repeats == pytest.approx([single.mean + better for better in (0, 1, 2)])
    assert three.sd == pytest.approx(single.sd), "each repeat's own, which the legend names"
    assert three.is_complete


def test_the_test_over_repeats_is_one_sided_and_waits_for_all_of_them():
    def figure(*repeats: float, finished: int = 3) -> OwnFigure:
        mean, trainings = sum(repeats) / len(repeats), Trainings(finished=finished, wanted=3)
        return OwnFigure(mean=mean, sd=None, ci95=None, n=9, values=(), repeats=repeats, trainings=trainings)

    good, bad = figure(0.438, 0.432, 0.445), figure(0.411, 0.405, 0.423)
    better = p_reference_better([good, bad], higher_is_better=True)
    worse = p_reference_better([good, bad], higher_is_better=False)
    assert better is not None
    assert worse is not None
    assert better < 0.05
    assert better + worse == pytest.approx(1)
    begun = figure(0.411, 0.405, 0.423, finished=2)
    assert p_reference_better([good, begun], higher_is_better=True) is None
    assert p_reference_better([good, None], higher_is_better=True) is None
    assert extreme_of([good, None, bad], "least") == bad


@pytest.mark.parametrize(("mean", "marked"), [(80.0, False), (85.1, True), (74.9, True)])
def test_what_differs_by_more_than_the_printed_deviation_is_marked(mean: float, marked: bool):
    all_done = Trainings(finished=5, wanted=5)
    ours = OwnFigure(
        mean=mean, sd=1.0, ci95=(mean - 2, mean + 2), n=9, values=(mean,), repeats=(mean,), trainings=all_done
    )
    figure = ReproducedFigure(
        metric="DSC", unit="percent", published=80.0, published_sd=5.0, note="", as_published=ours, strict=None
    )
    assert ("≠" in as_published(figure, smoke="")) is marked
    assert as_published(figure, smoke="2 epochs").endswith("] smoke"), "a small training is no attempt at the print"
    counted = as_published(replace(figure, as_published=replace(ours, trainings=None)), smoke="2 epochs")
    assert "smoke" not in counted, "counted of the full network"
    assert ("≠" in counted) is marked
    begun = replace(figure, as_published=replace(ours, trainings=Trainings(finished=1, wanted=5)))
    assert as_published(begun, smoke="").endswith("] 1 of 5")
    assert ("≠" in strict(replace(figure, strict=ours), smoke="")) is marked
    assert "≠" not in strict(replace(figure, strict=ours, same_strictly=False), smoke="")


def test_what_is_said_of_several_metrics_of_a_row_is_said_once():
    of_metric = {
        name: ReproducedFigure(
            metric=name, unit="percent", published=80.0, published_sd=None, note=note, as_published=None, strict=None
        )
        for name, note in (("SEN", "quoted"), ("DSC", "quoted; unlike its F1"), ("ACC", "quoted"), ("IoU", ""))
    }
    row = ReproducedRow(
        method="FCN",
        variant="",
        dataset="BUSI",
        recipes=(),
        reason="",
        notes=("late",),
        figures=tuple(of_metric.values()),
    )
    of_figures = ["FCN, BUSI, SEN, ACC: quoted", "FCN, BUSI, DSC: quoted; unlike its F1"]
    assert notes([row]) == ["FCN, BUSI: late", *of_figures]
    assert notes([row, replace(row, method="PSPNet", figures=())]) == ["Every row: late", *of_figures]


def test_a_print_is_not_set_against_another_quantity_of_the_strict_protocol():
    def same(paper: str, part: str, name: str, unit: str = "fraction") -> bool:
        metric = OwnMetric(title="", part=part, name=name, unit=unit)
        return metric.is_same_by(load_protocol(paper), load_protocol("strict"))

    assert not same("rmtl", "classification", "sensitivity"), "of benign cases there"
    assert same("rmtl", "classification", "auc")
    assert not same("lanet", "classification", "f1"), "a mean over classes there"
    assert same("ctg", "classification", "sensitivity")
    assert not same("abus", "segmentation", "asd_px", "px"), "of the network's pixels there"
    assert same("abus", "segmentation", "asd_mm", "mm")
    assert not same("acsnet", "segmentation", "hd95_mm", "mm")


def test_minutes_are_of_the_papers_protocol_and_add_up_over_networks_trained_apart(made: RunResult):
    (item,) = find_items("cms_vnet_iter/section-6")
    (row,) = (row for row in rows_of(item) if len(row.recipes) > 1)
    assert row.recipes == ("cms_vnet_iter/vnet", "cms_vnet_iter/clsnet")
    (both,) = counted_figures(row, trained=[[made], [made]], wanted=8)  # two folds of 3 epochs in 1.5 s each
    assert both.as_published is not None
    assert both.as_published.mean == pytest.approx(2 * 1.5 / 3 / 60)
    assert both.as_published.trainings == Trainings(finished=4, wanted=8)
    (one,) = counted_figures(row, trained=[[made], []], wanted=8)
    assert one.as_published is None
    assert one.unit == "minutes"
