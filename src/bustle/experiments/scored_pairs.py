"""Bringing each case's truth together with its prediction files, on the grid that a protocol scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.progress import announce, progress
from bustle.core.types import Box, Case, Sample
from bustle.data.prepared.grid import boxes_to_network, mapped_grid
from bustle.evaluation.cases import PredictedCase, TruthCase
from bustle.inference.decision import most_probable
from bustle.inference.prediction_files import MASK, check_prediction, foreign_volume, read_prediction
from bustle.inference.prediction_search import find_predictions, predictions_below, read_class_table
from bustle.inference.stored_prediction import StoredPrediction, empty_mask
from bustle.io.names import NameIndex
from bustle.io.volume import check_same_grid, is_volume, read_header

Missing = Literal["error", "as-empty"]
NAMED = 3


@dataclass(frozen=True)
class PredictionIndex:
    """Where the predictions of a set of cases are, and what a person should know about them."""

    directory: Path
    paths: Mapping[str, Path]
    class_probabilities: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]

    def read(self, case: Case, *, size: tuple[int, ...]) -> StoredPrediction:
        """The stored prediction; for a case without one an empty mask of `size`, if the others have masks.

        Raises `InputError` for a mask of another size, and for a volume that lies at another place than its case.
        """
        path = self.paths.get(case.case_id)
        if path is None:
            probabilities = self.class_probabilities.get(case.case_id)
            return StoredPrediction(
                segmentation=empty_mask(size) if self.paths else None,
                class_probabilities=probabilities,
                decision=most_probable(probabilities),
            )
        stored = read_prediction(path)
        foreign = foreign_volume(path)
        if foreign is not None and case.files and is_volume(case.files[0]):
            # The file's own header: a reader may know the spacing better, as that of TDSC-ABUS does.
            check_same_grid(foreign, like=read_header(case.files[0]).geometry())
        if stored.segmentation is not None and stored.segmentation.size != size:
            raise InputError(
                f"the predicted mask is {_by(stored.segmentation.size)}, the image of '{case.case_id}' {_by(size)}",
                remedy="write masks at the size of the original image or volume",
                path=path,
            )
        probabilities = self.class_probabilities.get(case.case_id, stored.class_probabilities)
        # The tracks score what the network itself says; an answer is scored beside them.
        raw = stored.decision is None or stored.answer is not None
        decision = most_probable(probabilities) if raw else stored.decision
        return dataclasses.replace(stored, class_probabilities=probabilities, decision=decision)


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def index_predictions(
    directory: Path, *, cases: Sequence[Case], others: Sequence[str] = (), missing: Missing
) -> PredictionIndex:
    """Find the predictions of all cases. Every one that cannot be read is told at once, in a line of its own.

    Predictions that belong to none of the cases are told; `others` are ids of cases that are known and not asked for.

    Raises `InputError` where some are missing or cannot be read, unless they count as empty.
    """
    case_ids = [case.case_id for case in cases]
    paths = find_predictions(directory, case_ids=case_ids)
    probabilities, surplus_rows, _ = read_class_table(directory, case_ids=case_ids)
    if not paths and not probabilities:
        raise InputError(
            "holds no prediction of these cases",
            remedy=f"name them DIR/<stem>.png or DIR/<case_id>/{MASK}, for example {case_ids[0]}/{MASK}",
            path=directory,
        )
    warnings = []
    for found, what, remedy in (
        (paths, "mask", "predict them too, or count each as an empty mask with --missing as-empty"),
        (
            probabilities,
            "class probabilities",
            "add their rows, or leave them out of the class metrics with --missing as-empty",
        ),
    ):
        absent = [case_id for case_id in case_ids if case_id not in found]
        if not found or not absent:
            continue
        problem = f"{len(absent)} of {len(case_ids)} cases have no {what} ({_some(absent)})"
        if missing == "error":
            raise InputError(problem, remedy=remedy, path=directory)
        warnings.append(problem + (": counted as empty masks" if found is paths else ": not in the class metrics"))
    surplus = _surplus(directory, [*paths.values(), *find_predictions(directory, case_ids=others).values()])
    known = NameIndex(others)
    surplus_rows = tuple(name for name in surplus_rows if not known.find(name))
    if surplus:
        warnings.append(f"{len(surplus)} predictions belong to none of the cases ({_some(surplus)})")
    if surplus_rows:
        warnings.append(
            f"{len(surplus_rows)} rows of class probabilities belong to none of the cases ({_some(surplus_rows)})"
        )
    unreadable = _unreadable(paths)
    if unreadable:
        problem = f"{len(unreadable)} of {len(paths)} predictions cannot be read ({_some(unreadable)})"
        if missing == "error" or len(unreadable) == len(paths):
            remedy = "mend or replace them" + (
                ", or count each as an empty mask with --missing as-empty" if missing == "error" else ""
            )
            raise InputError(problem, remedy=remedy, path=directory)
        warnings.append(f"{problem}: counted as empty masks")
    readable = {case_id: path for case_id, path in paths.items() if case_id not in unreadable}
    return PredictionIndex(directory, readable, probabilities, tuple(warnings))


def _unreadable(paths: Mapping[str, Path]) -> list[str]:
    """The cases whose files are broken."""
    found = []
    for case_id, path in paths.items():
        try:
            check_prediction(path)
        except InputError as error:
            announce(f"bustle: {error}")
            found.append(case_id)
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _surplus(directory: Path, used: Iterable[Path]) -> list[str]:
    """Predictions in the folder that belong to no case, by their path below it."""
    unused = predictions_below(directory) - set(used)
    return sorted(str(path.relative_to(directory)) for path in unused)


def true_mask(sample: Sample) -> NDArray[np.bool_] | None:
    """The union of all lesions; empty for a case that is known to be normal, None where it is not annotated."""
    if sample.lesion_mask is not None:
        return sample.lesion_mask > 0
    return np.zeros(sample.geometry.original_size, bool) if sample.label == "normal" else None


@dataclass(frozen=True)
class Pair:
    """One case with its truth and its stored prediction, both at the image's own size."""

    case: Case
    sample: Sample
    stored: StoredPrediction

    def predicted_by(self, index: PredictionIndex) -> Pair:
        """The same case with another prediction."""
        return Pair(self.case, self.sample, index.read(self.case, size=self.sample.geometry.original_size))

    @property
    def has_network_grid(self) -> bool:
        """Whether it can be scored on the network's grid; a prediction without a mask needs none."""
        return self.stored.segmentation is None or self.stored.segmentation.network is not None

    def on_grid(
        self, resolution: Literal["native", "network"], *, group_id: str | None
    ) -> tuple[TruthCase, PredictedCase]:
        """Truth and prediction at the image's own size, or on the grid of the network that predicted."""
        mask, boxes, drawn = true_mask(self.sample), self.sample.boxes, self.stored.segmentation
        spacing = self._spacing
        predicted = None
        if drawn is not None and resolution == "native":
            predicted = drawn.raw_mask
        elif drawn is not None:
            if drawn.network is None:
                raise InputError(
                    f"the prediction of '{self.case.case_id}' has no mask on its network's grid",
                    remedy="score it with --track strict",
                )
            predicted, seen = drawn.network.mask, drawn.network.grid
            grid = mapped_grid(dataclasses.replace(seen.geometry, spacing=spacing), seen.mapping)
            mask = None if mask is None else grid.mask_to_network(mask)
            boxes = boxes_to_network(boxes, grid=grid)
            spacing = grid.network.spacing
        return self._truth(mask, boxes=boxes, spacing=spacing, group_id=group_id), PredictedCase(
            case_id=self.case.case_id,
            mask=predicted,
            class_probabilities=self.stored.class_probabilities,
            decision=self.stored.decision,
        )

    def answered(self, *, group_id: str | None) -> tuple[TruthCase, PredictedCase]:
        """Truth and answer at the image's own size; only of a prediction that has an answer."""
        answer, drawn = self.stored.answer, self.stored.segmentation
        assert answer is not None
        truth = self._truth(true_mask(self.sample), boxes=self.sample.boxes, spacing=self._spacing, group_id=group_id)
        return truth, PredictedCase(
            case_id=self.case.case_id,
            mask=None if drawn is None else drawn.mask,
            class_probabilities=answer.probabilities,
            decision=answer.decision,
        )

    @property
    def _spacing(self) -> tuple[float, ...] | None:
        return self.sample.geometry.spacing or self.case.spacing

    def _truth(
        self,
        mask: NDArray[np.bool_] | None,
        *,
        boxes: tuple[Box, ...] | None,
        spacing: tuple[float, ...] | None,
        group_id: str | None,
    ) -> TruthCase:
        return TruthCase(
            case_id=self.case.case_id,
            source=self.case.source,
            patient_id=self.case.patient_id,
            group_id=group_id,
            label=self.case.label,
            mask=mask,
            boxes=boxes,
            spacing=spacing,
        )


def read_pairs(cases: Sequence[Case], *, index: PredictionIndex) -> Iterator[Pair]:
    """Decode case after case, with a progress bar."""
    for case in progress(cases, description="score"):
        yield read_pair(case, index=index)


def read_pair(case: Case, *, index: PredictionIndex) -> Pair:
    sample = case.load()
    return Pair(case, sample, index.read(case, size=sample.geometry.original_size))
