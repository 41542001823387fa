"""The answers of predictions that have one, scored as the strict track scores the network's own outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bustle.core.files import remove_file
from bustle.core.recipe import Protocol
from bustle.core.run_layout import ScoredFolder
from bustle.evaluation.answers import summarise_answers
from bustle.evaluation.case_table import CaseRow, write_cases
from bustle.evaluation.cases import score_case
from bustle.evaluation.figures import AnswerFigures
from bustle.evaluation.summary import Scoring
from bustle.experiments.scored_pairs import Pair


class ScoredAnswers:
    """The cases scored so far by their answers; cases without one are left out."""

    def __init__(self, protocol: Protocol, *, classes: Sequence[str]):
        self._protocol = protocol
        self._classes = classes
        self._rows: list[CaseRow] = []

    def add(self, pair: Pair, *, group_id: str | None) -> None:
        answer = pair.stored.answer
        if answer is None:
            return
        truth, predicted = pair.answered(group_id=group_id)
        row = score_case(truth, predicted, protocol=self._protocol, classes=self._classes)
        self._rows.append(dataclasses.replace(row, possible="|".join(answer.possible)))

    def figures(self, *, resamples: int) -> AnswerFigures | None:
        """None where no prediction has an answer."""
        scoring = Scoring(protocol=self._protocol, classes=self._classes, resamples=resamples)
        return summarise_answers(self._rows, scoring=scoring)

    @property
    def rows(self) -> tuple[CaseRow, ...]:
        return tuple(self._rows)

    def write(self, folder: ScoredFolder) -> None:
        if self._rows:
            write_cases(folder.answers, self._rows, classes=self._classes)
        else:
            remove_file(folder.answers)  # of an earlier evaluation
