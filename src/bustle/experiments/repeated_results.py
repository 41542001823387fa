"""Results that repeat one another: trainings of one recipe on the same folds of the same data with other seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.run_layout import ResultsFolder
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.results import TrackFigures
from bustle.experiments.run_record import RunRecord
from bustle.experiments.run_record_file import read_record


class OverRepeats(NamedTuple):
    """`mean` and `sd` (ddof 1) over the repeats' own figures, None with fewer than one and two of them; `unit`."""

    mean: float | None
    sd: float | None
    unit: str


@dataclass(frozen=True)
class Repeats:
    """Two or more results by name, in the order of their seeds."""

    records: Mapping[str, RunRecord]

    @property
    def seeds(self) -> list[int]:
        return [record.recipe.training.seed for record in self.records.values()]

    def tracks(self) -> list[tuple[TrackFigures, ...]]:
        """Of every track that all of them have, the repeats' figures of all test cases, the main track first."""
        own = [record.result.tracks for record in self.records.values()]
        return [tuple(track.pooled for track in tracks) for tracks in zip(*own, strict=False)]


def over_repeats(repeats: Sequence[TrackFigures], part: str, name: str) -> OverRepeats | None:
    """The metric `part`.`name` over repeats, None where one of them was not scored for that part."""
    estimates = [estimates_of(figures, part) for figures in repeats]
    scored = [found[name] for found in estimates if found is not None]
    if len(scored) < len(repeats):
        return None
    values = [entry.mean for entry in scored if entry.mean is not None]
    return OverRepeats(
        mean=float(np.mean(values)) if values else None,
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        unit=scored[0].unit,
    )


def grouped_repeats(records: Mapping[str, RunRecord]) -> list[Repeats]:
    """All repeats among the records; of two with one seed the first by name counts."""
    groups: dict[str, dict[int, str]] = {}
    for name in sorted(records):
        record = records[name]
        groups.setdefault(_but_for_its_seed(record), {}).setdefault(record.recipe.training.seed, name)
    return [
        Repeats({names[seed]: records[names[seed]] for seed in sorted(names)})
        for names in groups.values()
        if len(names) > 1
    ]


def repeats_of(name: str, *, folder: ResultsFolder) -> Repeats | None:
    """The repeats to which a file of the folder belongs; files that are no results are passed over."""
    records = {}
    for path in folder.runs():
        try:
            records[path.stem] = read_record(path)
        except InputError:
            continue
    return next((each for each in grouped_repeats(records) if name in each.records), None)


def _but_for_its_seed(record: RunRecord) -> str:
    """All that repeats have in common: recipe, data, starting weights, split, and the folds and rules of the test."""
    recipe = record.recipe
    common = {
        "recipe": replace(recipe, training=replace(recipe.training, seed=0)),
        "data": {source: found.sha256 for source, found in record.provenance.data.items()},
        "init": record.provenance.init and record.provenance.init.sha256,
        "splits": record.splits,
        "folds": [fold.fold for fold in record.folds],
        "rules": [(track.track, track.protocol) for track in record.result.tracks],
    }
    return json.dumps(to_mapping(common), sort_keys=True)
