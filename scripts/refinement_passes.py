"""Dice of every pass of a refined run, by the running statistics of batch normalisation and by those of each batch.

Usage: `.venv/bin/python scripts/refinement_passes.py RUN SPEC`. The test cases of fold 0, in patches about their
lesions or as whole images on the network's grid, in batches as in training, with the weights that the run kept. All
passes share one set of running statistics (`models/refinement.py`), though the first is shown no map.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from bustle.core.recipe import load_recipe
from bustle.core.run_layout import RunLayout
from bustle.core.types import Batch
from bustle.data.prepared.cache import CaseCache
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.inference.torch_backend import load_network
from bustle.models.refinement import Refined, refined
from bustle.models.zoo import resolve
from bustle.training.batch_sources import batch_sources
from bustle.training.batches import positions_of
from bustle.training.location_labels import LocationLabels
from bustle.training.validation import dice_per_case


def dice_of_passes(network: Refined, batches: Iterable[Batch]) -> list[float]:
    """The mean over the cases with a lesion, of every pass."""
    assert network.meaning is not None
    found = []
    for batch in batches:
        passes = []
        for output in network.passes(batch.image):
            assert output.mask_logits is not None
            drawn = network.meaning.lesion_map(output.mask_logits) > 0.5
            passes.append(dice_per_case(drawn, batch.lesion_mask > 0))
        found.append(torch.stack(passes))
    return np.nanmean(torch.cat(found, dim=1).numpy(), axis=1).tolist()


def with_batch_statistics(network: Refined) -> None:
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 0.0  # what was kept stays
            module.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("data", metavar="SPEC")
    arguments = parser.parse_args()
    run = RunLayout(arguments.run)
    recipe, fold = load_recipe(str(run.recipe)), read_splits(run.splits).folds[0]
    ids = {*fold.train, *fold.val, *fold.test}
    cases = [case for case in open_sources([arguments.data]).cases if case.case_id in ids]
    cache = CaseCache.open(cases, section=recipe.data)
    train, test = (positions_of(cache, part) for part in (fold.train, fold.test))
    locations = LocationLabels(cache, section=recipe.data, train=train, seed=recipe.training.seed)
    batches = batch_sources(
        recipe, cache=cache, locations=locations, train=train, val=test, device=torch.device("cpu")
    ).validation
    assert batches is not None
    resolved = resolve(recipe)
    network = refined(load_network(resolved, run.fold(0).weights), resolved)
    with torch.inference_mode():
        for words in ("running statistics", "the batch's statistics"):
            values = " ".join(f"{dice:.3f}" for dice in dice_of_passes(network, batches))
            print(f"{words}: Dice of the passes {values}")
            with_batch_statistics(network)


if __name__ == "__main__":
    main()
