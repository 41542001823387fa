"""Which test-time views help the reference model: Dice, AUC and drawn normals of sets of views on a validation part.

Usage: `.venv/bin/python scripts/reference_views.py RUN... --data SPEC... --json FILE`. Each RUN has one fold; its
validation cases, which chose the epoch and fit the rule and are in no test part, are sought in the data. The figures
are of the network on its own grid. Prints a table for docs/reference/reference-model.md.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.recipe import load_recipe
from bustle.core.run_layout import RunLayout
from bustle.core.types import Case
from bustle.core.views import Views
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.intensities import normalise
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.classification import areas_under_roc
from bustle.inference.torch_backend import TorchBackend

SETS = (
    Views(),
    Views(mirrored=True),
    Views(scales=(1.0, 1.4)),
    Views(scales=(1.0, 1.4), mirrored=True),
    Views(scales=(1.0, 0.7, 1.4), mirrored=True),
)
RESAMPLES = 2000
AT_ONCE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    cases = {case.case_id: case for case in open_sources(arguments.data).cases}
    rows = [row for run in arguments.runs for row in rows_of(RunLayout(run), cases)]
    write_json(arguments.json, {"resamples": RESAMPLES, "rows": rows})
    print(
        "| run | views | Dice | difference | AUC | difference | lesions missed | drawn on normals |\n"
        + "|---" * 8
        + "|"
    )
    for row in rows:
        values = [shown(row["dice"]), shown(row["dice_difference"]), shown(row["auc"]), shown(row["auc_difference"])]
        shares = [f"{row[name]:.3f}" for name in ("missed_lesions", "drawn_on_normals")]
        print(f"| {row['run']} | {row['words']} | {' | '.join([*values, *shares])} |")


def rows_of(run: RunLayout, cases: dict[str, Case]) -> list[dict[str, Any]]:
    """The figures of every set of views; differences are from the single one, with intervals over groups."""
    splits = read_splits(run.splits)
    own = [cases[case_id] for case_id in splits.folds[0].val]
    recipe = load_recipe(str(run.recipe))
    cache = CaseCache.open(own, section=recipe.data)
    lesions = np.stack([cache.lesion_masks[number] > 0 for number in range(len(own))])
    weights = group_weights([splits.groups[case.case_id] for case in own])
    malignant = recipe.data.classes.index("malignant")
    labelled = np.isin(cache.labels, [recipe.data.classes.index(name) for name in ("benign", "malignant")])
    rows: list[dict[str, Any]] = []
    seen: dict[Views, tuple[np.ndarray, np.ndarray]] = {}
    for views in SETS:
        masks, classes = (
            np.mean(parts, axis=0)
            for parts in zip(*(answers(run, cache, views=one, seen=seen) for one in by_scale(views)), strict=True)
        )
        drawn = masks > 0.5
        overlap, outlined = (drawn & lesions).sum((1, 2)), lesions.any((1, 2))
        dice = 2 * overlap / np.maximum(drawn.sum((1, 2)) + lesions.sum((1, 2)), 1)
        of_dice = weights[:, outlined] @ dice[outlined] / weights[:, outlined].sum(axis=1)
        of_auc = areas_under_roc(
            cache.labels[labelled] == malignant, classes[labelled, malignant], weights=weights[:, labelled]
        )
        first = rows[0] if rows else {"_dice": of_dice, "_auc": of_auc}
        rows.append(
            {
                "run": run.path.name,
                "n": len(own),
                "views": to_mapping(views),
                "words": views.in_words(),
                "dice": figure(of_dice),
                "dice_difference": figure(of_dice - first["_dice"]),
                "auc": figure(of_auc),
                "auc_difference": figure(of_auc - first["_auc"]),
                "missed_lesions": float((overlap[outlined] == 0).mean()),
                "drawn_on_normals": float(drawn[~outlined].any((1, 2)).mean()),
                "_dice": of_dice,
                "_auc": of_auc,
            }
        )
    return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]


def by_scale(views: Views) -> list[Views]:
    """Whose answers' mean is that of all the views."""
    return [dataclasses.replace(views, scales=(scale,)) for scale in views.scales]


def answers(
    run: RunLayout, cache: CaseCache, *, views: Views, seen: dict[Views, tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Lesion maps `n h w` and class probabilities `n N`; what was `seen` is not computed again."""
    if views in seen:
        return seen[views]
    recipe = dataclasses.replace(load_recipe(str(run.recipe)), views=views)
    backend = TorchBackend(recipe, weights=[run.fold(0).weights], device="cpu")
    masks, classes = [], []
    for start in range(0, len(cache), AT_ONCE):
        output = backend.run(normalise(np.asarray(cache.images[start : start + AT_ONCE]), section=recipe.data))
        assert output.mask_channels is not None
        assert output.classes is not None
        masks.append(output.mask_channels[:, 0])
        classes.append(output.classes)
    seen[views] = np.concatenate(masks), np.concatenate(classes)
    return seen[views]


def group_weights(groups: Sequence[str]) -> np.ndarray:
    """How often each case counts, `1 + RESAMPLES x n`: once first, then in resamples of whole groups."""
    _, owner = np.unique(groups, return_inverse=True)
    count = owner.max() + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.concatenate([np.ones((1, len(groups))), drawn[:, owner]])


def figure(values: np.ndarray) -> dict[str, Any]:
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return {"value": float(values[0]), "ci95": [float(low), float(high)]}


def shown(value: dict[str, Any]) -> str:
    low, high = value["ci95"]
    return f"{value['value']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
