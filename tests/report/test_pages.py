"""The pages are self-contained, well formed, say what they must and escape what they are given."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from tests.made_results import MADE_UP

from bustle.core.recipe import load_protocol
from bustle.core.tracks import Tracks
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.comparison import compare_classes, compare_masks
from bustle.evaluation.comparison_results import (
    Comparison,
    MetricComparison,
    RunSummary,
    SharedBootstrap,
    TrackComparison,
)
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.faithfulness import MethodCurves, explanation_figures
from bustle.evaluation.figures import SizeFigures
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.froc import summarise_detection
from bustle.evaluation.outline_errors import ErrorAreas
from bustle.evaluation.statistics import GroupResamples
from bustle.report.appendix import Partition
from bustle.report.comparison_page import write_comparison_page
from bustle.report.evaluation_page import ReportedTracks, headline_cards, write_evaluation_page
from bustle.report.explanations import ExplainedCase, ReportedExplanations
from bustle.report.gallery import FALSE_POSITIVES, WORST, ShownImage, ShownVolume, as_jpeg_uri
from bustle.report.run_page import FoldCurves, write_run_page

CLASSES = ("benign", "malignant")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checker(HTMLParser):
    """Collects text and addresses and checks that every element that opens also closes."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.words, self.places = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.places += [f"#{value}" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def checked(path, *, files=()):
    page = Checker()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert len(page.places) == len(set(page.places))
    outside = [each for each in page.addresses if not each.startswith("data:") and each not in page.places]
    assert outside == list(files)
    return " ".join(" ".join(page.words).split())


def reported(rows, metrics, *, companion=None, pictures):
    results = Tracks(metrics, companion)
    protocols = results.map(lambda result: load_protocol(result.protocol))
    return ReportedTracks(
        results=results, protocols=protocols, rows=rows, classes=CLASSES, pictures=pictures, trained_on="On these."
    )


def write(path, rows, metrics, *, companion=None, pictures=None):
    picture = ShownImage(rows[0], np.zeros((1, 48, 64), np.uint8), np.ones((48, 64), bool), None)
    shown = pictures or {WORST: [picture]}
    write_evaluation_page(path, reported(rows, metrics, companion=companion, pictures=shown))
    return checked(path)


def test_the_page_states_figures_intervals_units_and_rules(tmp_path, rows, metrics):
    text = write(tmp_path / "report.html", rows, metrics)
    dice = metrics.segmentation["dice"]
    assert f"{dice.mean:.3f}" in text
    assert f"{dice.ci95[0]:.3f} to {dice.ci95[1]:.3f}" in text
    assert "Positive class: malignant" in text
    assert "lesion present and nothing drawn: Dice 0, distance = image diagonal" in text
    assert WORST in text
    for row in rows:
        assert row.case_id in text


def test_every_case_is_listed_with_what_is_remarkable_and_linked_with_its_pictures(tmp_path, rows, metrics):
    picture = ShownImage(rows[2], np.zeros((1, 48, 64), np.uint8), np.ones((48, 64), bool), None)
    links = {rows[1].case_id: "predictions/made/1/overlay.png"}
    page = replace(reported(rows, metrics, pictures={FALSE_POSITIVES: [picture]}), overlays=links)
    write_evaluation_page(tmp_path / "report.html", page)
    checked(tmp_path / "report.html", files=links.values())
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    listed = [part.partition("</tr>")[0] for part in written.split("<tr data-source=")[1:]]
    assert len(listed) == len(rows)
    assert "lesion missed" in listed[0]
    assert "lesion missed" not in listed[1]
    assert "lesion drawn on a normal" in listed[2]
    assert ["#picture-0-0" in row for row in listed] == [row is rows[2] for row in rows]
    assert ">ASD px</button>" in written
    without = [replace(row, asd_px=None) for row in rows]
    write(tmp_path / "report.html", without, metrics)
    assert ">ASD px</button>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_check_of_explanation_maps_has_its_figures_and_pictures(tmp_path, rows, metrics):
    rng = np.random.default_rng(0)
    curves = MethodCurves(rng.random((6, 3)), rng.random((6, 3)), list(rng.random(6)))
    figures = explanation_figures(
        {"cam": curves},
        random=curves,
        fractions=np.linspace(0, 1, 3),
        groups=list("abcdef"),
        outline=[ErrorAreas(0.8, 0.7)] * 6,
        resamples=50,
    )
    pictures = {"class activation map for malignant": np.zeros((3, 40, 60), np.uint8)}
    shown = [ExplainedCase("site/<a>", "benign", pictures)]
    page = replace(reported(rows, metrics, pictures={}), explanations=ReportedExplanations(figures, shown))
    write_evaluation_page(tmp_path / "report.html", page)
    text = checked(tmp_path / "report.html")
    section = text[text.index("Explanation maps") :]
    likeness = figures.methods["cam"].estimates["likeness_to_shuffled"]
    assert f"class activation map Likeness to a shuffled network's map {likeness.mean:.3f}" in section
    assert "6 cases, 6 groups" in section
    assert "class activation map for malignant, truth benign" in section
    assert "to shuffle those of a package takes" not in section
    assert "uncertainty of the outline Area under the ROC curve for wrong pixels 0.800" in section
    assert "nearness to the drawn edge 0.100" in section
    assert "Deletion" in section
    assert "Explanation maps" not in write(tmp_path / "report.html", rows, metrics)


