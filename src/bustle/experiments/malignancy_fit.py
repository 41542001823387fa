"""Fitting the question whether a lesion is malignant: from the network alone, or from what is measured as well.

The descriptors' own regression would be surer of the lesions that it has learnt from than of others. Therefore the
question is fitted on what regressions say that were fitted without the lesion's group (stacking; Wolpert, "Stacked
generalization", Neural Networks 1992). Both ways are then compared on lesions that neither had seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.evaluation.classification import areas_under_roc
from bustle.experiments.descriptor_fit import chosen_strength, fit_descriptors
from bustle.experiments.question_fit import question_of
from bustle.inference.decision import HeldOutFit, MalignancyTrial, Question, Values, bounded_log_odds
from bustle.inference.descriptor_model import FREE_OF_SPACING, DescriptorModel

FOLDS = 5

ERRORS_BETTER = 1.0
"""By how many standard errors descriptors must lower the log loss to be looked at."""


@dataclass(frozen=True, eq=False)
class KnownLesions:
    """Lesions of known class: the network's log odds `N` of malignant, what was measured, the class, the group."""

    network: NDArray[np.float64]
    measured: Sequence[Values]
    malignant: NDArray[np.bool_]
    groups: Sequence[str]

    def part(self, places: NDArray[np.intp]) -> KnownLesions:
        return KnownLesions(
            self.network[places],
            [self.measured[int(place)] for place in places],
            self.malignant[places],
            [self.groups[int(place)] for place in places],
        )


@dataclass(frozen=True, kw_only=True)
class FittedMalignancy:
    """The `malignancy`, `descriptors` and `trial` of a `DecisionRule`."""

    question: Question
    descriptors: DescriptorModel | None
    trial: MalignancyTrial | None


def fit_malignancy(lesions: KnownLesions, *, coverage: float) -> FittedMalignancy | None:
    """The question, with descriptors where these make it better by more than chance; None of too few lesions.

    In the `coverage` of lesions of either class it stays possible. Without a trial where nothing was measured, or too
    few lesions are there to leave some out.
    """
    alone = question_of_malignancy(lesions.network[:, None], lesions, coverage=coverage)
    if alone is None:
        return None
    if not any(lesions.measured):
        return FittedMalignancy(question=alone, descriptors=None, trial=None)
    try:
        trial = _trial(lesions, coverage=coverage)
        if trial.gain > ERRORS_BETTER * trial.gain_error:
            question, descriptors = with_descriptors(lesions, coverage=coverage)
            return FittedMalignancy(question=question, descriptors=descriptors, trial=trial)
    except TooFewLesionsError:
        trial = None
    return FittedMalignancy(question=alone, descriptors=None, trial=trial)


class TooFewLesionsError(Exception):
    """Of one class, to leave a part of them out."""


def question_of_malignancy(inputs: NDArray[np.float64], lesions: KnownLesions, *, coverage: float) -> Question | None:
    """The question on `inputs` `N d` of the lesions; None of too few lesions."""
    return question_of(inputs, lesions.malignant, coverage_yes=coverage, coverage_no=coverage)


def with_descriptors(lesions: KnownLesions, *, coverage: float) -> tuple[Question, DescriptorModel]:
    """The question on network and descriptors, and the descriptors' model. Raises `TooFewLesionsError`."""
    try:
        strength = chosen_strength(
            lesions.measured, positive=lesions.malignant, groups=lesions.groups, names=FREE_OF_SPACING
        )
    except InputError:
        raise TooFewLesionsError from None
    held_out = np.empty(len(lesions.malignant))
    for others, part in _divided(lesions):
        model = _descriptors(lesions.part(others), strength=strength)
        held_out[part] = [_log_odds(model, lesions.measured[place]) for place in part]
    question = question_of_malignancy(np.column_stack([lesions.network, held_out]), lesions, coverage=coverage)
    if question is None:
        raise TooFewLesionsError
    return question, _descriptors(lesions, strength=strength)


def _trial(lesions: KnownLesions, *, coverage: float) -> MalignancyTrial:
    """Each lesion's probability by both ways, fitted without its group."""
    alone, stacked = np.empty((2, len(lesions.malignant)))
    for others, part in _divided(lesions):
        learnt = lesions.part(others)
        question = question_of_malignancy(learnt.network[:, None], learnt, coverage=coverage)
        if question is None:
            raise TooFewLesionsError
        both, model = with_descriptors(learnt, coverage=coverage)
        for place in part:
            network = float(lesions.network[place])
            alone[place] = question.probability((network,))
            stacked[place] = both.probability((network, _log_odds(model, lesions.measured[place])))
    losses = [_losses(lesions.malignant, probabilities) for probabilities in (alone, stacked)]
    gains = losses[0] - losses[1]
    return MalignancyTrial(
        cases=len(gains),
        network=_held_out_fit(lesions.malignant, alone),
        with_descriptors=_held_out_fit(lesions.malignant, stacked),
        gain=float(gains.mean()),
        gain_error=float(gains.std(ddof=1) / np.sqrt(len(gains))),
    )


def _descriptors(lesions: KnownLesions, *, strength: float) -> DescriptorModel:
    return fit_descriptors(
        lesions.measured,
        positive=lesions.malignant,
        groups=lesions.groups,
        names=FREE_OF_SPACING,
        strength=strength,
    )


def _log_odds(model: DescriptorModel, measured: Values) -> float:
    return bounded_log_odds(model.log_odds(measured))


def _divided(lesions: KnownLesions) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Places to fit on and places left out, whole groups, both classes everywhere."""
    from sklearn.model_selection import StratifiedGroupKFold

    for classes in (lesions.malignant, ~lesions.malignant):
        if len({group for group, one in zip(lesions.groups, classes, strict=True) if one}) < FOLDS:
            raise TooFewLesionsError
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(folds.split(lesions.network, lesions.malignant, groups=np.asarray(lesions.groups)))


def _losses(malignant: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log(np.clip(np.where(malignant, probabilities, 1 - probabilities), 1e-12, 1))


def _held_out_fit(malignant: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> HeldOutFit:
    area = areas_under_roc(malignant, probabilities, weights=np.ones((1, len(malignant))))
    return HeldOutFit(log_loss=float(_losses(malignant, probabilities).mean()), auc=float(area[0]))
