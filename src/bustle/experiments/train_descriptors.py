"""The model on measured descriptors: measured, fitted and tested out of fold, with whole patients in one part.

A fold's training and validation parts are both learnt from: its one free choice is made by inner folds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.config import to_mapping
from bustle.core.csv_cells import cell_of_text
from bustle.core.errors import InputError
from bustle.core.files import write_json, write_text
from bustle.core.own_names import OwnNames
from bustle.core.progress import announce
from bustle.core.provenance import Provenance, provenance
from bustle.core.run_layout import RunLayout
from bustle.core.types import Case, Collection
from bustle.data.splits.split_file import read_splits, write_splits
from bustle.data.splits.splits import Splits, make_splits, protocol_of_split
from bustle.evaluation.classification import areas_under_roc
from bustle.evaluation.statistics import GroupResamples, group_interval
from bustle.experiments.descriptor_fit import fit_descriptors
from bustle.experiments.measured_cases import MeasuredCase, measure_cases
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.scored_pairs import index_predictions
from bustle.inference.descriptor_model import FREE_OF_SPACING, DescriptorModel
from bustle.inference.descriptors.results import LesionDescriptors

MODEL, RESULT, CASES = "descriptor_model.json", "descriptor_result.json", "descriptor_cases.csv"
SPLITS = RunLayout(Path()).splits.name
OUTPUT = OutputKind(
    "train descriptors", "a model on descriptors", OwnNames((MODEL, RESULT, CASES, SPLITS), {}, (MODEL, RESULT))
)
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Discrimination:
    """How well scores tell malignant from benign lesions; `ci95` resamples whole groups.

    `n_without_outline` of the `n` cases have no lesion to measure: they get the share of malignant lesions that was
    learnt from.
    """

    title: str
    auc: float
    ci95: tuple[float, float] | None
    folds: tuple[float | None, ...]
    n: int
    n_without_outline: int


@dataclass(frozen=True, kw_only=True)
class DescriptorResult:
    """The content of `descriptor_result.json`; all scores are out of fold."""

    n_cases: int
    n_malignant: int
    n_groups: int
    n_left_out: int
    track: str
    protocol: str
    descriptors: tuple[str, ...]
    scores: Mapping[str, Discrimination]
    resamples: int
    provenance: Provenance


@dataclass(frozen=True)
class _Score:
    title: str
    values: NDArray[np.float64]
    without_outline: int = 0


def train_descriptors(
    load_data: Callable[[], Collection],
    *,
    out: Path,
    track: str = "strict",
    folds: int | None = None,
    holdout: float | None = None,
    made: Path | None = None,
    predictions: Path | None = None,
) -> DescriptorResult:
    """Measure the cases, fit and test the model in folds, and fit the one that is kept on all of them.

    Writes model, result, out-of-fold probabilities and split into `out`. `predictions` is a folder of predictions
    whose outlines are measured too. Raises `InputError` for wrong input.
    """
    with claim_folder(out, OUTPUT) as claim:
        claim.refuse_foreign()
        collection = load_data()
        tell_findings(collection)
        usable = [case for case in collection.cases if case.has_mask and case.label in ("benign", "malignant")]
        if not usable:
            raise InputError("no case has both a mask and a class", remedy="check the data")
        splits = _splits(collection, usable, track=track, folds=folds, holdout=holdout, made=made)
        inside = {name for fold in splits.folds for name in (*fold.train, *fold.val, *fold.test)}
        cases = [case for case in usable if case.case_id in inside]
        index = None if predictions is None else index_predictions(predictions, cases=cases, missing="error")
        for warning in () if index is None else index.warnings:
            announce(f"bustle: warning: {warning}")
        measured = [one for one in measure_cases(cases, predictions=index) if one.expert is not None]
        claim.refuse_inputs([] if predictions is None else [predictions])
        work = _OutOfFold(measured, splits)
        scores = work.scores(predicted=index is not None)
        claim.begin(clear=True)
        result = DescriptorResult(
            n_cases=len(work.tested),
            n_malignant=int(work.positive[work.tested].sum()),
            n_groups=len({work.groups[place] for place in work.tested}),
            n_left_out=len(collection.cases) - len(work.tested),
            track=splits.track,
            protocol=splits.protocol,
            descriptors=FREE_OF_SPACING,
            scores={name: work.discrimination(score) for name, score in scores.items()},
            resamples=RESAMPLES,
            provenance=provenance(),
        )
        kept = work.fit([one.expert for one in measured], range(len(measured)))
        write_splits(out / SPLITS, splits)
        write_text(out / CASES, work.table(scores))
        write_json(out / MODEL, to_mapping(kept))
        write_json(out / RESULT, to_mapping(result))
    return result


def _splits(
    collection: Collection,
    cases: Sequence[Case],
    *,
    track: str,
    folds: int | None,
    holdout: float | None,
    made: Path | None,
) -> Splits:
    if made is not None:
        return read_splits(made)
    return make_splits(
        Collection(tuple(cases), collection.findings),
        protocol=protocol_of_split("published" if track == "published" else "strict"),
        track=track,
        folds=folds,
        holdout=holdout,
    )


class _OutOfFold:
    """The measured cases, and what models that were fitted without them say of them."""

    def __init__(self, measured: Sequence[MeasuredCase], splits: Splits):
        self.measured = measured
        self.positive = np.array([one.case.label == "malignant" for one in measured])
        self.groups = [splits.groups[one.case.case_id] for one in measured]
        place = {one.case.case_id: number for number, one in enumerate(measured)}
        self.folds = [
            (
                [place[name] for name in (*fold.train, *fold.val) if name in place and name not in set(fold.test)],
                [place[name] for name in fold.test if name in place],
            )
            for fold in splits.folds
        ]
        self.tested = sorted({number for _, test in self.folds for number in test})

    def fit(self, outlines: Sequence[LesionDescriptors | None], places: Sequence[int] | range) -> DescriptorModel:
        known = [(outlines[place], place) for place in places if outlines[place] is not None]
        return fit_descriptors(
            [lesion.values() for lesion, _ in known if lesion is not None],
            positive=self.positive[[place for _, place in known]],
            groups=[self.groups[place] for _, place in known],
            names=FREE_OF_SPACING,
        )

    def scores(self, *, predicted: bool) -> dict[str, _Score]:
        expert = [one.expert for one in self.measured]
        scores = {"expert": self._score("expert outlines", expert, expert)}
        if predicted:
            drawn = [one.predicted for one in self.measured]
            scores["predicted"] = self._score("predicted outlines", drawn, drawn)
            scores["expert_to_predicted"] = self._score("learnt on expert, measured on predicted", expert, drawn)
            network = [one.network for one in self.measured]
            if all(value is not None for value in network):
                values = np.array(network, float)
                scores["network"] = _Score("the network's own classes", values)
                scores["mean_of_both"] = _Score(
                    "mean log odds of network and predicted outlines",
                    (_log_odds(values) + _log_odds(scores["predicted"].values)) / 2,
                )
        return scores

    def _score(
        self,
        title: str,
        learnt: Sequence[LesionDescriptors | None],
        measured: Sequence[LesionDescriptors | None],
    ) -> _Score:
        values = np.full(len(self.measured), np.nan)
        for train, test in self.folds:
            model = self.fit(learnt, train)
            prevalence = float(self.positive[train].mean())
            for place in test:
                lesion = measured[place]
                values[place] = prevalence if lesion is None else model.probability(lesion.values())
        return _Score(title, values, sum(measured[place] is None for place in self.tested))

    def discrimination(self, score: _Score) -> Discrimination:
        tested = np.array(self.tested)
        positive, values = self.positive[tested], score.values[tested]
        drawn = GroupResamples.draw([self.groups[place] for place in tested], resamples=RESAMPLES, seed=0)
        return Discrimination(
            title=score.title,
            auc=_area(positive, values) or float("nan"),
            ci95=group_interval(areas_under_roc(positive, values, weights=drawn.weights), groups=drawn.groups),
            folds=tuple(_area(self.positive[test], score.values[test]) for _, test in self.folds),
            n=len(tested),
            n_without_outline=score.without_outline,
        )

    def table(self, scores: Mapping[str, _Score]) -> str:
        """One row per tested case: its label, the scores, and its descriptors within the expert outline."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("case_id", "group_id", "label", *scores, *FREE_OF_SPACING))
        for place in self.tested:
            one = self.measured[place]
            values = {} if one.expert is None else one.expert.values()
            words = (one.case.case_id, self.groups[place], str(one.case.label))
            numbers = [f"{score.values[place]:.6f}" for score in scores.values()]
            numbers += ["" if values.get(name) is None else f"{values[name]:.6g}" for name in FREE_OF_SPACING]
            rows.writerow([*map(cell_of_text, words), *numbers])
        return text.getvalue()


def _area(positive: NDArray[np.bool_], values: NDArray[np.float64]) -> float | None:
    if positive.all() or not positive.any():
        return None
    return float(areas_under_roc(positive, values, weights=np.ones((1, len(values))))[0])


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.log(kept / (1 - kept))
