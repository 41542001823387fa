"""The rule is fitted on made-up outputs whose right rule is known."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from bustle.cli.main import main
from bustle.core.answer import Answer
from bustle.core.recipe import load_recipe
from bustle.core.rule_section import RuleSection
from bustle.core.run_layout import RunLayout
from bustle.core.views import Views
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import write_splits
from bustle.data.splits.splits import Fold, Splits
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.result_files import read_run
from bustle.experiments import question_fit
from bustle.experiments.calibration_case import CalibrationCase, DrawnPart
from bustle.experiments.calibration_file import read_calibration
from bustle.experiments.fit_decision import fit_domain, fit_rule
from bustle.experiments.outline_fit import fit_outline
from bustle.experiments.question_fit import RIDGE, conformal_bound, fit_logistic, question_of
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.decision import DecisionRule, Values, malignancy_inputs
from bustle.inference.decision_file import rule_of
from bustle.inference.predictor import Predictor

RULE = RuleSection()


def part(area: int, *, overlap: int, mean: float = 0.9, lesion: Values | None = None) -> DrawnPart:
    return DrawnPart(area=area, overlap=overlap, mean=mean, lesion=lesion or {})


def cases(count: int, *, seed: int = 0) -> list[CalibrationCase]:
    """Networks' outputs whose log-odds are the true ones plus noise, twice as certain as they should be."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        has_lesion, malignant = bool(random.random() < 0.7), bool(random.random() < 0.4)
        lesion = 1 / (1 + math.exp(-random.normal(2.0 if has_lesion else -2.0, 1.5)))
        share = 1 / (1 + math.exp(-random.normal(2.0 if malignant else -2.0, 2.0)))
        label = ("malignant" if malignant else "benign") if has_lesion else "normal"
        found.append(
            CalibrationCase(
                group=str(number),
                statistics=tuple(random.normal(size=13)),
                probabilities={
                    "benign": lesion * (1 - share),
                    "malignant": lesion * share,
                    "normal": 1 - lesion,
                },
                peak=1 / (1 + math.exp(-random.normal(2.0 if has_lesion else -2.0, 1.5))),
                label=label,
                has_lesion=has_lesion,
                true_area=100 if has_lesion else 0,
                parts=(part(100, overlap=80 if has_lesion else 0), part(8, overlap=0)),
            )
        )
    return found


def answers_of(rule: DecisionRule, found: Sequence[CalibrationCase]) -> list[Answer]:
    return [
        rule.answer(case.probabilities, peak=case.peak, statistics=case.statistics, lesion=None) for case in found
    ]


def test_at_least_the_stated_share_of_further_cases_is_covered():
    rule = fit_rule(cases(2000), section=RULE)
    assert rule is not None
    further = cases(4000, seed=1)
    answers = list(zip(further, answers_of(rule, further), strict=True))
    lesions = [(case, answer) for case, answer in answers if case.has_lesion]
    seen = [(case, answer) for case, answer in lesions if set(answer.possible) - {"normal"}]
    normals = [answer for case, answer in answers if not case.has_lesion]
    noise = 0.02
    assert len(seen) / len(lesions) > RULE.lesion_coverage - noise
    assert np.mean(["normal" in answer.possible for answer in normals]) > RULE.normal_coverage - noise
    assert np.mean([case.label in answer.possible for case, answer in seen]) > RULE.class_coverage - noise
    assert 0.0 < np.mean([len(answer.possible) > 1 for _, answer in answers]) < 0.5


def test_where_answers_overlap_the_stated_share_is_covered_and_not_much_more():
    random = np.random.default_rng(5)
    truth = random.random(4000) < 0.5
    inputs = np.where(truth, 0.7, -0.7)[:, None] + random.normal(size=(4000, 1))
    question = question_of(inputs[:2000], truth[:2000], coverage_yes=0.9, coverage_no=0.8)
    assert question is not None
    possible = np.array([question.possible(question.probability(each)) for each in inputs[2000:]])
    assert possible[truth[2000:], 0].mean() == pytest.approx(0.9, abs=0.03)
    assert possible[~truth[2000:], 1].mean() == pytest.approx(0.8, abs=0.03)


def test_probabilities_are_calibrated():
    rule = fit_rule(cases(2000), section=RULE)
    assert rule is not None
    further = cases(4000, seed=1)
    said = np.array([answer.probabilities["malignant"] for answer in answers_of(rule, further)])
    truth = np.array([case.label == "malignant" for case in further])
    order = np.array_split(np.argsort(said), 8)
    assert max(abs(said[part].mean() - truth[part].mean()) for part in order) < 0.06


