"""What a run amounts to: `summary.json` and `report.html` over all of its scored folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from bustle.core.files import read_json, write_json
from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol, Recipe, Track
from bustle.core.run_layout import FoldLayout, RunLayout, TrackFiles
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
    run = RunLayout(out)
    folds = run.scored_folds()
    classes = recipe.data.classes
    other_track, other_protocol = companion
    main = _track_summary([fold.main for fold in folds], track=track, protocol=protocol, classes=classes)
    beside = None
    companions = [fold.companion(other_track) for fold in folds]
    if all(files.complete for files in companions):
        beside = _track_summary(companions, track=other_track, protocol=other_protocol, classes=classes)
    summary = {
        "title": recipe.title,
        "recipe": recipe.id,
        "track": track,
        "protocol": protocol.id,
        "folds": [_training_facts(fold) for fold in folds],
        "over_folds": main["over_folds"],
        "pooled": main["pooled"],
        "companion": beside and {"track": other_track, "protocol": other_protocol.id, **beside},
    }
    write_json(run.summary, summary)
    rows = with_size_strata(_pooled_rows([fold.main for fold in folds]))
    plural = f"{len(folds)} folds together" if len(folds) > 1 else f"fold {folds[0].number}"
    scored = [read_json(fold.main.metrics) for fold in folds]
    facts = {
        "title": f"{recipe.title}, {plural}",
        "model": None,
        "warnings": list(dict.fromkeys(warning for metrics in scored for warning in metrics["warnings"])),
        "resampled": "; ".join(dict.fromkeys(metrics["resampled"] for metrics in scored)),
        "provenance": provenance(),
    }
    index_of = _prediction_indexes(folds, cases, recipe=recipe, protocol=protocol)
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
        run.report,
        results,
        fold_folders=folds,
        over_folds=main["over_folds"],
        companion_over_folds=beside and beside["over_folds"],
    )
    return summary


def _track_summary(
    files: Sequence[TrackFiles], *, track: Track, protocol: Protocol, classes: Sequence[str]
) -> dict[str, Any]:
    metrics = [read_json(each.metrics) for each in files]
    rows = _pooled_rows(files)
    detected = [case for each in files for case in read_detected(each.detected)]
    pooled = summarise(rows, protocol=protocol, classes=classes, track=track)
    pooled |= detection_part(detected, resamples=RESAMPLES)
    return {"over_folds": summarise_folds(metrics, pooled=pooled, protocol=protocol), "pooled": pooled}


def _pooled_rows(files: Sequence[TrackFiles]) -> list[CaseRow]:
    return [row for each in files for row in read_cases(each.cases)]


def _training_facts(fold: FoldLayout) -> dict[str, Any]:
    """The chosen epoch, its validation scores, and how long the training took, all stages together."""
    with safe_open(fold.weights, framework="numpy") as weights:
        best_epoch = int(weights.metadata()["epoch"])
    rows = read_history(fold.history)
    earlier = read_stage_histories(fold)
    validation = {name: value for name, value in rows[best_epoch - 1].items() if name.startswith("val_")}
    return {
        "fold": fold.number,
        "best_epoch": best_epoch,
        "epochs": len(rows),
        "training_seconds": round(
            sum(row["seconds"] or 0.0 for part in (rows, *earlier.values()) for row in part), 1
        ),
        "validation": validation or None,
        "earlier_stages": {name: len(part) for name, part in earlier.items()},
    }


def _prediction_indexes(
    folds: Sequence[FoldLayout], cases: Mapping[str, Case], *, recipe: Recipe, protocol: Protocol
) -> dict[str, PredictionIndex]:
    """By case id, where the prediction of the fold that tested the case is."""
    indexes = {}
    outlines = zoo.resolve(recipe).mask_meaning is not None
    for fold in folds:
        tested = [cases[row.case_id] for row in read_cases(fold.main.cases)]
        predictions = set_folder(fold.path, protocol, data=recipe.data, outlines=outlines)
        index = index_predictions(predictions, cases=tested, missing="error")
        indexes |= {case.case_id: index for case in tested}
    return indexes
