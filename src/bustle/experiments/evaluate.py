"""From prediction files to `cases.csv`, `metrics.json` and `report.html`; a model is predicted to files first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from bustle.core.errors import InputError, unknown_name
from bustle.core.files import remove_file, write_json
from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol, Track, protocol_ids, protocol_of
from bustle.core.run_layout import ScoredFolder
from bustle.core.types import CLASS_NAMES, Case
from bustle.data.class_groups import in_class_groups
from bustle.experiments.gallery_pictures import gallery_pictures
from bustle.experiments.resampling_groups import GroupRule, ResamplingGroups, resampling_groups
from bustle.experiments.scored_pairs import Missing, index_predictions, read_pairs
from bustle.experiments.scored_track import ScoredTrack
from bustle.experiments.training_overlap import training_overlap
from bustle.inference.prediction_files import (
    PROBABILITIES,
    find_predictions,
    read_class_probabilities,
    read_prediction,
)
from bustle.inference.predictor import Predictor
from bustle.report.evaluation_page import Results, write_evaluation_page

DEFAULT_CLASSES = ("benign", "malignant")


def evaluate_predictions(
    predictions: Path,
    *,
    cases: Sequence[Case],
    out: Path,
    track: Track,
    protocol: Protocol,
    classes: Sequence[str],
    title: str,
    groups: ResamplingGroups | None = None,
    companion: Protocol | None = None,
    companion_predictions: Path | None = None,
    missing: Missing = "error",
    warnings: Sequence[str] = (),
    resamples: int = 2000,
) -> dict[str, Any]:
    """Score prediction files and write `cases.csv`, `metrics.json` and `report.html` into `out`.

    `companion` is the other track's protocol: where the files allow it (masks on the network's grid exist), its
    results are written beside as `cases_<track>.csv` and `metrics_<track>.json` and shown in the report;
    `companion_predictions` are the files that it scores, if not the same. `groups`
    are what the confidence intervals resample, patients by default.
    Returns the content of `metrics.json`. Raises `InputError` for missing, broken or wrongly sized predictions.
    """
    scorable = [case for case in cases if case.has_mask or case.has_box or case.label is not None]
    if not scorable:
        raise InputError("none of the cases has a mask, a box or a class", remedy="evaluate on annotated data")
    index = index_predictions(predictions, cases=scorable, missing=missing)
    (other,) = (name for name in get_args(Track) if name != track)
    groups = groups or resampling_groups(cases)
    main = ScoredTrack(protocol, index, track=track, classes=classes)
    beside = None
    if companion is not None:
        other_index = index
        if companion_predictions is not None and companion_predictions != predictions:
            other_index = index_predictions(companion_predictions, cases=scorable, missing=missing)
        beside = ScoredTrack(companion, other_index, track=other, classes=classes)
    models: list[dict[str, Any]] = []
    for pair in read_pairs(scorable, index=index):
        group_id = groups.group_of.get(pair.case.case_id)
        main.add(pair, group_id=group_id)
        models.append(dict(pair.stored.provenance))
        if beside is not None:
            other_pair = pair if beside.index is index else pair.predicted_by(beside.index)
            if beside.scores(other_pair):
                beside.add(other_pair, group_id=group_id)
            else:
                beside = None
    model = models[0] if models[0] and all(entry == models[0] for entry in models) else None
    rows = main.rows_with_strata()
    notes = [*warnings, *index.warnings, *groups.warnings]
    foreign = [case for case in scorable if case.label is not None and case.label not in classes]
    if foreign and any(row.probability(name) is not None for row in rows for name in classes):
        names = ", ".join(sorted({str(case.label) for case in foreign}))
        notes.append(
            f"{len(foreign)} cases are of a class that the method does not know ({names}, not among "
            f"{', '.join(classes)}): they count in no class metric"
        )
    if len(scorable) < len(cases):
        notes.append(f"{len(cases) - len(scorable)} cases without mask, box and class are left out")
    facts = {
        "title": title,
        "model": model,
        "warnings": notes,
        "groups": groups.rule,
        "resampled": groups.meaning,
        "provenance": provenance(),
    }
    metrics = facts | main.summary(resamples=resamples)
    folder = ScoredFolder(out)
    remove_file(folder.main.metrics)  # of an earlier evaluation: it is written last
    main.write(folder.main)
    other_metrics = None
    if beside is not None:
        other_metrics = facts | beside.summary(resamples=resamples)
        beside.write(folder.companion(other))
        write_json(folder.companion(other).metrics, other_metrics)
    by_id = {case.case_id: case for case in scorable}
    results = Results(
        metrics=metrics,
        rows=rows,
        classes=classes,
        protocol=protocol,
        companion=other_metrics,
        companion_protocol=companion,
        pictures=gallery_pictures(rows, cases=by_id, index_of=dict.fromkeys(by_id, index), classes=classes),
    )
    write_evaluation_page(folder.report, results)
    write_json(folder.main.metrics, metrics)
    return metrics


def evaluate_model(
    predictor: Predictor,
    *,
    cases: Sequence[Case],
    out: Path,
    track: Track,
    protocol: str | None = None,
    groups: GroupRule | Path = "patient",
) -> dict[str, Any]:
    """Predict all cases into `out/predictions`, then score those files.

    `protocol` is the published track's, the recipe's own by default. Both tracks are scored, `track` is the main
    one. `groups` are what the intervals resample, as `resampling_groups` takes them. A case that the run was trained
    on gives a warning that stands in the report.
    """
    from bustle.experiments.prediction_sets import predict_sets, set_folder, told_warnings

    cases = in_class_groups(cases, predictor.data.class_groups)
    resampled = resampling_groups(cases, rule=groups)
    failures: list[InputError] = []
    published = protocol or predictor.protocol
    (other,) = (name for name in get_args(Track) if name != track)
    main, companion = protocol_of(track, published), protocol_of(other, published)
    predict_sets(predictor, cases, out, protocols=(main, companion), on_failure=failures.append)
    if failures:
        raise failures[0]
    about = {"data": predictor.data, "outlines": predictor.outlines}
    return evaluate_predictions(
        set_folder(out, main, **about),
        cases=cases,
        out=out,
        track=track,
        protocol=main,
        companion=companion,
        companion_predictions=set_folder(out, companion, **about),
        classes=predictor.data.classes,
        groups=resampled,
        title=predictor.title,
        warnings=[*training_overlap(predictor.path, cases), *told_warnings((main, companion), **about)],
    )


def evaluate_foreign_predictions(
    predictions: Path,
    *,
    cases: Sequence[Case],
    out: Path,
    track: Track,
    protocol: str | None = None,
    missing: Missing = "error",
    groups: GroupRule | Path = "patient",
) -> dict[str, Any]:
    """Score prediction files of any tool; the classes are the columns of its `probabilities.csv`.

    `protocol` names the published track's protocol, which the files do not tell: without it only `strict` is scored.
    `groups` as in `evaluate_model`.
    """
    if protocol is None and track == "published":
        published_ids = ", ".join(name for name in protocol_ids() if name != "strict")
        raise InputError("the published track needs a protocol", remedy=f"add --protocol, one of {published_ids}")
    published = None if protocol is None else protocol_of("published", protocol)
    strict = protocol_of("strict", "strict")
    main, companion = (strict, published) if track == "strict" else (published, strict)
    assert main is not None
    return evaluate_predictions(
        predictions,
        cases=cases,
        out=out,
        track=track,
        protocol=main,
        companion=companion,
        classes=_foreign_classes(predictions, [case.case_id for case in cases]),
        groups=resampling_groups(cases, rule=groups),
        title=f"Predictions of {predictions.resolve().name}",
        missing=missing,
    )


def _foreign_classes(predictions: Path, case_ids: Sequence[str]) -> tuple[str, ...]:
    """The classes of `probabilities.csv`, else those that prediction files in bustle's own form name."""
    table = read_class_probabilities(predictions, case_ids=case_ids)
    if not table:
        found = find_predictions(predictions, case_ids=case_ids)
        probabilities = read_prediction(next(iter(found.values()))).class_probabilities if found else None
        return tuple(probabilities or DEFAULT_CLASSES)
    path = predictions / PROBABILITIES
    names = next(iter(table.values()))
    for name in names:
        if name not in CLASS_NAMES:
            raise unknown_name("class", name, CLASS_NAMES, path=path)
    absent = [name for name in DEFAULT_CLASSES if name not in names]
    if absent:
        raise InputError(
            f"lacks the column {' and '.join(absent)}", remedy="it needs case_id,benign,malignant[,normal]", path=path
        )
    for case_id, probabilities in table.items():
        if abs(sum(probabilities.values()) - 1) > 0.01:
            raise InputError(
                f"the probabilities of '{case_id}' sum to {sum(probabilities.values()):.3f}",
                remedy="normalise them so that they sum to 1",
                path=path,
            )
    return tuple(name for name in CLASS_NAMES if name in names)