@pytest.mark.usefixtures("without_plots")
def test_both_tracks_stand_side_by_side(tmp_path, rows, metrics, made_up_rows, made_up_metrics):
    other = made_up_metrics(made_up_rows(protocol="rmtl"), protocol="rmtl", track="published")
    text = write(tmp_path / "report.html", rows, metrics, companion=other)
    assert "published" in text
    assert "strict: malignant is the positive class. published: benign is the positive class." in text
    assert "their sensitivity is the specificity of most other work" in text
    assert f"{other.segmentation['dice'].mean:.3f}" in text


@pytest.mark.usefixtures("without_plots")
def test_tables_of_subsets_name_the_distance_and_show_no_empty_columns(tmp_path, rows, metrics):
    text = write(tmp_path / "report.html", rows, metrics)
    by_class, by_size = text[text.index("By class") :].split("By lesion size")
    assert "AUC" not in by_class
    assert "AUC" in by_size
    assert "HD95 px" in by_size
    pooled = replace(metrics, headline_distance="hd95_pooled")
    assert "IoU HD95, pooled, px HD95, pooled, mm" in write(tmp_path / "report.html", rows, pooled)


@pytest.mark.usefixtures("without_plots")
def test_a_volume_shows_its_cuts_and_its_surfaces(tmp_path, rows, metrics):
    cuts, surface = np.zeros((3, 20, 60), np.uint8), np.zeros((3, 20, 24), np.uint8)
    pictures = {WORST: [ShownVolume(rows[0], cuts, surface), ShownVolume(rows[1], cuts, None)]}
    write(tmp_path / "report.html", rows, metrics, pictures=pictures)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count('" class="wide">') == 2
    assert html.count("data:image/jpeg") == 3


@pytest.mark.usefixtures("without_plots")
def test_the_maps_of_the_network_stand_beside_the_outlines_of_their_case(tmp_path, rows, metrics):
    maps = {title: as_jpeg_uri(np.zeros((20, 30, 3), np.uint8)) for title in ("coarse <gland>", "gate unit")}
    image = np.zeros((1, 48, 64), np.uint8)
    pictures = {WORST: [ShownImage(rows[0], image, None, None, maps), ShownImage(rows[1], image, None, None)]}
    text = write(tmp_path / "report.html", rows, metrics, pictures=pictures)
    assert text.index(rows[0].case_id) < text.index("coarse <gland> gate unit") < text.rindex(rows[1].case_id)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 4
    assert html.count('<div class="strip">') == 1


def test_lesions_found_have_a_table_and_a_curve(tmp_path, rows, metrics):
    assert "Lesions found" not in write(tmp_path / "report.html", rows, metrics)
    detected = [
        DetectedCase(
            case_id="1", group_id="a", hit_scores=(0.9, None), lesion_mm3=(500.0, 2000.0), false_scores=(0.4,)
        )
    ]
    found = summarise_detection(detected, least_iou=0.2, threshold=0.5, resamples=10)
    text = write(tmp_path / "report.html", rows, replace(metrics, lesion_detection=found))
    assert "2 lesions in 1 cases. A candidate finds a lesion by IoU of at least 0.2" in text
    assert "FROC curve" in text
    assert "Sensitivity at 0.125 per case fraction 0.500 0.000 to 1.000 2" in text
    assert "Lesions found, up to 1000 mm³ fraction 1.000 0.025 to 1.000 1" in text
    assert "Lesions found, above 1000 mm³ fraction 0.000 0.000 to 0.975 1" in text


