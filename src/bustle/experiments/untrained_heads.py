"""Which heads of a network learn nothing from a fold, because no training case tells what they should answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.network import Head
from bustle.core.progress import announce
from bustle.core.run_provenance import UntrainedHead
from bustle.experiments.annotation_check import is_located
from bustle.experiments.planned_run import PlannedRun
from bustle.models import zoo
from bustle.models.weights import holds_whole_model


def untrained_heads(planned: PlannedRun, *, init: Path | None) -> tuple[UntrainedHead, ...]:
    """The heads of every fold's network that keep their random weights, whose answers mean nothing.

    A network that starts from the weights of a whole model (`init`) has none: that model's training taught it.
    """
    network, section = zoo.resolve(planned.recipe), planned.recipe.data
    if init is not None and holds_whole_model(network.build(), init):
        return ()
    heads: dict[Head, bool] = {"mask": network.mask_meaning is not None, "class": network.spec.task != "seg"}
    cases = {case.case_id: case for case in planned.cases}
    found = []
    for number, fold in enumerate(planned.splits.folds):
        train = [cases[case_id] for case_id in fold.train]
        taught = {
            "mask": any(is_located(case, section) for case in train),
            "class": any(case.label is not None for case in train),
        }
        found += [UntrainedHead(number, head) for head, there in heads.items() if there and not taught[head]]
    return tuple(found)


def tell_untrained(untrained: Sequence[UntrainedHead], *, numbers: Sequence[int]) -> None:
    """Warn of those of the folds `numbers`, before hours are spent on them."""
    for each in untrained:
        if each.fold in numbers:
            announce(
                f"bustle: warning: no training case of fold {each.fold} has a {each.head}: the {each.head} head "
                "learns nothing, and its answers are left out of all results"
            )
