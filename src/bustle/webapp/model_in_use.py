"""The model that answers on the page."""

from __future__ import annotations

from dataclasses import dataclass

from bustle.inference.decision import Question
from bustle.inference.prediction_record import PredictionRecord
from bustle.inference.predictor import Predictor
from bustle.reading.algorithm import algorithm_of


@dataclass(frozen=True)
class ModelInUse:
    """A package or a run, opened when the server begins: what is none is refused before anything is read."""

    predictor: Predictor

    def made(self, record: PredictionRecord) -> bool:
        """Whether a prediction is this model's."""
        return self.predictor.provenance.same_answers_as(record.provenance)

    @property
    def digest(self) -> str:
        """Stands for all that determines the model's answers."""
        return algorithm_of(self.predictor.provenance).answers_sha256

    def refer_band(self) -> tuple[float, float] | None:
        """Between which probabilities of malignant, given a lesion, both classes stay possible."""
        rule = self.predictor.rule
        return None if rule is None else open_band(rule.malignancy)

    def presence_band(self) -> tuple[float, float] | None:
        """Between which probabilities of a lesion its presence stays open."""
        rule = self.predictor.rule
        return None if rule is None or rule.presence is None else open_band(rule.presence)


def open_band(question: Question) -> tuple[float, float] | None:
    """The probabilities of yes at which neither answer is excluded; None where there are none such."""
    low, high = question.least_yes, 1 - question.least_no
    return (low, high) if low < high else None
