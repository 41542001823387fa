from __future__ import annotations

import base64
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.froc import summarise_detection
from bustle.report import plots
from bustle.report.study_plots import ForestLine, forest_figure

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(80) < 0.4
SCORE = np.clip(0.3 * POSITIVE + 0.7 * RNG.random(80), 0, 1)
DETECTED = [
    DetectedCase(case_id="1", group_id="a", hit_scores=(0.9, 0.4), lesion_mm3=(500.0, 2000.0), false_scores=(0.6,)),
    DetectedCase(case_id="2", group_id="b", hit_scores=(None,), lesion_mm3=(500.0,), false_scores=(0.3, 0.2)),
]
DETECTION = summarise_detection(DETECTED, least_iou=0.1, threshold=0.5, resamples=10)
HISTORIES = {"fold 0": [{"epoch": 1.0, "val_dice": 0.5}, {"epoch": 2.0, "val_dice": None}], "fold 1": []}


def figures(rows, metrics):
    yield plots.roc_figure(POSITIVE, SCORE, name="malignant", area=0.9)
    yield plots.precision_recall_figure(POSITIVE, SCORE, name="malignant", average_precision=0.8)
    yield plots.calibration_figure(POSITIVE, SCORE, name="malignant", error=0.05)
    yield plots.confusion_figure([[3, 1], [0, 0]], classes=("benign", "malignant"))
    yield plots.dice_figure(rows)
    yield plots.size_figure(rows, strata=metrics.by_size)
    yield plots.size_histogram_figure(rows, strata=metrics.by_size)
    yield plots.curves_figure(HISTORIES, columns=["val_dice"])
    yield plots.froc_figure(DETECTION)


def test_every_figure_is_well_formed_svg_without_foreign_addresses(rows, metrics):
    for figure in figures(rows, metrics):
        head, _, content = plots.as_svg_uri(figure).partition(",")
        assert head == "data:image/svg+xml;base64"
        tree = ElementTree.fromstring(base64.b64decode(content))
        assert tree.tag.endswith("svg")
        assert not [name for element in tree.iter() for name in element.attrib if name == "src"]


def test_a_figure_is_the_same_twice(rows):
    assert plots.as_svg_uri(plots.dice_figure(rows)) == plots.as_svg_uri(plots.dice_figure(rows))


def test_no_case_is_halved_on_an_axis(rows):
    axes = plots.dice_figure(rows[:3]).axes[0]
    assert all(tick == round(tick) for tick in axes.get_yticks())


def test_the_histogram_of_sizes_counts_every_case_with_a_lesion(rows, metrics):
    axes = plots.size_histogram_figure(rows, strata=metrics.by_size).axes[0]
    with_lesion = [row for row in rows if row.area]
    assert 0 < len(with_lesion) == sum(bar.get_height() for bar in axes.patches)
    assert [line.get_xdata()[0] for line in axes.lines] == list(metrics.by_size.borders)


@pytest.mark.parametrize(("most", "named"), [(2600, ["300", "1,000"]), (250_000, ["1,000", "10,000", "100,000"])])
def test_sizes_are_named_where_there_is_room(rows, metrics, most, named):
    sizes = np.geomspace(290, most, len(rows))
    spread = [replace(row, area=int(size)) for row, size in zip(rows, sizes, strict=True)]
    strata = replace(metrics.by_size, unit="px", borders=(1000.0,))
    figure = plots.size_histogram_figure(spread, strata=strata)
    plots.as_svg_uri(figure)  # which makes room for them
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    assert [label.get_text() for place, label in ticks if low <= place <= high] == named
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))


def test_the_roc_curve_marks_the_decision():
    axes = plots.roc_figure(POSITIVE, SCORE, name="malignant", area=0.9).axes[0]
    x, y = axes.lines[2].get_xydata()[0]
    assert x == pytest.approx((SCORE[~POSITIVE] >= 0.5).mean())
    assert y == pytest.approx((SCORE[POSITIVE] >= 0.5).mean())


def test_calibration_intervals_hold_their_points():
    axes = plots.calibration_figure(POSITIVE, SCORE, name="malignant", error=0.05).axes[0]
    segments = axes.collections[0].get_segments()
    for (_, observed), segment in zip(axes.lines[1].get_xydata(), segments, strict=True):
        assert segment[0][1] - 1e-9 <= observed <= segment[1][1] + 1e-9


def test_the_froc_curve_marks_the_working_point_and_the_seven_rates():
    axes = plots.froc_figure(DETECTION).axes[0]
    curve, rates, working = axes.lines
    assert curve.get_drawstyle() == "steps-post"
    assert rates.get_xdata().tolist() == [0.125, 0.25, 0.5, 1, 2, 4, 8]
    assert rates.get_ydata() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert working.get_xydata()[0] == pytest.approx([0.5, 1 / 3])


def test_long_names_leave_the_plot_its_room():
    names = [f"fold {fold}{stage}" for fold in range(5) for stage in ("", ", stage located")]
    histories = {name: [{"epoch": 1.0, "val_dice": 0.5}] for name in names}
    longer = {name + " of a very long name" * 3: rows for name, rows in histories.items()}
    for shown in (histories, longer):
        figure = plots.curves_figure(shown, columns=["val_dice"])
        plots.as_svg_uri(figure)
        plot = figure.axes[0].get_position()
        assert plot.width > 0.19
        assert plot.height > 0.19
    figure = plots.curves_figure(histories, columns=["val_dice"])
    plots.as_svg_uri(figure)
    legend = figure.axes[0].get_legend().get_window_extent()
    assert figure.bbox.x0 <= legend.x0
    assert legend.x1 <= figure.bbox.x1


def test_labels_stand_inside_the_figure(rows, metrics):
    for figure in figures(rows, metrics):
        plots.as_svg_uri(figure)
        whole = figure.get_tightbbox().get_points() * figure.dpi
        assert (whole[0] >= figure.bbox.p0).all()
        assert (whole[1] <= figure.bbox.p1 + 1).all()


def test_a_long_name_beside_a_forest_is_not_cut():
    name = "Dice averaged over normals, 1 where both are empty (bus-bra)"
    figure = forest_figure([ForestLine(name, 0.1, (0.0, 0.2)), ForestLine("short", 0.0, None)], title="Dice")
    plots.as_svg_uri(figure)  # which makes room for them
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text().replace("\n", " ") for label in labels] == ["short", name]
    assert min(label.get_window_extent().x0 for label in labels) >= 0
