"""From a run folder to a model package: collects what the run knows about its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.core.files import read_json
from bustle.core.recipe import Recipe, load_recipe
from bustle.data.sources import reader_ids, reader_module
from bustle.data.splits.splits import read_splits
from bustle.experiments.run_folder import PROVENANCE, SPLITS
from bustle.experiments.training_overlap import seen_case_ids
from bustle.inference.package import PackageRecord, case_digest
from bustle.inference.predictor import find_weights

OF_A_TRACK = (
    "track",
    "protocol",
    "resolution",
    "empty_policy",
    "headline_distance",
    "n_cases",
    "n_groups",
    "bootstrap",
    "segmentation",
    "classification",
    "lesion_detection",
)
"""What a package keeps of one track's `metrics.json`."""


def export_run(model: Path, out: Path) -> PackageRecord:
    """Export a run's finished folds, or one `RUN/fold-K`, to the package `out`. Raises `InputError`."""
    from bustle.export.package import write_package

    path, weights = find_weights(model)
    run = path.parent
    recipe = load_recipe(str(path))
    seen = set().union(*(seen_case_ids(file.parent) for file in weights))
    return write_package(
        out,
        recipe=recipe,
        weights=weights,
        training=_training(run, recipe=recipe),
        metrics=_metrics(run, folds=[file.parent for file in weights]),
        seen_cases=sorted(map(case_digest, seen)),
    )


def _training(run: Path, *, recipe: Recipe) -> dict[str, Any]:
    splits, record = read_splits(run / SPLITS), read_json(run / PROVENANCE)
    return {
        "track": splits.track,
        "protocol": splits.protocol,
        "starting_weights": record["init"],
        "encoder_weights": recipe.model.encoder_weights,
        "data": {source: facts | {"licence": _licence(source)} for source, facts in record["data"].items()},
    }


def _licence(source: str) -> str | None:
    """What the source's reader says; None for a source that was given a name of its own."""
    return reader_module(source).DESCRIPTION.licence if source in reader_ids() else None


def _metrics(run: Path, *, folds: Sequence[Path]) -> list[dict[str, Any]]:
    """Of every scored track: of the fold itself where there is one, else of all test cases together, if summed up."""
    names = [folder.name for folder in folds]
    if len(folds) == 1:
        if not (folds[0] / "metrics.json").exists():
            raise InputError("is not finished", remedy="finish its training with --resume", path=folds[0])
        main = read_json(folds[0] / "metrics.json")
        beside = map(read_json, folds[0].glob("metrics_*.json"))
        return [_kept(metrics, names) for metrics in (main, *beside)]
    if not (run / "summary.json").exists():
        return []
    summary = read_json(run / "summary.json")
    if [f"fold-{facts['fold']}" for facts in summary["folds"]] != names:
        return []  # a fold was finished since
    tracks = [summary, summary["companion"]]
    return [_kept(track["pooled"], names) for track in tracks if track]


def _kept(metrics: Mapping[str, Any], folds: Sequence[str]) -> dict[str, Any]:
    return {key: metrics[key] for key in OF_A_TRACK if key in metrics} | {"folds": list(folds)}
