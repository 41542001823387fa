"""Which heads of a network learn nothing from a fold, because no case or no loss tells what they should answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.network import Head
from bustle.core.progress import announce
from bustle.core.recipe import Recipe
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
    without_loss = _without_loss(planned.recipe)
    cases = {case.case_id: case for case in planned.cases}
    found: list[UntrainedHead] = []
    for number, fold in enumerate(planned.splits.folds):
        train = [cases[case_id] for case_id in fold.train]
        taught: dict[Head, bool] = {
            "mask": any(is_located(case, section) for case in train),
            "class": any(case.label is not None for case in train),
        }
        for head, there in heads.items():
            if there and head in without_loss:
                found.append(UntrainedHead(number, head, lacks="loss"))
            elif there and not taught[head]:
                found.append(UntrainedHead(number, head))
    return tuple(found)


def _without_loss(recipe: Recipe) -> frozenset[Head]:
    """The heads with weights of their own that no loss of any stage teaches."""
    from bustle.losses.build import taught_heads
    from bustle.models.separate_heads import separate_heads
    from bustle.training.stages import stages_of

    every: frozenset[Head] = frozenset({"mask", "class"})
    lacking = every.difference(*(taught_heads(stage.recipe) for stage in stages_of(recipe, folder=Path())))
    return lacking & separate_heads(recipe) if lacking else lacking


def tell_untrained(untrained: Sequence[UntrainedHead], *, numbers: Sequence[int]) -> None:
    """Warn of those of the folds `numbers`, before hours are spent on them."""
    for each in untrained:
        if each.fold in numbers:
            why = {
                "case": f"no training case of fold {each.fold} has a {each.head}",
                "loss": f"no loss of the recipe teaches the {each.head} in fold {each.fold}",
            }
            announce(
                f"bustle: warning: {why[each.lacks]}: the {each.head} head learns nothing, and its answers are left "
                "out of all results"
            )