@pytest.mark.usefixtures("without_plots")
def test_strata_of_volumes_name_their_border(tmp_path, rows, metrics):
    strata = {"small": metrics.by_size.strata["small"], "large": metrics.by_size.strata["large"]}
    by_size = SizeFigures(unit="mm³", borders=(1000.0,), strata=strata)
    with_volumes = [replace(row, volume_mm3=row.area) for row in rows]
    text = write(tmp_path / "report.html", with_volumes, replace(metrics, by_size=by_size))
    assert "small (≤ 1,000 mm³)" in text
    assert "thirds" not in text.split("By lesion size")[1]


@pytest.mark.usefixtures("without_plots")
def test_the_page_says_how_often_class_and_outline_contradict_each_other(tmp_path, rows, metrics, made_up_metrics):
    text = write(tmp_path / "report.html", rows, metrics)
    section = text[text.index("Do class and outline agree?") : text.index("By class")]
    lesions = [row for row in rows if row.label != "normal"]
    undrawn = sum(row.prediction_empty for row in lesions)
    assert undrawn == 1
    assert f"{undrawn} of {len(lesions)}" in section
    assert "Called a lesion, yet nothing is drawn fraction 0.062" in section
    assert "cases called a lesion with nothing drawn / all cases called a lesion" in section
    assert "Called normal" not in section  # the model has no such class
    outlines_only = [replace(row, decision=None) for row in rows]
    assert "Do class and outline agree?" not in write(
        tmp_path / "report.html", outlines_only, made_up_metrics(outlines_only)
    )


@pytest.mark.usefixtures("without_plots")
def test_ctg_nets_two_false_positive_rates_stand_beside_each_other(tmp_path, made_up_rows, made_up_metrics):
    rows = made_up_rows(protocol="ctg")
    metrics = made_up_metrics(rows, protocol="ctg", track="published")
    text = write(tmp_path / "report.html", rows, metrics)
    assert 0 < text.index("tFPR ratio") < text.index("FPR over the union fraction")
    assert {"tfpr", "fpr_union"} <= set(metrics.segmentation)


@pytest.mark.usefixtures("without_plots")
def test_the_model_is_named_in_words(tmp_path, rows, metrics):
    model = {"recipe": "demo", "weights": [{"fold": "fold-0", "sha256": "aa"}, {"fold": "fold-1", "sha256": "bb"}]}
    text = write(tmp_path / "report.html", rows, replace(metrics, model=model))
    assert "recipe demo weights fold-0 aa fold-1 bb" in text


def test_names_from_data_cannot_inject_markup(tmp_path, rows, metrics):
    wicked = [replace(row, case_id="made/<script>alert(1)</script>") for row in rows]
    write(tmp_path / "report.html", wicked, replace(metrics, warnings=("<b>careful</b>",)))
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in content
    assert "&lt;b&gt;careful" in content


@pytest.mark.parametrize("without", ["class", "mask"])
def test_a_page_without_classes_or_without_masks(tmp_path, rows, made_up_metrics, without):
    if without == "class":
        partial = [replace(row, probabilities=dict.fromkeys(CLASSES)) for row in rows]
    else:
        kept = ("case_id", "patient_id", "group_id", "source", "label", "decision", "size_stratum", "probabilities")
        partial = [CaseRow(**{name: getattr(row, name) for name in kept}) for row in rows]
    metrics = made_up_metrics(partial)
    text = write(tmp_path / "report.html", partial, metrics)
    assert ("ROC curve" in text) == (without == "mask")
    assert ("Dice of every case" in text) == (without == "class")
    assert bool(headline_cards(metrics))


def test_the_headline_distance_is_in_mm_where_every_spacing_is_known(metrics, rows, made_up_metrics):
    assert "HD95" in {card.title for card in headline_cards(metrics) if card.entry.unit == "mm"}
    half = [replace(row, hd95_mm=None, area_mm2=None) if index % 2 else row for index, row in enumerate(rows)]
    units = {card.entry.unit for card in headline_cards(made_up_metrics(half))}
    assert "px" in units
    assert "mm" not in units