def test_the_logistic_regression_is_that_of_scikit_learn():
    random = np.random.default_rng(3)
    inputs = random.normal(size=(200, 2))
    truth = random.random(200) < 1 / (1 + np.exp(-(0.5 + inputs @ [1.5, -0.7])))
    intercept, weights = fit_logistic(inputs, truth)
    oracle = LogisticRegression(C=1 / (2 * RIDGE), tol=1e-10, max_iter=1000).fit(inputs, truth)
    assert intercept == pytest.approx(oracle.intercept_[0], abs=1e-4)
    assert weights == pytest.approx(oracle.coef_[0], abs=1e-4)


def test_perfectly_separated_cases_have_finite_weights():
    _, weights = fit_logistic(np.array([[-1.0]] * 20 + [[1.0]] * 20), np.array([False] * 20 + [True] * 20))
    assert 1 < weights[0] < 20


def test_the_bound_by_hand():
    probabilities = np.arange(1, 20) / 20  # 19 cases: the second smallest leaves out one in ten
    assert conformal_bound(probabilities, coverage=0.9) == probabilities[1]
    assert conformal_bound(probabilities[:8], coverage=0.9) == 0.0  # one in ten of nine is none


class Told(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose only input is the probability of yes."""

    classes_ = np.array([0, 1])

    def fit(self, *_: object) -> Told:
        return self

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        return np.column_stack([1 - inputs[:, 0], inputs[:, 0]])

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return (inputs[:, 0] > 0.5).astype(int)


@pytest.mark.filterwarnings("ignore:WARNING. your conformalization dataset has less labels")
@pytest.mark.parametrize("cases", [24, 59, 137])
def test_the_bound_is_that_of_mapie(cases: int):
    """Conformal sets by class are those of MAPIE's least ambiguous classifier that saw this class alone."""
    yes = np.random.default_rng(cases).beta(4, 2, cases)
    further = np.linspace(0.001, 0.999, 1500)
    levels = [0.8, 0.9, 0.95]
    oracle = SplitConformalClassifier(Told(), confidence_level=levels, conformity_score="lac", prefit=True)
    _, sets = oracle.conformalize(yes[:, None], np.ones(cases, int)).predict_set(further[:, None])
    for place, level in enumerate(levels):
        assert (sets[:, 1, place] == (further >= conformal_bound(yes, coverage=level))).all()


def test_small_wrong_parts_are_dropped_and_needed_ones_kept():
    rule = fit_rule(cases(200), section=RULE)
    assert rule is not None
    assert rule.smallest_part == 0.1  # the least share that drops 8 of 100
    two = [dataclasses.replace(case, parts=(part(50, overlap=50),) * 2) for case in cases(200)]
    kept = fit_rule(two, section=RULE)
    assert kept is not None
    assert kept.smallest_part == 0.0


def test_faint_wrong_parts_are_dropped_though_they_are_the_largest():
    beside = (part(100, overlap=80), part(150, overlap=0, mean=0.68))  # 0.76 of the surer one
    rule = fit_rule([dataclasses.replace(case, parts=beside) for case in cases(200)], section=RULE)
    assert rule is not None
    assert rule.outline == OutlineRule(faintest_part=0.8)
    faint = (part(100, overlap=60), part(50, overlap=40, mean=0.5))
    kept = fit_rule([dataclasses.replace(case, parts=faint) for case in cases(200)], section=RULE)
    assert kept is not None
    assert kept.outline == OutlineRule()


def test_what_the_recipe_says_of_faint_parts_holds_unless_another_share_is_better_by_more_than_chance():
    section, known = dataclasses.replace(RULE, faintest_part=0.8), cases(200)
    wrong, needed = (
        (part(100, overlap=80), part(20, overlap=0, mean=0.6)),
        (part(60, overlap=60), part(40, overlap=40, mean=0.6)),
    )
    some = [dataclasses.replace(case, parts=wrong if place % 4 else needed) for place, case in enumerate(known)]
    rule = fit_rule([dataclasses.replace(case, parts=wrong) for case in known], section=section)
    assert rule is not None
    assert rule.outline == OutlineRule(faintest_part=0.8)
    few = [dataclasses.replace(case, parts=needed if place == 0 else wrong[:1]) for place, case in enumerate(known)]
    assert fit_outline(few, usual=OutlineRule(faintest_part=0.8)) == OutlineRule(faintest_part=0.8)
    assert fit_outline(some, usual=OutlineRule(faintest_part=0.8)) == OutlineRule(smallest_part=0.3)
    one_patient = [dataclasses.replace(case, group="one" if case.parts == needed else case.group) for case in some]
    assert fit_outline(one_patient, usual=OutlineRule(faintest_part=0.8)) == OutlineRule(faintest_part=0.8)
    assert fit_outline([], usual=OutlineRule(faintest_part=0.8)) == OutlineRule(faintest_part=0.8)


def test_what_is_measured_is_of_the_largest_part_that_is_kept():
    large, sure = {"area": 150.0}, {"area": 100.0}
    parts = (part(100, overlap=0, lesion=sure), part(150, overlap=0, mean=0.68, lesion=large))
    case = dataclasses.replace(cases(1)[0], parts=parts)
    assert [case.lesion(OutlineRule(faintest_part=share)) for share in (0.7, 0.8)] == [large, sure]
    assert dataclasses.replace(case, parts=()).lesion(OutlineRule()) == {}


def test_a_rule_keeps_the_shares_that_its_recipe_states():
    section = RuleSection(lesion_coverage=0.9, normal_coverage=0.8, class_coverage=0.7, reach=3.0)
    rule, usual = (fit_rule(cases(2000), section=each) for each in (section, RULE))
    assert rule is not None
    assert usual is not None
    assert rule.presence is not None
    assert usual.domain is not None
    assert rule.domain is not None
    assert (rule.presence.coverage_yes, rule.presence.coverage_no, rule.malignancy.coverage_yes) == (0.9, 0.8, 0.7)
    assert rule.domain.most_distance == pytest.approx(usual.domain.most_distance * 3 / 1.75)


def test_pictures_like_those_it_was_fitted_on_belong_to_the_domain():
    random = np.random.default_rng(1)
    mix = random.normal(size=(13, 13))
    domain = fit_domain(random.normal(size=(500, 13)) @ mix + 5, reach=RULE.reach)
    assert domain is not None
    assert np.mean([domain.holds(each) for each in random.normal(size=(1000, 13)) @ mix + 5]) > 0.995
    assert not domain.holds(np.full(13, 5.0) + 12 * mix[0])
    assert fit_domain(random.normal(size=(20, 13)), reach=RULE.reach) is None


def test_too_few_normals_leave_presence_open_and_too_few_lesions_leave_no_rule():
    lesions = [case for case in cases(200) if case.has_lesion]
    rule = fit_rule(lesions, section=RULE)
    assert rule is not None
    assert rule.presence is None
    assert fit_rule([case for case in lesions if case.label == "benign"], section=RULE) is None


def test_volumes_have_a_rule_without_a_domain():
    found = [dataclasses.replace(case, statistics=(), parts=()) for case in cases(300)]
    rule = fit_rule(found, section=RULE)
    assert rule is not None
    assert (rule.domain, rule.smallest_part, rule.descriptors) == (None, 0.0, None)
    assert rule.presence is not None


def test_a_surer_network_is_answered_surer():
    rule = fit_rule(cases(500), section=RULE)
    assert rule is not None
    steps = [{"benign": 1 - share, "malignant": share, "normal": 0.0} for share in (0.1, 0.4, 0.6, 0.9)]
    values = [rule.malignancy.probability(malignancy_inputs(step)) for step in steps]
    assert all(lower < higher for lower, higher in pairwise(values))


TINY = (
    *("training.epochs=1", "data.size=[64, 64]", "model.config.backbone=test_resnet", "augmentation=[]"),
    *("model.config.decoder_channels=[8, 8, 8, 8]", "model.encoder_weights=null", "training.batch_size=8"),
)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunLayout]]:
    """Trains two folds of a network that learns nothing; with options of a run that is there, goes on with them."""
    folder = tmp_path_factory.mktemp("fitted")
    data, splits, out = "phantom:?cases=36&seed=0&size=64", folder / "splits.json", folder / "run"
    names = [case.case_id for case in open_sources([data]).cases]
    folds = [Fold(tuple(names[24:]), tuple(names[:12]), tuple(names[12:24]))]
    folds += [Fold(tuple(names[:12]), tuple(names[12:24]), tuple(names[24:]))]
    write_splits(splits, Splits("strict", "strict", 0, tuple(folds), (), {name: name for name in names}))
    words = ["train", "reference", "--data", data, "--splits", str(splits), "--out", str(out)]

    def run(*options: str) -> RunLayout:
        assert main([*words, "--set", *TINY, *options]) == 0
        return RunLayout(out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(question_fit, "LEAST_CASES", 1)
        for page in ("page", "evaluation_page", "run_page"):
            patch.setattr(f"bustle.report.{page}.can_draw_plots", lambda: False)
        yield run


@pytest.fixture(scope="module")
def trained(train: Callable[..., RunLayout]) -> RunLayout:
    return train()


def test_a_trained_network_gets_its_rule_from_the_validation_part(trained):
    """End to end on a network that never learned: the rule is there, and the run's own answers follow it."""
    fold = trained.fold(0)
    content = json.loads(fold.decision.read_text())
    assert content["rule"]["malignancy"]["cases_yes"] >= 1
    assert content["rule"]["presence"] is not None
    rows = read_cases(fold.answers)
    words = {"benign", "malignant", "refer", "lesion possible", "no lesion"}
    assert {row.decision for row in rows} <= words
    for row in rows:
        assert row.prediction_empty == (row.decision == "no lesion")


def test_the_answers_of_all_folds_are_scored_as_one_set(trained):
    answers = read_run(trained.summary).pooled.answers
    rows = [row for fold in trained.folds() for row in read_cases(fold.answers)]
    assert (answers.n_cases, len(rows)) == (24, 24)
    left_open = sum(row.decision in ("refer", "lesion possible") for row in rows)
    assert answers.estimates["left_open"].mean == pytest.approx(left_open / 24)


def test_the_mean_of_all_folds_has_a_rule_that_is_fitted_on_the_validation_parts_of_all(trained):
    folds = trained.folds()
    whole, (first, second) = rule_of(folds), map(rule_of, [folds[:1], folds[1:]])
    assert whole is not None
    assert first is not None
    assert second is not None
    assert whole.malignancy.cases_yes == first.malignancy.cases_yes + second.malignancy.cases_yes
    known = [case for fold in folds for case in read_calibration(fold.calibration)]
    assert whole == fit_rule(known, section=load_recipe("reference").rule)
    assert Predictor.open(trained.path, device="cpu").rule == whole
    assert rule_of([folds[1], folds[0]]) is None  # what it was fitted for is named in its file


def test_a_finished_run_gets_a_new_rule_without_a_training(train, trained):
    fold = trained.fold(0)
    weights, rule, of_mean = (path.read_bytes() for path in (fold.weights, fold.decision, trained.decision))
    content = json.loads(rule)
    fold.decision.write_text(json.dumps({"format_version": 1, "rule": content["rule"] | {"smallest_part": 0.9}}))
    fold.calibration.unlink()
    fold.checkpoint.unlink()  # a training that goes on needs it, this does not
    train("--resume", "--refit")
    assert json.loads(fold.decision.read_text()) == content
    assert fold.weights.read_bytes() == weights
    assert fold.is_scored
    assert trained.decision.read_bytes() == of_mean


def test_what_an_earlier_bustle_wrote_of_a_fold_is_refused_before_any_training(train, trained, capsys):
    fold = trained.fold(0)
    content = json.loads(fold.calibration.read_text())
    fold.calibration.write_text(json.dumps(content | {"format_version": 1}))
    fold.main.metrics.unlink()
    with pytest.raises(AssertionError):
        train("--resume")
    told = f"{fold.calibration}: is no calibration of this version; make it again with --resume --refit"
    assert told in capsys.readouterr().err
    assert not fold.main.metrics.exists()
    train("--resume", "--refit")
    assert json.loads(fold.calibration.read_text()) == content


@pytest.mark.full
def test_other_views_come_with_a_new_rule_for_all_folds(train, trained, capsys):
    before = [fold.decision.read_bytes() for fold in trained.folds()]
    weights = trained.fold(0).weights.read_bytes()
    with pytest.raises(AssertionError):
        train("views.mirrored=false", "--resume", "--refit", "--fold", "0")
    told = (
        "holds another run: it differs in the views (sizes 1 and 1.4, mirrored too there, sizes 1 and 1.4 here; "
        "--refit of all folds"
    )
    assert told in capsys.readouterr().err
    train("views.mirrored=false", "--resume", "--refit")
    predictor = Predictor.open(trained.path, device="cpu")
    assert predictor.provenance.views == Views(scales=(1.0, 1.4))
    assert predictor.rule is not None
    assert all(fold.is_scored for fold in trained.folds())
    assert [fold.decision.read_bytes() for fold in trained.folds()] != before
    assert trained.fold(0).weights.read_bytes() == weights


@pytest.mark.full
def test_another_share_to_keep_comes_with_a_new_rule_for_all_folds(train, trained, capsys):
    with pytest.raises(AssertionError):
        train("rule.lesion_coverage=0.6", "--resume")
    assert "the rule (--refit of all folds changes it)" in capsys.readouterr().err
    train("rule.lesion_coverage=0.6", "--resume", "--refit")
    rules = [rule_of([fold]) for fold in trained.folds()]
    assert [rule.presence.coverage_yes for rule in rules if rule and rule.presence] == [0.6, 0.6]


def test_a_rule_is_fitted_anew_only_in_a_run_that_is_there(tmp_path, capsys):
    assert main(["train", "reference", "--data", "phantom:", "--out", str(tmp_path / "run"), "--refit"]) == 2
    assert "--refit is for a run that is there; add --resume" in capsys.readouterr().err
