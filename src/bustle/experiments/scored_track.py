"""What one protocol makes of the cases: rows of `cases.csv`, the lesions of volumes that were found, the summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bustle.core.recipe import Protocol, Track
from bustle.evaluation.cases import score_case
from bustle.evaluation.detection import DetectedCase, HitRule, candidates_from_map, detect_lesions
from bustle.evaluation.froc import summarise_detection
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import summarise
from bustle.experiments.scored_pairs import Pair, PredictionIndex

HIT_RULE = HitRule("iou", 0.1)
"""When a candidate of a volume has found a lesion."""

DRAWN = 0.5
"""The score from which on something is drawn at a candidate's place."""


class ScoredTrack:
    """The cases scored so far by one track's protocol, from the predictions of `index`."""

    def __init__(self, protocol: Protocol, index: PredictionIndex, *, track: Track, classes: Sequence[str]):
        self.protocol = protocol
        self.index = index
        self._track: Track = track
        self._classes = classes
        self._rows: list[dict[str, Any]] = []
        self._detected: list[DetectedCase] = []

    def scores(self, pair: Pair) -> bool:
        """Whether the files have what the protocol scores: a mask on the network's grid, where it asks for that."""
        return self.protocol.resolution == "native" or pair.has_network_grid

    def add(self, pair: Pair, *, group_id: str | None) -> None:
        """Score one case. Raises `InputError` for a pair that the protocol cannot score."""
        truth, predicted = pair.on_grid(self.protocol.resolution, group_id=group_id)
        self._rows.append(score_case(truth, predicted, protocol=self.protocol, classes=self._classes))
        lesions, parts = pair.sample.lesion_mask, pair.stored.parts
        if self.protocol.located or lesions is None or parts is None:
            return  # a model that was told where the lesion is has found none
        candidates = candidates_from_map(parts, pair.stored.candidates)
        spacing = pair.sample.geometry.spacing
        self._detected.append(
            detect_lesions(lesions, candidates, rule=HIT_RULE, group_id=truth.cluster, spacing=spacing)
        )

    def rows_with_strata(self) -> list[dict[str, Any]]:
        return with_size_strata(self._rows)

    def summary(self, *, resamples: int) -> dict[str, Any]:
        """The track's part of `metrics.json`."""
        summary = summarise(
            self.rows_with_strata(),
            protocol=self.protocol,
            classes=self._classes,
            track=self._track,
            resamples=resamples,
        )
        if self._detected:
            summary["lesion_detection"] = summarise_detection(
                self._detected, rule=HIT_RULE, threshold=DRAWN, resamples=resamples
            )
        return summary
