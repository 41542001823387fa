"""Prediction files of bustle and of other tools to cases.csv, metrics.json and report.html."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.model_provenance import ForeignProvenance
from bustle.core.run_layout import ScoredFolder
from bustle.core.tracks import Tracks, both_tracks
from bustle.core.types import Box, Case, Geometry, ImageSegmentation, Prediction, Sample
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.sources import open_sources
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.result_files import read_track
from bustle.experiments.evaluate import evaluate_foreign_predictions
from bustle.experiments.resampling_groups import groups_of_split, resampling_groups
from bustle.experiments.scored_method import Method, score_method
from bustle.inference.prediction_files import prediction_folder, write_prediction
from bustle.io.raster import write_png

pytestmark = pytest.mark.usefixtures("module_without_plots")

CLASSES = ("benign", "malignant")
SECTION = ImageData(size=(32, 64))


def lesion(index):
    mask = np.zeros((64, 96), np.uint8)
    mask[10 : 30 + index, 20:60] = 1
    return mask


def load(index, *, normal, annotated=True):
    mask = np.zeros((64, 96), np.uint8) if normal else lesion(index)
    return Sample(
        case_id=f"made/{index}",
        source="made",
        image=np.full((1, 64, 96), 60 + index, np.uint8),
        geometry=Geometry((64, 96), spacing=(0.1, 0.2)),
        label="normal" if normal else CLASSES[index % 2],
        lesion_mask=mask if annotated else None,
    )


def make_case(index, *, normal=False, annotated=True):
    sample = load(index, normal=normal, annotated=annotated)
    return Case(
        case_id=sample.case_id,
        source="made",
        load=functools.partial(load, index, normal=normal, annotated=annotated),
        label=sample.label,
        has_mask=annotated,
    )


CASES = [
    *(make_case(index) for index in range(8)),
    make_case(8, normal=True),
    make_case(9, normal=True, annotated=False),
]


def write_foreign(folder, *, skip=(), probabilities=True):
    folder.mkdir()
    for case in CASES:
        number = int(case.case_id.split("/")[1])
        if number not in skip:
            mask = np.roll(lesion(number) > 0, 2, axis=1) if number < 8 else np.zeros((64, 96), bool)
            write_png(folder / f"{number}.png", mask)
    if probabilities:
        lines = [f"{case.case_id},{0.9 - 0.08 * i:.3f},{0.1 + 0.08 * i:.3f}" for i, case in enumerate(CASES)]
        (folder / "probabilities.csv").write_text("\n".join(["\ufeffcase_id,benign,malignant", *lines]), "utf-8")
    return folder


def write_own(folder):
    for case in CASES:
        grid = ImageGrid.of(Geometry((64, 96), spacing=(0.1, 0.2)), section=SECTION)
        number = int(case.case_id.split("/")[1])
        mask = np.roll(lesion(number) > 0, 2, axis=1) if number < 8 else np.zeros((64, 96), bool)
        prediction = Prediction(
            case_id=case.case_id,
            geometry=grid.geometry,
            mapping=grid.mapping,
            segmentation=ImageSegmentation(
                mask.astype(np.float32), mask, network_mask=grid.mask_to_network(mask), lesions=()
            ),
            class_probabilities={"benign": 0.4, "malignant": 0.6},
            decision="malignant",
            provenance=MADE_MODEL,
        )
        write_prediction(prediction, prediction_folder(folder, case.case_id))
    return folder


def score(folder, out, *, track="strict", published=None, cases=CASES, groups=None, missing="error"):
    """Without a `published` protocol only the main track is scored."""
    rules = both_tracks(track, published=published or "strict")
    return score_method(
        Method(title="Made up", classes=CLASSES, predictions=Tracks(folder, folder), trained_on="On these."),
        cases=cases,
        out=out,
        rules=rules if published else Tracks(rules.main, None),
        groups=groups or resampling_groups(cases),
        missing=missing,
        resamples=50,
    )


def test_foreign_masks_and_probabilities_with_a_byte_order_mark(tmp_path):
    metrics = evaluate_foreign_predictions(
        write_foreign(tmp_path / "masks"), cases=CASES, out=tmp_path / "out", track="strict"
    )
    rows = read_cases(tmp_path / "out" / "cases.csv")
    assert [row.case_id for row in rows] == [case.case_id for case in CASES]
    assert rows[0].dice == pytest.approx(38 / 40)
    assert rows[0].hd95_px == pytest.approx(2)
    assert [row.decision for row in rows] == ["benign"] * 6 + ["malignant"] * 4, "the first of equals"
    assert rows[0].hd95_mm == pytest.approx(0.4)
    assert rows[0].probability("malignant") == pytest.approx(0.1)
    assert rows[8].dice is None
    assert metrics.segmentation["dice"].n == 8
    assert metrics.segmentation["fp_rate_on_normals"].n == 2  # a normal needs no mask file to be known empty
    assert metrics.classification.n == 8
    assert read_track(tmp_path / "out" / "metrics.json") == metrics
    assert "Predictions of masks" in (tmp_path / "out" / "report.html").read_text()


def test_both_tracks_from_own_files(tmp_path):
    metrics = score(write_own(tmp_path / "own"), tmp_path / "out", published="rmtl")
    other = json.loads((tmp_path / "out" / "metrics_published.json").read_text())
    assert metrics.resolution == "native"
    assert other["resolution"] == "network"
    assert metrics.model == MADE_MODEL
    native, network = (read_cases(tmp_path / "out" / name)[0] for name in ("cases.csv", "cases_published.csv"))
    assert native.area == 20 * 40
    grid = ImageGrid.of(Geometry((64, 96)), section=SECTION)
    assert network.area == grid.mask_to_network(lesion(0) > 0).sum()
    assert network.area_mm2 == pytest.approx(native.area_mm2, rel=0.1)  # the same square millimetres
    assert native.hd95_mm == pytest.approx(0.4)
    assert network.hd95_mm == pytest.approx(0.4, abs=0.3)
    assert other["classification"]["positive_class"] == "benign"


def test_a_result_tells_the_model_that_all_its_predictions_share(tmp_path):
    folder, out = write_own(tmp_path / "own"), tmp_path / "out"
    score(folder, out)
    assert read_track(out / "metrics.json").model == MADE_MODEL
    assert "<dd>fold-0 ab</dd>" in (out / "report.html").read_text()
    records = [prediction_folder(folder, case.case_id) / "prediction.json" for case in CASES]
    for record in records:
        record.write_text(
            json.dumps(json.loads(record.read_text()) | {"provenance": {"tool": "another", "epochs": 9}})
        )
    score(folder, out)
    assert read_track(out / "metrics.json").model == ForeignProvenance({"tool": "another", "epochs": 9})
    assert "<dt>epochs</dt>\n<dd>9</dd>" in (out / "report.html").read_text()
    for nothing in ({"tool": "a second"}, {}):
        records[0].write_text(json.dumps(json.loads(records[0].read_text()) | {"provenance": nothing}))
        assert score(folder, out).model is None


def test_the_published_track_of_foreign_masks_is_refused_or_left_out(tmp_path):
    folder = write_foreign(tmp_path / "masks")
    with pytest.raises(InputError, match="no mask on its network's grid"):
        score(folder, tmp_path / "out", track="published", published="rmtl")
    score(folder, tmp_path / "out", published="rmtl")
    assert not (tmp_path / "out" / "metrics_published.json").exists()
    with pytest.raises(InputError, match="needs a protocol"):
        evaluate_foreign_predictions(folder, cases=CASES, out=tmp_path / "out", track="published")


def test_missing_predictions_stop_or_count_as_empty(tmp_path):
    folder = write_foreign(tmp_path / "masks", skip=(0, 3))
    with pytest.raises(InputError, match=r"2 of 10 cases have no mask \(made/0, made/3\).*as-empty"):
        score(folder, tmp_path / "out")
    metrics = score(folder, tmp_path / "out", missing="as-empty")
    assert metrics.segmentation["missed_lesions"].mean == pytest.approx(2 / 8)
    assert any("2 of 10" in warning for warning in metrics.warnings)


def test_missing_probabilities_stop(tmp_path):
    folder = write_foreign(tmp_path / "masks")
    table = folder / "probabilities.csv"
    table.write_text("\n".join(table.read_text("utf-8").splitlines()[:5]), "utf-8")
    with pytest.raises(InputError, match="6 of 10 cases have no class probabilities"):
        score(folder, tmp_path / "out")
    metrics = score(folder, tmp_path / "out", missing="as-empty")
    assert metrics.classification.n == 4
    assert metrics.segmentation["dice"].n == 8


def test_probabilities_alone_are_scored(tmp_path):
    folder = write_foreign(tmp_path / "masks", skip=range(10))
    metrics = score(folder, tmp_path / "out")
    assert metrics.segmentation is None
    assert metrics.classification.n == 8


def test_predictions_of_unknown_cases_are_mentioned(tmp_path):
    folder = write_foreign(tmp_path / "masks")
    write_png(folder / "elsewhere.png", lesion(0) > 0)
    write_png(folder / "made" / "77" / "mask.png", lesion(0) > 0)
    warnings = score(folder, tmp_path / "out", groups=groups_of_split({})).warnings
    assert warnings[0] == "2 predictions belong to none of the cases (elsewhere.png, made/77)"


def test_cases_of_a_class_that_the_method_does_not_know_are_mentioned(tmp_path):
    told = "2 cases are of a class that the method does not know (normal, not among benign, malignant)"
    with_classes = score(write_foreign(tmp_path / "both"), tmp_path / "out", groups=groups_of_split({})).warnings
    assert with_classes == (f"{told}: they count in no class metric",)
    masks = write_foreign(tmp_path / "masks", probabilities=False)
    assert score(masks, tmp_path / "out-masks", groups=groups_of_split({})).warnings == ()


def test_a_mask_of_another_size_is_refused(tmp_path):
    folder = write_foreign(tmp_path / "masks")
    write_png(folder / "4.png", np.ones((64, 95), bool))
    with pytest.raises(InputError, match=r"4.png: the predicted mask is 64 x 95, the image of 'made/4' 64 x 96"):
        score(folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("case_id,benign", "lacks the column malignant"),
        ("case_id,benign,malignant,cyst", "unknown class 'cyst'"),
        ("id,benign,malignant", "lacks columns"),
    ],
)
def test_wrong_probability_columns_are_named(tmp_path, header, problem):
    folder = write_foreign(tmp_path / "masks", probabilities=False)
    columns = header.count(",")
    rows = [",".join([case.case_id, *["0.5"] * columns]) for case in CASES]
    (folder / "probabilities.csv").write_text("\n".join([header, *rows]))
    with pytest.raises(InputError, match=problem):
        evaluate_foreign_predictions(folder, cases=CASES, out=tmp_path / "out", track="strict")


def test_probabilities_must_sum_to_one(tmp_path):
    folder = write_foreign(tmp_path / "masks", probabilities=False)
    rows = [f"{case.case_id},0.5,0.9" for case in CASES]
    (folder / "probabilities.csv").write_text("\n".join(["case_id,benign,malignant", *rows]))
    with pytest.raises(InputError, match=r"sum to 1\.400"):
        evaluate_foreign_predictions(folder, cases=CASES, out=tmp_path / "out", track="strict")


def test_nothing_to_score_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no prediction of these cases"):
        score(tmp_path / "empty", tmp_path / "out")
    unlabelled = Case(case_id="made/1", source="made", load=CASES[1].load)
    with pytest.raises(InputError, match="none of the cases has a mask, a box or a class"):
        evaluate_foreign_predictions(tmp_path, cases=[unlabelled], out=tmp_path / "out", track="strict")


def boxed_case(index):
    """The case without its mask, with the tight box of its lesion and a smaller one beside it."""

    def load_boxed():
        sample = load(index, normal=False, annotated=False)
        return replace(sample, boxes=(Box(0, 0, 4, 4), Box(10, 20, 30 + index, 60)))

    return replace(CASES[index], load=load_boxed, has_mask=False, has_box=True, label=None)


def test_cases_with_boxes_alone_are_scored_by_them(tmp_path):
    boxed = [boxed_case(index) for index in range(8)]
    metrics = evaluate_foreign_predictions(
        write_foreign(tmp_path / "masks", probabilities=False), cases=boxed, out=tmp_path / "out", track="strict"
    )
    assert metrics.classification is None
    assert metrics.segmentation["dice"].n == 0
    assert metrics.segmentation["box_iou"].mean == pytest.approx(38 / 42)  # moved by 2 of 40 columns
    rows = read_cases(tmp_path / "out" / "cases.csv")
    assert [row.box_iou for row in rows] == pytest.approx([38 / 42] * 8)
    assert "Box IoU" in (tmp_path / "out" / "report.html").read_text()


def test_boxes_follow_to_the_networks_grid(tmp_path):
    metrics = score(
        write_own(tmp_path / "own"),
        tmp_path / "out",
        cases=[boxed_case(index) for index in range(0, 8, 2)],  # their edges divide by two
        track="published",
        published="lanet",
    )
    # 64 x 96 becomes 32 x 64: columns 20 to 60 are 13.3 to 40, so 13 to 40; the mask's 22 to 62 are 15 to 41
    assert metrics.segmentation["box_iou"].mean == pytest.approx(25 / 28)
    beside = json.loads((tmp_path / "out" / "metrics_strict.json").read_text())
    assert beside["segmentation"]["box_iou"]["mean"] == pytest.approx(38 / 42)


def spoil(folder, number, **changed):
    record = folder / "made" / str(number) / "prediction.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | changed))


def test_unreadable_predictions_are_told_one_line_each_and_counted(tmp_path, capsys):
    folder = write_own(tmp_path / "own")
    spoil(folder, 1, decision=7)
    spoil(folder, 4, class_probabilities={"benign": "much"})
    (folder / "made" / "5" / "prediction.json").write_text("no JSON")
    write_png(folder / "made" / "6" / "network_mask.png", np.zeros((9, 9), bool))
    with pytest.raises(InputError, match=r"4 of 10 predictions cannot be read \(made/1, made/4, made/5, …\)"):
        evaluate_foreign_predictions(folder, cases=CASES, out=tmp_path / "out", track="strict")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: ")]
    assert [str(number) in line.split(str(folder))[1] for number, line in zip((1, 4, 5, 6), lines, strict=True)]
    assert "record.decision is 7; it must be text" in lines[0]
    metrics = evaluate_foreign_predictions(
        folder, cases=CASES, out=tmp_path / "out", track="strict", missing="as-empty"
    )
    assert any("4 of 10 predictions cannot be read" in warning for warning in metrics.warnings)
    rows = read_cases(tmp_path / "out" / "cases.csv")
    assert [row.prediction_empty for row in rows[:8]] == [number in (1, 4, 5, 6) for number in range(8)]
    assert [row.decision is None for row in rows[:8]] == [number in (1, 4, 5, 6) for number in range(8)]


def test_the_classes_are_those_of_the_first_prediction_that_can_be_read(tmp_path):
    folder = write_own(tmp_path / "own")
    spoil(folder, 0, class_probabilities=[0.5, 0.5])
    metrics = evaluate_foreign_predictions(
        folder, cases=CASES, out=tmp_path / "out", track="strict", missing="as-empty"
    )
    assert metrics.classification.classes == CLASSES


def test_no_readable_prediction_is_no_result(tmp_path):
    folder = write_own(tmp_path / "own")
    for number in range(len(CASES)):
        spoil(folder, number, geometry=None)
    with pytest.raises(InputError, match="10 of 10 predictions cannot be read"):
        evaluate_foreign_predictions(folder, cases=CASES, out=tmp_path / "out", track="strict", missing="as-empty")


def test_scoring_that_is_interrupted_leaves_no_scored_folder(tmp_path, monkeypatch):
    """Neither the first time nor over an older result, whose figures may be other ones."""
    folder = write_foreign(tmp_path / "masks")

    def interrupted(*_):
        raise KeyboardInterrupt

    score(folder, tmp_path / "again")
    assert ScoredFolder(tmp_path / "again").is_scored
    monkeypatch.setattr("bustle.experiments.scored_method.write_evaluation_page", interrupted)
    for out in ("first", "again"):
        with pytest.raises(KeyboardInterrupt):
            score(folder, tmp_path / out)
        assert ScoredFolder(tmp_path / out).main.cases.exists()
        assert not ScoredFolder(tmp_path / out).is_scored


def test_leak_groups_are_what_is_resampled(tmp_path):
    folder = write_foreign(tmp_path / "masks")
    groups = groups_of_split({case.case_id: "same" for case in CASES[:4]})
    metrics = score(folder, tmp_path / "out", groups=groups)
    assert metrics.n_groups == 7
    assert (metrics.groups, metrics.resampled) == ("split", "patients and near-duplicate images")


def test_real_masks_shifted_by_three_pixels(tmp_path: Path, real_data: Path):
    cases = [
        case
        for case in open_sources([f"busi:{real_data / 'busi'}"]).cases
        if case.case_id in ("busi/benign (1)", "busi/malignant (3)", "busi/normal (5)", "busi/benign (100)")
    ]
    for case in cases:
        mask = case.load().lesion_mask
        assert mask is not None
        write_png(tmp_path / "masks" / f"{case.case_id}.png", np.roll(mask > 0, 3, axis=0))
    metrics = evaluate_foreign_predictions(tmp_path / "masks", cases=cases, out=tmp_path / "out", track="strict")
    lesions = [row for row in read_cases(tmp_path / "out" / "cases.csv") if row.label != "normal"]
    assert len(lesions) == 3
    assert all(row.hd95_px == pytest.approx(3) for row in lesions)
    assert metrics.segmentation["fp_rate_on_normals"].mean == 0
