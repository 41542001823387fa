"""What one protocol makes of the cases: rows of `cases.csv`, the lesions of volumes that were found, the summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, remove_file, write_json
from bustle.core.model_provenance import PredictionProvenance
from bustle.core.run_layout import ScoredFolder, TrackFiles
from bustle.core.tracks import TrackRules
from bustle.evaluation.case_table import CaseRow, write_cases
from bustle.evaluation.cases import score_case
from bustle.evaluation.detection import DetectedCase, candidates_from_map, detect_lesions
from bustle.evaluation.figures import DetectionFigures
from bustle.evaluation.froc import summarise_detection
from bustle.evaluation.results import TrackScores
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise
from bustle.experiments.scored_answers import ScoredAnswers
from bustle.experiments.scored_pairs import Pair
from bustle.inference.stored_prediction import StoredVolumeMask

LEAST_IOU = 0.1
"""From which on a candidate of a volume has found a lesion."""

DRAWN = 0.5
"""The score from which on something is drawn at a candidate's place."""


class ScoredTrack:
    """The cases scored so far by one track's rules."""

    def __init__(self, rules: TrackRules, *, classes: Sequence[str]):
        self.rules = rules
        self._classes = classes
        self._rows: list[CaseRow] = []
        self._models: list[PredictionProvenance | None] = []
        self._detected: list[DetectedCase] | None = [] if not rules.protocol.located else None
        self._answers = ScoredAnswers(rules.protocol, classes=classes) if rules.track == "strict" else None

    @property
    def model(self) -> PredictionProvenance | None:
        """The provenance of the predictions; None unless they have one and share it."""
        first = self._models[0]
        return first if all(entry == first for entry in self._models) else None

    def can_score(self, pair: Pair) -> bool:
        """Whether the files have what the protocol scores: a mask on the network's grid, where it asks for that."""
        return self.rules.protocol.resolution == "native" or pair.has_network_grid

    def add(self, pair: Pair, *, group_id: str | None) -> None:
        """Score one case. Raises `InputError` for a pair that the protocol cannot score."""
        protocol = self.rules.protocol
        truth, predicted = pair.on_grid(protocol.resolution, group_id=group_id)
        self._rows.append(score_case(truth, predicted, protocol=protocol, classes=self._classes))
        self._models.append(pair.stored.provenance)
        self._detect(pair, group_id=truth.cluster)
        if self._answers is not None:
            self._answers.add(pair, group_id=group_id)

    def _detect(self, pair: Pair, *, group_id: str) -> None:
        """Only candidates with scores can be counted; a model that was told where the lesion is has found none."""
        lesions, drawn = pair.sample.lesion_mask, pair.stored.segmentation
        told = pair.stored.centre is not None
        if told or not isinstance(drawn, StoredVolumeMask) or drawn.candidates is None:
            self._detected = None
            return
        if self._detected is None or lesions is None:
            return
        detected = detect_lesions(
            lesions,
            candidates_from_map(drawn.raw_parts, drawn.candidates),
            least_iou=LEAST_IOU,
            voxel_mm3=math.prod(pair.sample.geometry.step),
            case_id=pair.sample.case_id,
            group_id=group_id,
        )
        self._detected.append(detected)

    def rows_with_strata(self) -> list[CaseRow]:
        return with_size_strata(self._rows)

    def scores(self, *, resamples: int) -> TrackScores:
        """The track's figures."""
        scoring = Scoring(protocol=self.rules.protocol, classes=self._classes, resamples=resamples)
        return summarise(
            self.rows_with_strata(),
            scoring=scoring,
            track=self.rules.track,
            lesion_detection=detection_figures(self._detected or [], resamples=resamples),
            answers=None if self._answers is None else self._answers.figures(resamples=resamples),
        )

    @property
    def answer_rows(self) -> tuple[CaseRow, ...]:
        """The cases as they were answered; none where this track scores no answers."""
        return () if self._answers is None else self._answers.rows

    def write_answers(self, folder: ScoredFolder) -> None:
        """Write the cases as they were answered, where this track scores answers."""
        if self._answers is not None:
            self._answers.write(folder)

    def write(self, files: TrackFiles) -> None:
        """Write the cases, and which lesions were found where lesions of volumes were sought."""
        write_cases(files.cases, self.rows_with_strata(), classes=self._classes)
        if self._detected:
            write_json(files.detected, to_mapping(self._detected))
        else:
            remove_file(files.detected)  # of an earlier evaluation


def read_detected(path: Path) -> list[DetectedCase]:
    """What `ScoredTrack.write` wrote; nothing where no lesions were sought.

    Raises `InputError` for a damaged file, and one of another version.
    """
    if not path.exists():
        return []
    content = read_json(path)
    try:
        if not isinstance(content, list):
            raise InputError("it holds no list", remedy="it must hold one")
        return [from_mapping(DetectedCase, entry, where=path.name) for entry in content]
    except InputError as error:
        raise InputError(
            f"is damaged or of another version ({error})", remedy="score the predictions again", path=path
        ) from None


def detection_figures(detected: Sequence[DetectedCase], *, resamples: int) -> DetectionFigures | None:
    """The lesions found; None without a true lesion, and where none were sought."""
    if not detected:
        return None
    return summarise_detection(detected, least_iou=LEAST_IOU, threshold=DRAWN, resamples=resamples)
