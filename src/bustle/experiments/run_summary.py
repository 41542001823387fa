"""What a run amounts to: `summary.json` and `report.html` over all of its scored folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from bustle.core.files import read_json, write_json
from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol, Recipe, Track
from bustle.core.types import Case
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import summarise, summarise_folds
from bustle.experiments.gallery_pictures import gallery_pictures
from bustle.experiments.prediction_sets import set_folder
from bustle.experiments.scored_pairs import PredictionIndex, index_predictions
from bustle.experiments.scored_track import detection_part, read_detected
from bustle.models import zoo
from bustle.report.evaluation_page import Results
from bustle.report.run_page import read_history, read_stage_histories, write_run_page

RESAMPLES = 2000
LAST_SCORED_FILE = "report.html"
"""What the scoring of a fold writes last: where it stands, the fold is done."""


def scored_folds(out: Path) -> dict[int, Path]:
    """The folders of the folds whose predictions are scored, by number."""
    numbers = sorted(int(folder.name.removeprefix("fold-")) for folder in out.glob("fold-*"))
    folders = {number: out / f"fold-{number}" for number in numbers}
    return {number: folder for number, folder in folders.items() if (folder / LAST_SCORED_FILE).exists()}


def write_run_summary(
    out: Path,
    *,
    recipe: Recipe,
    track: Track,
    protocol: Protocol,
    companion: tuple[Track, Protocol],
    cases: Mapping[str, Case],
) -> dict[str, Any]:
    """Write both files; returns the content of `summary.json`.

    `over_folds` is the mean ± spread of the folds' figures, as papers print them; `pooled` scores the cases of all
    folds as one set. The other track's figures stand under `companion` where every fold has them.
    """
    folders = scored_folds(out)
    classes = recipe.data.classes
    other_track, other_protocol = companion
    main = _track_summary(folders, suffix="", track=track, protocol=protocol, classes=classes)
    beside = None
    if all((folder / f"metrics_{other_track}.json").exists() for folder in folders.values()):
        beside = _track_summary(
            folders, suffix=f"_{other_track}", track=other_track, protocol=other_protocol, classes=classes
        )
    summary = {
        "title": recipe.title,
        "recipe": recipe.id,
        "track": track,
        "protocol": protocol.id,
        "folds": [_training_facts(number, folder) for number, folder in folders.items()],
        "over_folds": main["over_folds"],
        "pooled": main["pooled"],
        "companion": beside and {"track": other_track, "protocol": other_protocol.id, **beside},
    }
    write_json(out / "summary.json", summary)
    rows = with_size_strata(_pooled_rows(folders, suffix=""))
    plural = f"{len(folders)} folds together" if len(folders) > 1 else f"fold {next(iter(folders))}"
    scored = [read_json(folder / "metrics.json") for folder in folders.values()]
    facts = {
        "title": f"{recipe.title}, {plural}",
        "model": None,
        "warnings": list(dict.fromkeys(warning for metrics in scored for warning in metrics["warnings"])),
        "resampled": "; ".join(dict.fromkeys(metrics["resampled"] for metrics in scored)),
        "provenance": provenance(),
    }
    index_of = _prediction_indexes(folders, cases, recipe=recipe, protocol=protocol)
    results = Results(
        metrics=facts | main["pooled"],
        rows=rows,
        classes=classes,
        protocol=protocol,
        pictures=gallery_pictures(rows, cases=cases, index_of=index_of, classes=classes),
        companion=beside and facts | beside["pooled"],
        companion_protocol=other_protocol,
    )
    write_run_page(
        out / "report.html",
        results,
        fold_folders=folders,
        over_folds=main["over_folds"],
        companion_over_folds=beside and beside["over_folds"],
    )
    return summary


def _track_summary(
    folders: Mapping[int, Path], *, suffix: str, track: Track, protocol: Protocol, classes: Sequence[str]
) -> dict[str, Any]:
    metrics = [read_json(folder / f"metrics{suffix}.json") for folder in folders.values()]
    rows = _pooled_rows(folders, suffix=suffix)
    detected = [case for folder in folders.values() for case in read_detected(folder, suffix=suffix)]
    pooled = summarise(rows, protocol=protocol, classes=classes, track=track)
    pooled |= detection_part(detected, resamples=RESAMPLES)
    return {"over_folds": summarise_folds(metrics, pooled=pooled, protocol=protocol), "pooled": pooled}


def _pooled_rows(folders: Mapping[int, Path], *, suffix: str) -> list[CaseRow]:
    return [row for folder in folders.values() for row in read_cases(folder / f"cases{suffix}.csv")]


def _training_facts(number: int, folder: Path) -> dict[str, Any]:
    """The chosen epoch, its validation scores, and how long the training took, all stages together."""
    with safe_open(folder / "best.safetensors", framework="numpy") as weights:
        best_epoch = int(weights.metadata()["epoch"])
    rows = read_history(folder / "metrics.csv")
    earlier = read_stage_histories(folder)
    validation = {name: value for name, value in rows[best_epoch - 1].items() if name.startswith("val_")}
    return {
        "fold": number,
        "best_epoch": best_epoch,
        "epochs": len(rows),
        "training_seconds": round(
            sum(row["seconds"] or 0.0 for part in (rows, *earlier.values()) for row in part), 1
        ),
        "validation": validation or None,
        "earlier_stages": {name: len(part) for name, part in earlier.items()},
    }


def _prediction_indexes(
    folders: Mapping[int, Path], cases: Mapping[str, Case], *, recipe: Recipe, protocol: Protocol
) -> dict[str, PredictionIndex]:
    """By case id, where the prediction of the fold that tested the case is."""
    indexes = {}
    outlines = zoo.resolve(recipe).mask_meaning is not None
    for folder in folders.values():
        tested = [cases[row.case_id] for row in read_cases(folder / "cases.csv")]
        predictions = set_folder(folder, protocol, data=recipe.data, outlines=outlines)
        index = index_predictions(predictions, cases=tested, missing="error")
        indexes |= {case.case_id: index for case in tested}
    return indexes