def test_the_headline_distance_is_the_one_that_the_protocol_leads_with(metrics):
    shown = {}
    for name in ("rmtl", "acsnet"):
        figures = replace(metrics, headline_distance=load_protocol(name).hd95)
        shown[name] = [card.title for card in headline_cards(figures) if card.title.startswith("HD95")]
    assert shown == {"rmtl": ["HD95"], "acsnet": ["HD95, pooled"]}


def test_the_run_page_shows_folds_and_learning_curves(tmp_path, rows, metrics, made_up_rows, made_up_metrics):
    first = {"epoch": 1, "lr": 0.1, "train_loss": 2.0, "val_dice": None, "seconds": 1.0}
    curve = (first, first | {"epoch": 2, "train_loss": 1.5, "val_dice": 0.6})
    folds = [made_up_metrics(made_up_rows(seed=number)) for number in range(3)]
    over_folds = summarise_folds(folds, pooled=folds[0], protocol=load_protocol("strict"))
    page = reported(rows, metrics, pictures={})
    curves = {number: FoldCurves(curve, earlier_stages={}) for number in range(3)}
    write_run_page(
        tmp_path / "report.html",
        page,
        curves=curves,
        over_folds=Tracks(over_folds, None),
        partition=Partition(folds=5, tested=3, test_share=0.2, seed=0),
    )
    text = checked(tmp_path / "report.html")
    auc = over_folds.classification.estimates["auc"]
    assert f"{auc.mean:.3f} ± {auc.sd:.3f}" in text
    assert "Loss over the epochs" in text
    assert "Validation over the epochs" in text
    assert "SD over folds (ddof 1)" in text
    assert "strict: malignant is the positive class." in text.split("Folds")[1].split("HD95")[0]
    assert "HD95 px" in text


def comparison_of(rows, other):
    """Of Dice and AUC."""
    resamples = GroupResamples.draw([row.case_id for row in rows], resamples=20, seed=0)
    strict = load_protocol("strict")
    masks = compare_masks(rows, other, resamples=resamples)
    decided = compare_classes(rows, other, resamples=resamples, protocol=strict, classes=CLASSES)
    entries = [
        MetricComparison(
            run="<new>",
            part=part,
            metric=metric,
            family=family,
            **vars(found[metric]),
            test="bootstrap",
            p=0.0004,
            p_holm=0.02,
            n_family=2,
        )
        for part, metric, family, found in (
            ("segmentation", "dice", "masks", masks),
            ("classification", "auc", "classes", decided),
        )
    ]
    track = TrackComparison(
        track="strict",
        protocol="strict",
        spread="fold_sd",
        resolution="native",
        empty_policy="undefined",
        classes=CLASSES,
        positive_class="malignant",
        average="binary",
        n_cases=24,
        n_tested=24,
        n_groups=24,
        bootstrap=SharedBootstrap(method="percentile", groups="patients", resamples=2000, seed=0),
        warnings=("px!",),
        comparisons=tuple(entries),
    )
    return Comparison(
        reference="old",
        runs=tuple(RunSummary(name=name, title=f"Method {name}", folder=name, folds=1) for name in ("old", "<new>")),
        warnings=(),
        tracks=(track,),
        provenance=MADE_UP,
    )


def test_a_comparisons_page_states_differences_tests_and_every_case(tmp_path, made_up_rows):
    rows, other = made_up_rows(), made_up_rows(seed=1)
    path = tmp_path / "report.html"
    comparison = comparison_of(rows, other)
    write_comparison_page(path, comparison, rows={"old": rows, "<new>": other})
    text = checked(path)
    for words in ("<new> minus old", "Method <new>", "strict: px!", "<0.001", "0.020", "Dice fraction higher"):
        assert words in text
    assert path.read_text().count("data:image/svg+xml") == 5, "every case, differences, bars of two metrics, ROC"
    assert all(row.case_id in text for row in rows)


def test_a_comparison_without_masks_or_classes_has_neither_their_plots(tmp_path, made_up_rows):
    rows = [replace(row, dice=None, box_iou=None) for row in made_up_rows()]
    comparison = comparison_of(made_up_rows(), made_up_rows())
    track = replace(comparison.tracks[0], comparisons=(), positive_class=None, classes=())
    comparison = replace(comparison, tracks=(track,))
    write_comparison_page(tmp_path / "r.html", comparison, rows={"old": rows, "<new>": rows})
    assert "data:image" not in (tmp_path / "r.html").read_text()
    assert "Plots" not in checked(tmp_path / "r.html")
