"""Whether measured descriptors make a run's probability of malignant better: three ways, fitted and then tested.

`python scripts/descriptor_stacking.py RUN --data SPEC... [--tested SPEC...] --json FILE`: `--data` is what the run
was trained on; without `--tested` its own test part is what the ways are tested on. The ways: the network alone; with
descriptors that are learnt on the validation part (what a training does if it is better there); with descriptors that
are learnt on the training part, whose outlines and probabilities are those of a network that has seen the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.model_provenance import NetworkWeights
from bustle.core.rule_section import RuleSection
from bustle.core.run_layout import RunLayout
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.calibration import calibration_errors, equal_mass_bins
from bustle.evaluation.classification import areas_under_roc
from bustle.evaluation.statistics import GroupResamples, group_interval
from bustle.experiments.calibration_case import calibration_cases
from bustle.experiments.descriptor_fit import fit_descriptors
from bustle.experiments.fit_decision import known_lesions
from bustle.experiments.malignancy_fit import (
    KnownLesions,
    fit_malignancy,
    question_of_malignancy,
    with_descriptors,
)
from bustle.experiments.resampling_groups import resampling_groups
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.decision import MalignancyTrial, Question, bounded_log_odds
from bustle.inference.descriptor_model import FREE_OF_SPACING, DescriptorModel
from bustle.inference.predictor import Predictor

RESAMPLES = 2000
BINS = 10
COVERAGE = RuleSection().class_coverage


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`ci95` resamples whole groups; `gain` is how much better it is than that of the network alone."""

    value: float
    ci95: tuple[float, float] | None
    gain: float | None = None
    gain_ci95: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    title: str
    auc: Figure
    log_loss: Figure
    ece: Figure


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """The content of the file; `trial` is what the training itself compares, on the validation part."""

    weights: tuple[NetworkWeights, ...]
    n_fitted: int
    n_learnt: int
    n_tested: int
    n_malignant: int
    trial: MalignancyTrial | None
    ways: tuple[Way, ...]
    resamples: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run of one fold")
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--tested", nargs="+", metavar="SPEC", help="what the run has not seen")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    run = RunLayout(arguments.run)
    splits = read_splits(run.splits)
    predictor = Predictor.of_trained_fold(run, 0, device="cpu")
    cases = {case.case_id: case for case in open_sources(arguments.data).cases}

    outline = OutlineRule() if predictor.rule is None else predictor.rule.outline

    def lesions_of(parts: Sequence[Case], groups: Mapping[str, str]) -> KnownLesions:
        return known_lesions(list(calibration_cases(predictor, parts, groups=groups)), outline=outline)

    def lesions(names: tuple[str, ...]) -> KnownLesions:
        return lesions_of([cases[name] for name in names], splits.groups)

    fold = splits.folds[0]
    fitted, learnt = lesions(fold.val), lesions(fold.train)
    if arguments.tested is None:
        tested = lesions(fold.test)
    else:
        unseen = open_sources(arguments.tested).cases
        tested = lesions_of(unseen, resampling_groups(unseen).group_of)
    found = fit_malignancy(fitted, coverage=COVERAGE)
    result = Stacking(
        weights=predictor.provenance.weights,
        n_fitted=len(fitted.malignant),
        n_learnt=len(learnt.malignant),
        n_tested=len(tested.malignant),
        n_malignant=int(tested.malignant.sum()),
        trial=None if found is None else found.trial,
        ways=compared(fitted, learnt, tested),
        resamples=RESAMPLES,
    )
    write_json(arguments.json, to_mapping(result))
    for way in result.ways:
        figures = (f"{name} {figure.value:.4f} {figure.ci95}" for name, figure in _figures_of(way).items())
        print(f"{way.title}: {', '.join(figures)}")


def compared(fitted: KnownLesions, learnt: KnownLesions, tested: KnownLesions) -> tuple[Way, ...]:
    alone = question_of_malignancy(fitted.network[:, None], fitted, coverage=COVERAGE)
    assert alone is not None
    stacked, of_validation = with_descriptors(fitted, coverage=COVERAGE)
    of_training = fit_descriptors(
        learnt.measured, positive=learnt.malignant, groups=learnt.groups, names=FREE_OF_SPACING
    )
    inputs = np.column_stack([fitted.network, _log_odds(of_training, fitted)])
    trained = question_of_malignancy(inputs, fitted, coverage=COVERAGE)
    assert trained is not None
    said = {
        "network alone": _probabilities(alone, None, tested),
        "with descriptors learnt on the validation part": _probabilities(stacked, of_validation, tested),
        "with descriptors learnt on the training part": _probabilities(trained, of_training, tested),
    }
    drawn = GroupResamples.draw(list(tested.groups), resamples=RESAMPLES, seed=0)
    own = said["network alone"]
    return tuple(_way(title, each, own=own, tested=tested, drawn=drawn) for title, each in said.items())


def _log_odds(model: DescriptorModel, lesions: KnownLesions) -> NDArray[np.float64]:
    return np.array([bounded_log_odds(model.log_odds(each)) for each in lesions.measured])


def _probabilities(question: Question, model: DescriptorModel | None, lesions: KnownLesions) -> NDArray[np.float64]:
    columns = [lesions.network] if model is None else [lesions.network, _log_odds(model, lesions)]
    return np.array([question.probability(row) for row in np.column_stack(columns).tolist()])


def _way(
    title: str, said: NDArray[np.float64], *, own: NDArray[np.float64], tested: KnownLesions, drawn: GroupResamples
) -> Way:
    truth = tested.malignant

    def areas(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return areas_under_roc(truth, values, weights=weights)

    def losses(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        each = -np.log(np.clip(np.where(truth, values, 1 - values), 1e-12, 1))
        return weights @ each / weights.sum(axis=1)

    def errors(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return calibration_errors(truth, values, bin_of_case=equal_mass_bins(values, BINS), weights=weights)

    def figure(of: Callable[..., NDArray[np.float64]], better: int) -> Figure:
        once = np.ones((1, len(truth)))
        value, resampled = float(of(said, once)[0]), of(said, drawn.weights)
        interval = group_interval(resampled, groups=drawn.groups)
        if said is own:
            return Figure(value=value, ci95=interval)
        gains = better * (resampled - of(own, drawn.weights))
        return Figure(
            value=value,
            ci95=interval,
            gain=better * (value - float(of(own, once)[0])),
            gain_ci95=group_interval(gains, groups=drawn.groups),
        )

    return Way(title=title, auc=figure(areas, 1), log_loss=figure(losses, -1), ece=figure(errors, -1))


def _figures_of(way: Way) -> dict[str, Figure]:
    return {"AUC": way.auc, "log loss": way.log_loss, "ECE": way.ece}


if __name__ == "__main__":
    main()
