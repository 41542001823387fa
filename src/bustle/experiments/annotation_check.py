"""Whether the folds hold what a training learns from and what its epoch is chosen by, asked before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.core.data_section import DataSection
from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import Protocol, Recipe
from bustle.core.types import Case
from bustle.data.splits.splits import Fold
from bustle.evaluation.positive_class import positive_class
from bustle.models import zoo


def check_annotations(fold: Fold, *, title: str, cases: Sequence[Case], recipe: Recipe, protocol: Protocol) -> None:
    """Raises `InputError` for a fold that teaches nothing or whose validation part cannot choose an epoch.

    Also for one that tests a network that learns no mask on volumes of which nobody knows where to look.

    A training part of one class only is said, since such a model's class probabilities mean nothing, and so is a
    class of the recipe that no training case has.
    """
    by_id = {case.case_id: case for case in cases}
    train, val = ([by_id[case_id] for case_id in part] for part in (fold.train, fold.val))
    located = any(is_located(case, recipe.data) for case in train)
    if recipe.data.needs_place and (zoo.resolve(recipe).mask_meaning is None or not located):
        unplaced = [i for i in fold.test if not by_id[i].has_mask or by_id[i].label == "normal"]
        if unplaced:
            raise InputError(
                f"{len(unplaced)} test volumes of {title} have no lesion to look at, such as '{unplaced[0]}', and a "
                "network that outlines nothing cannot search",
                remedy="leave them out, or train a network with a mask on cases with masks",
            )
    labels = {case.label for case in train if case.label is not None}
    if not labels and not located:
        raise InputError(
            f"none of the {len(train)} training cases of {title} has a mask or a class",
            remedy="train on annotated data",
        )
    if len(labels) == 1:
        announce(f"bustle: warning: every training case of {title} is {min(labels)}: classes cannot be learned")
    elif absent := [name for name in recipe.data.classes if labels and name not in labels]:
        announce(f"bustle: warning: no training case of {title} is {' or '.join(absent)}: that is never learned")
    monitor = recipe.training.monitor
    monitored = {monitor} if isinstance(monitor, str) else set(monitor)
    if protocol.validation != "none" and val and not monitored & _measurable(val, recipe.data):
        raise InputError(
            f"the {len(val)} validation cases of {title} cannot measure training.monitor={monitor}",
            remedy="add annotated data, or choose the epoch with --set training.monitor=loss",
        )


def is_located(case: Case, section: DataSection) -> bool:
    """Whether training knows where the case's lesion is: by a mask, or a box where boxes count."""
    return case.has_mask or (section.location == "box" and case.has_box)


def _measurable(cases: Sequence[Case], section: DataSection) -> set[str]:
    """The values of `training.monitor` that these cases may define."""
    positive = positive_class(section.classes)
    found = {"loss"}
    if any(is_located(case, section) and case.label != "normal" for case in cases):
        found |= {"dice", "score"}
    if any(case.label is not None for case in cases):
        found.add("accuracy")
    if len({case.label == positive for case in cases if case.label is not None}) == 2:
        found |= {"auc", "score"}
    return found
