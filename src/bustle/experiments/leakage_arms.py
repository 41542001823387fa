"""The trainings of the leakage study: the same cases and seeds, split with and without a flaw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bustle.core.data_section import DataSection
from bustle.core.recipe import load_protocol
from bustle.core.types import Collection
from bustle.data.splits.splits import Fold, Splits, make_splits


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to split. `by_image`: images as if they were independent; `epoch_on_test`: no validation part."""

    title: str
    by_image: bool = False
    epoch_on_test: bool = False


STRICT = "strict"
ARMS: Mapping[str, Arm] = {
    STRICT: Arm(title="strict"),
    "by_image": Arm(title="images split as if independent", by_image=True),
    "epoch_on_test": Arm(title="epoch chosen on the test fold", epoch_on_test=True),
    "all": Arm(title="both, and all of the scoring", by_image=True, epoch_on_test=True),
}


def splits_of(arm: Arm, collection: Collection, *, folds: int, seed: int, data: DataSection) -> Splits:
    """The folds of an arm; all arms test the same cases, each once.

    Where the epoch is chosen on the test fold, the training part stays that of the strict split: its cases would
    otherwise be more, and not the flaw alone would differ. Raises `InputError` for too few groups.
    """
    strict = load_protocol("strict")
    protocol = replace(strict, group_by="case") if arm.by_image else strict
    made = make_splits(
        collection,
        protocol=protocol,
        track="strict",
        folds=folds,
        seed=seed,
        classes=data.classes,
        multi_mask=data.multi_mask,
    )
    if not arm.epoch_on_test:
        return made
    return replace(made, folds=tuple(Fold(fold.train, fold.test, fold.test) for fold in made.folds))
