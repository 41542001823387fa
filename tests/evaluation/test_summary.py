"""From scored cases to metrics.json and to folds."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow, case_columns, read_cases, write_cases
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.froc import summarise_detection
from bustle.evaluation.strata import size_strata, with_size_strata
from bustle.evaluation.summary import Scoring, summarise

CLASSES = ("benign", "malignant")


def disc(radius, centre=(40, 50)):
    y, x = np.mgrid[:80, :100]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2 if radius else np.zeros((80, 100), bool)


def made_up_rows(count=40, *, seed=0, protocol="strict", spacing=(0.1, 0.1)):
    """Cases of two sources, two images a patient, every tenth lesion missed and every eighth case normal."""
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        label = "normal" if index % 8 == 7 else CLASSES[index % 2]
        radius = 0 if label == "normal" else 6 + index % 20
        malignant = float(np.clip(0.35 * (label == "malignant") + 0.65 * rng.random(), 0, 1))
        truth = TruthCase(
            case_id=f"made/{index}",
            source="left" if index < count // 2 else "right",
            patient_id=str(index // 2),
            label=label,
            mask=disc(radius),
            spacing=spacing,
        )
        drawn = 0 if index % 10 == 9 else radius
        if index == 7:
            drawn = 4
        predicted = PredictedCase(
            case_id=truth.case_id,
            mask=disc(drawn, centre=(41, 52)),
            class_probabilities={"benign": 1 - malignant, "malignant": malignant},
            decision=CLASSES[malignant > 0.5],
        )
        rows.append(score_case(truth, predicted, protocol=load_protocol(protocol), classes=CLASSES))
    return with_size_strata(rows)


ROWS = made_up_rows()
HEADER = ",".join(case_columns(CLASSES))


def summary_of(rows, *, protocol="strict", classes=CLASSES, resamples=200):
    scoring = Scoring(protocol=load_protocol(protocol), classes=classes, resamples=resamples)
    return summarise(rows, scoring=scoring, track="strict")


def test_point_values_are_means_over_the_rows():
    metrics = summary_of(ROWS)
    dice = [row.dice for row in ROWS if row.dice is not None]
    found = metrics.segmentation["dice"]
    assert found.mean == pytest.approx(np.mean(dice))
    assert found.sd == pytest.approx(np.std(dice, ddof=1))
    assert found.n == len(dice) == 35
    assert found.ci95[0] < found.mean < found.ci95[1]
    assert found.unit == "fraction"
    assert found.empty_policy == "strict"
    assert metrics.segmentation["hd95_mm"].mean == pytest.approx(metrics.segmentation["hd95_px"].mean / 10)


def test_normals_count_only_in_false_positives():
    segmentation = summary_of(ROWS).segmentation
    assert segmentation["fp_rate_on_normals"].n == 5
    assert segmentation["fp_rate_on_normals"].mean == pytest.approx(1 / 5)
    assert segmentation["false_positive_area"].mean == pytest.approx(disc(4).sum() / 5)
    assert segmentation["missed_lesions"].mean == pytest.approx(3 / 35)  # 9, 19, 29; case 39 is a normal


def test_a_lesion_is_missed_when_only_other_places_are_drawn():
    truth = TruthCase(case_id="made/0", source="made", patient_id=None, label="benign", mask=disc(6), spacing=None)
    probabilities = {"benign": 0.5, "malignant": 0.5}
    rows = [
        score_case(
            truth,
            PredictedCase(
                case_id="made/0", mask=disc(5, centre=centre), class_probabilities=probabilities, decision="benign"
            ),
            protocol=load_protocol("strict"),
            classes=CLASSES,
        )
        for centre in ((15, 20), (40, 50), (40, 58), (60, 80))
    ]
    assert summary_of(with_size_strata(rows)).segmentation["missed_lesions"].mean == 0.5


def test_undefined_distances_are_counted_and_left_out():
    hd95 = summary_of(made_up_rows(protocol="rmtl"), protocol="rmtl").segmentation["hd95_px"]
    assert hd95.n_undefined == 4  # three missed lesions and one drawn on a normal
    assert hd95.n == 36
    zero = summary_of(made_up_rows(protocol="acsnet"), protocol="acsnet").segmentation["hd95_px"]
    assert zero.n_undefined == 0
    assert zero.mean == pytest.approx(hd95.mean * 36 / 40)


def test_class_metrics_leave_out_classes_that_the_model_does_not_know():
    classification = summary_of(ROWS).classification
    known = [row for row in ROWS if row.label in CLASSES]
    expected = roc_auc_score([row.label == "malignant" for row in known], [r.probability("malignant") for r in known])
    assert classification.n == len(known) == 35
    assert classification.positive_class == "malignant"
    assert classification.estimates["auc"].mean == pytest.approx(expected)
    assert np.sum(classification.confusion) == 35


def test_benign_is_positive_in_rmtl_nets_protocol():
    strict, rmtl = summary_of(ROWS).classification, summary_of(ROWS, protocol="rmtl").classification
    assert rmtl.positive_class == "benign"
    assert rmtl.estimates["auc"].mean == pytest.approx(strict.estimates["auc"].mean)
    assert rmtl.estimates["sensitivity"].mean == pytest.approx(strict.estimates["specificity"].mean)


def test_three_classes():
    rng = np.random.default_rng(0)
    classes = ("benign", "malignant", "normal")
    rows = []
    for row in ROWS:
        weights = rng.random(3) + [row.label == name for name in classes]
        rows.append(replace(row, probabilities=dict(zip(classes, weights / weights.sum(), strict=True))))
    found = summary_of(rows, classes=classes).classification
    truth = [classes.index(row.label) for row in rows]
    table = np.array([[row.probability(name) for name in classes] for row in rows])
    assert found.estimates["auc_macro_ovr"].mean == pytest.approx(roc_auc_score(truth, table, multi_class="ovr"))
    assert found.estimates["auc"].mean == pytest.approx(roc_auc_score(np.array(truth) == 1, table[:, 1]))
    assert set(found.per_class) == set(classes)


def test_sources_labels_and_sizes_have_their_own_rows():
    metrics = summary_of(ROWS)
    assert {name: part.n_cases for name, part in metrics.by_source.items()} == {"left": 20, "right": 20}
    assert set(metrics.by_label) == {"benign", "malignant", "normal"}
    strata = metrics.by_size
    assert strata.unit == "mm²"
    assert sum(part.n_cases for part in strata.strata.values()) == 35
    assert list(strata.borders) == sorted(strata.borders)


def test_strata_are_in_pixels_when_one_spacing_is_unknown():
    rows = [*ROWS, *made_up_rows(3, spacing=None)]
    assert size_strata(rows).unit == "px"
    assert size_strata([row for row in ROWS if row.truth_empty]) is None


def volume_rows(sides_mm, *, spacing=(0.5, 0.2, 0.25)):
    """Cubes of these sides in volumes, drawn perfectly."""
    rows = []
    for index, side in enumerate(sides_mm):
        mask = np.zeros((30, 75, 60), bool)
        mask[tuple(slice(0, round(side / step)) for step in spacing or (0.5, 0.2, 0.25))] = True
        truth = TruthCase(case_id=f"v/{index}", source="v", label="benign", mask=mask, spacing=spacing)
        predicted = PredictedCase(case_id=truth.case_id, mask=mask)
        rows.append(score_case(truth, predicted, protocol=load_protocol("strict"), classes=CLASSES))
    return with_size_strata(rows)


def test_volumes_are_cut_at_a_cubic_centimetre():
    rows = volume_rows([4, 10, 11, 0])
    assert [row.volume_mm3 for row in rows] == pytest.approx([64, 1000, 1331, 0])
    assert [row.size_stratum for row in rows] == ["small", "small", "large", None]
    assert all(row.area_mm2 is None for row in rows)
    metrics = summary_of(rows)
    by_size = metrics.by_size
    assert (by_size.unit, by_size.borders) == ("mm³", (1000.0,))
    assert {name: part.n_cases for name, part in by_size.strata.items()} == {"small": 2, "large": 1}
    assert metrics.segmentation["hd95_mm"].n_undefined == 0


def test_volumes_of_unknown_spacing_or_among_images_are_cut_in_voxels():
    rows = volume_rows([4, 10, 11], spacing=None)
    assert size_strata(rows).unit == "px"
    assert size_strata([*volume_rows([4, 10]), *ROWS]).unit == "px"


def test_files_of_an_earlier_version_lack_volumes(tmp_path):
    path = tmp_path / "cases.csv"
    write_cases(path, ROWS, classes=CLASSES)
    names, *values = [line.split(",") for line in path.read_text().splitlines()]
    place = names.index("volume_mm3")
    path.write_text("\n".join(",".join(row[:place] + row[place + 1 :]) for row in (names, *values)) + "\n")
    again = read_cases(path)
    assert {row.volume_mm3 for row in again} == {None}
    assert summary_of(again).by_size.unit == "mm²"


def test_i12_the_abus_paper_pools_the_confusion_of_its_folds():
    """C_MSVNet_Iter: TP 95 of 119 malignant, FP 20 of 51 benign volumes, here over four uneven folds."""
    cells = {("malignant", 0.9): [30, 25, 20, 20], ("malignant", 0.2): [3, 5, 7, 9]}
    cells |= {("benign", 0.8): [8, 6, 4, 2], ("benign", 0.4): [5, 7, 9, 10]}
    folds, pooled = [], []
    for fold in range(4):
        rows = []
        for (label, malignant), counts in cells.items():
            for number in range(counts[fold]):
                name = f"abus/{fold}-{label}-{malignant}-{number}"
                probabilities = {"benign": 1 - malignant, "malignant": malignant}
                rows.append(
                    score_case(
                        TruthCase(case_id=name, source="abus", label=label),
                        PredictedCase(
                            case_id=name, class_probabilities=probabilities, decision=CLASSES[malignant > 0.5]
                        ),
                        protocol=load_protocol("abus"),
                        classes=CLASSES,
                    )
                )
        folds.append(summary_of(rows, protocol="abus", resamples=10))
        pooled += rows
    expected = {"accuracy": 0.741, "sensitivity": 0.798, "precision": 0.826, "fpr": 0.392, "f1": 0.812}
    whole = summary_of(pooled, protocol="abus", resamples=10)
    over_folds = summarise_folds(folds, pooled=whole, protocol=load_protocol("abus")).classification
    together = whole.classification
    assert over_folds.positive_class == "malignant"
    assert over_folds.confusion == together.confusion == ((31, 20), (24, 95))
    for found in (over_folds, together):
        assert {name: round(found.estimates[name].mean, 3) for name in expected} == expected
    assert len(over_folds.estimates["accuracy"].folds) == 4


def test_nothing_scored_is_null_and_the_whole_is_json():
    rows = [replace(row, label=None) for row in ROWS]
    metrics = summary_of(rows)
    assert metrics.classification is None
    json.dumps(to_mapping(metrics), allow_nan=False)
    unmasked = [CaseRow(case_id=row.case_id, group_id="a", source="x", label="benign") for row in ROWS[:3]]
    assert summary_of(unmasked).segmentation is None
    one = summary_of(ROWS[:1])
    assert one.segmentation["dice"].sd is None
    assert one.classification.estimates["auc"].mean is None
    json.dumps(to_mapping(one), allow_nan=False)


def test_patients_are_resampled_whole():
    metrics = summary_of(ROWS)
    assert metrics.n_groups == 20
    assert {row.group_id for row in ROWS[:2]} == {"left/0"}


def test_a_leak_group_replaces_the_patient():
    truth = TruthCase(case_id="a/1", source="a", patient_id="p", group_id="leak-3")
    assert truth.cluster == "leak-3"
    assert TruthCase(case_id="a/1", source="a").cluster == "a/1"


def test_cases_csv_gives_the_same_metrics_again(tmp_path):
    path = tmp_path / "cases.csv"
    write_cases(path, ROWS, classes=CLASSES)
    again = read_cases(path)
    assert path.read_text().splitlines()[0].split(",") == case_columns(CLASSES)
    for row, expected in zip(again, ROWS, strict=True):
        for f in fields(CaseRow):
            value, before = getattr(row, f.name), getattr(expected, f.name)
            assert value == (pytest.approx(before, rel=1e-7) if isinstance(before, float | dict) else before)
            assert type(value) is type(before)
    assert summary_of(again).segmentation["hd95_px"].mean == pytest.approx(
        summary_of(ROWS).segmentation["hd95_px"].mean, rel=1e-7
    )


@pytest.mark.parametrize(("protocol", "ddof"), [("rmtl", 1), ("acsnet", 0)])
def test_spread_over_folds(protocol, ddof):
    parts = [made_up_rows(seed=seed, protocol=protocol) for seed in range(3)]
    folds = [summary_of(rows, protocol=protocol, resamples=20) for rows in parts]
    pooled = summary_of([row for rows in parts for row in rows], protocol=protocol, resamples=20)
    found = summarise_folds(folds, pooled=pooled, protocol=load_protocol(protocol))
    values = [fold.classification.estimates["auc"].mean for fold in folds]
    assert found.classification.estimates["auc"].mean == pytest.approx(np.mean(values))
    assert found.classification.estimates["auc"].sd == pytest.approx(np.std(values, ddof=ddof))
    assert found.classification.estimates["auc"].folds == tuple(values)
    assert set(found.by_source) == {"left", "right"}


@pytest.mark.parametrize("protocol", ["strict", "abus"])
def test_a_fold_without_scored_cases_keeps_its_place(protocol):
    left = [row for row in ROWS if row.source == "left"]
    unlabelled = [replace(row, probabilities={**row.probabilities, "malignant": None}) for row in ROWS]
    folds = [summary_of(rows, protocol=protocol, resamples=20) for rows in (left, unlabelled, ROWS)]
    pooled = summary_of([*left, *unlabelled, *ROWS], protocol=protocol, resamples=20)
    found = summarise_folds(folds, pooled=pooled, protocol=load_protocol(protocol))
    assert [value is None for value in found.classification.estimates["auc"].folds] == [False, True, False]
    right = found.by_source["right"].segmentation["dice"]
    assert [value is None for value in right.folds] == [True, False, False]
    assert right.n == sum(fold.by_source["right"].segmentation["dice"].n for fold in folds[1:])


def test_the_abus_protocol_pools_cases_and_confusion():
    parts = [ROWS[:16], ROWS[16:]]
    folds = [summary_of(part, protocol="abus", resamples=20) for part in parts]
    whole = summary_of(ROWS, protocol="abus", resamples=20)
    found = summarise_folds(folds, pooled=whole, protocol=load_protocol("abus"))
    dice = np.concatenate([[row.dice for row in part if row.dice is not None] for part in parts])
    assert found.segmentation["dice"].mean == pytest.approx(dice.mean())
    assert found.segmentation["dice"].sd == pytest.approx(dice.std(ddof=1))
    assert found.classification.confusion == whole.classification.confusion
    for name in ("f1", "auc"):
        assert found.classification.estimates[name].mean == whole.classification.estimates[name].mean
        values = [fold.classification.estimates[name].mean for fold in folds]
        assert list(found.classification.estimates[name].folds) == values


def test_folds_of_which_only_some_sought_lesions_can_be_summed_up():
    lesion = DetectedCase(case_id="1", group_id="a", hit_scores=(0.9,), lesion_mm3=(500.0,), false_scores=())
    detection = summarise_detection([lesion], least_iou=0.1, threshold=0.5, resamples=5)
    first, second = (summary_of(rows, resamples=20) for rows in (ROWS[:16], ROWS[16:]))
    folds = [replace(first, lesion_detection=detection), second]
    pooled = summary_of(ROWS, resamples=20)
    assert summarise_folds(folds, pooled=pooled, protocol=load_protocol("strict")).lesion_detection is None
    together = replace(pooled, lesion_detection=detection)
    found = summarise_folds(folds, pooled=together, protocol=load_protocol("strict")).lesion_detection
    assert found["cpm"].folds == (1.0, None)


def test_la_nets_protocol_gives_the_half_width():
    scored = summary_of(ROWS, protocol="lanet", resamples=20)
    known = scored.segmentation
    folds = [
        replace(scored, segmentation={**known, "iou": replace(known["iou"], mean=value)})
        for value in (0.438, 0.432, 0.445)
    ]
    found = summarise_folds(
        folds, pooled=summary_of(ROWS, protocol="lanet", resamples=20), protocol=load_protocol("lanet")
    )
    assert found.segmentation["iou"].sd == pytest.approx(0.0162, abs=5e-5)


def test_all_intervals_equal_an_explicit_resampling_loop():
    """Goal 9: exact, not only fast."""
    from bustle.evaluation.statistics import GroupResamples

    metrics = summary_of(ROWS, resamples=60)
    weights = GroupResamples.draw([row.group_id for row in ROWS], resamples=60, seed=0).weights.astype(int)
    loops = {"dice": [], "auc": [], "f1": []}
    for times in weights:
        resample = [row for row, count in zip(ROWS, times, strict=True) for _ in range(count)]
        plain = summary_of(resample, resamples=1)
        loops["dice"].append(plain.segmentation["dice"].mean)
        for name in ("auc", "f1"):
            loops[name].append(plain.classification.estimates[name].mean)
    for name, part in (("dice", "segmentation"), ("auc", "classification"), ("f1", "classification")):
        assert estimates_of(metrics, part)[name].ci95 == pytest.approx(
            np.percentile(loops[name], [2.5, 97.5]).tolist()
        )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        ("dice\n0.5\n", "lacks the column case_id"),
        (f"{HEADER},kappa\n", "has an unknown column kappa"),
        (f"{HEADER}\n", "holds no case"),
        (f"{HEADER}\na,,a,x,benign,,,,high\n", "wrong value"),
        (f"{HEADER}\na,,a,x,benign\n", "wrong value"),
        (f"{HEADER}\n{',' * HEADER.count(',')}\n", "a row without case_id"),
    ],
)
def test_a_broken_cases_csv_is_named(tmp_path, content, problem):
    path = tmp_path / "cases.csv"
    if content:
        path.write_text(content)
    with pytest.raises(InputError, match=problem):
        read_cases(path)


def test_ids_that_a_spreadsheet_would_calculate_are_cells_of_text(tmp_path):
    rows = [replace(row, patient_id="=HYPERLINK(0)", group_id="@x") for row in ROWS]
    write_cases(tmp_path / "cases.csv", rows, classes=CLASSES)
    assert "'=HYPERLINK(0)" in (tmp_path / "cases.csv").read_text()
    read = read_cases(tmp_path / "cases.csv")
    assert {(row.patient_id, row.group_id) for row in read} == {("=HYPERLINK(0)", "@x")}
