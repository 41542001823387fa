"""Scoring a model, or the prediction files of any other tool, on annotated data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.data_section import PatchData
from bustle.core.errors import InputError, unknown_name
from bustle.core.explanation import CHANNEL, METHODS, UNCERTAINTY, ExplanationMethod
from bustle.core.recipe import Track, protocol_ids
from bustle.core.run_layout import ScoredFolder
from bustle.core.tracks import TrackRules, Tracks, both_tracks
from bustle.core.types import CLASS_NAMES, Case, Collection, Sample
from bustle.data.class_groups import in_class_groups
from bustle.evaluation.results import TrackResult
from bustle.experiments.explanation_check import check_explanations
from bustle.experiments.own_outputs import EVALUATION
from bustle.experiments.prediction_sets import is_resumed, predict_sets, set_folder, told_warnings
from bustle.experiments.readable_cases import readable_cases
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.resampling_groups import GroupRule, ResamplingGroups, group_rule, resampling_groups
from bustle.experiments.run_folder import refuse_run_folder
from bustle.experiments.scored_method import RESAMPLES, Method, score_method
from bustle.experiments.scored_pairs import Missing
from bustle.experiments.taught_cases import recorded_cases
from bustle.experiments.training_overlap import training_overlap
from bustle.inference.prediction_files import prediction_folder, read_prediction
from bustle.inference.prediction_search import find_predictions, read_class_table
from bustle.inference.predictor import Predictor
from bustle.report.training_sentence import FOREIGN, trained_on

DEFAULT_CLASSES = ("benign", "malignant")


def evaluate(
    method: Callable[[], Predictor] | Path,
    *,
    load_data: Callable[[], Collection],
    out: Path,
    track: Track,
    protocol: str | None,
    groups: str,
    missing: Missing,
    skip_damaged: bool = False,
    explain: Sequence[ExplanationMethod] | None = None,
    save_channels: bool = False,
) -> TrackResult:
    """Score the model that `method` opens, or the folder of predictions that it is, on data that is opened for it.

    `groups` is what `group_rule` takes; `skip_damaged` leaves out cases that cannot be read. `explain` are the
    methods whose maps are checked, of none the best that the model offers. `save_channels` also writes the network's
    own maps of every case. What is cheap to check is checked before
    the data is read, which is before the model is.
    """
    if callable(method) and missing != "error":
        raise InputError("--missing belongs to --predictions", remedy="leave it out")
    if explain is not None and not callable(method):
        raise InputError("--explain belongs to --model", remedy="leave it out")
    if save_channels and not callable(method):
        raise InputError("--save-channels belongs to --model", remedy="leave it out")
    refuse_run_folder(out)
    rule = group_rule(groups)
    collection = load_data()
    tell_findings(collection)
    shared: dict[str, Any] = {"cases": collection.cases, "out": out, "track": track, "protocol": protocol}
    shared |= {"groups": rule, "skip_damaged": skip_damaged}
    if callable(method):
        return evaluate_model(method(), explain=explain, save_channels=save_channels, **shared)
    return evaluate_foreign_predictions(method, missing=missing, **shared)


def evaluate_model(
    predictor: Predictor,
    *,
    cases: Sequence[Case],
    out: Path,
    track: Track,
    protocol: str | None = None,
    groups: GroupRule | Path = "patient",
    skip_damaged: bool | None = None,
    explain: Sequence[ExplanationMethod] | None = None,
    save_channels: bool = False,
) -> TrackResult:
    """Predict all cases into `out/predictions`, then score those files.

    Every case is read before the first is predicted: what cannot be read is refused, or left out and told in the
    result (`skip_damaged`, None: the command has no such choice).

    `protocol` is the published track's, the recipe's own by default. Both tracks are scored, `track` is the main
    one. `groups` are what the intervals resample, as `resampling_groups` takes them. A case that the run was trained
    on gives a warning that stands in the report. `explain` and `save_channels` as in `evaluate`.
    """
    methods = None if explain is None else _checkable(predictor, explain)
    channels = predictor.explanation_methods([CHANNEL]) if save_channels else ()
    cases = in_class_groups(cases, predictor.data.class_groups)
    rules = both_tracks(track, published=protocol or predictor.protocol)
    with _claimed(out, inputs=[file for case in cases for file in case.files]) as claim:
        readable = readable_cases(cases, skip_damaged=skip_damaged, check=partial(_check_taken, predictor))
        cases = readable.cases
        resampled = resampling_groups(cases, rule=groups)
        overlap = training_overlap(predictor.path, cases)
        claim.begin(clear=True, keep=_kept_predictions(predictor, cases, out=out))
        return score_model(
            predictor,
            cases=cases,
            out=out,
            rules=rules,
            groups=resampled,
            title=predictor.title,
            warnings=(*predictor.warnings, *readable.warnings, *overlap),
            explain=methods,
            written_maps=channels,
        )


def _checkable(predictor: Predictor, asked: Sequence[ExplanationMethod]) -> tuple[ExplanationMethod, ...]:
    """The methods to check; raises `InputError` where one is not offered, or cannot be checked."""
    chosen = predictor.explanation_methods(asked)
    if CHANNEL in chosen:
        raise InputError("what a network's own maps show is not checked", remedy=f"give some of {', '.join(METHODS)}")
    if UNCERTAINTY in chosen and isinstance(predictor.data, PatchData):
        raise InputError(
            f"{UNCERTAINTY} is checked on images only",
            remedy="name a method that explains a class, or leave --explain out",
        )
    return chosen


def _check_taken(predictor: Predictor, sample: Sample) -> None:
    """Raises `InputError` for a sample that the model does not take, wherever in it the model is told to look."""
    if predictor.outlines or not predictor.data.needs_place:
        predictor.check(sample.geometry)


@contextlib.contextmanager
def _claimed(out: Path, *, inputs: Sequence[Path]) -> Iterator[ClaimedFolder]:
    with claim_folder(out, EVALUATION) as claim:
        claim.refuse_inputs(inputs)
        claim.refuse_foreign()
        yield claim


def _kept_predictions(predictor: Predictor, cases: Sequence[Case], *, out: Path) -> set[Path]:
    """What `predict_sets` may leave as it is: it keeps those that the same model made."""
    if not is_resumed(predictor.data):
        return set()
    sets = [ScoredFolder(out).predictions(located=located) for located in (False, True)]
    return {prediction_folder(predictions, case.case_id) for predictions in sets for case in cases}


def score_model(
    predictor: Predictor,
    *,
    cases: Sequence[Case],
    out: Path,
    rules: Tracks[TrackRules],
    groups: ResamplingGroups,
    title: str,
    warnings: Sequence[str] = (),
    explain: Sequence[ExplanationMethod] | None = None,
    written_maps: Sequence[ExplanationMethod] = (),
) -> TrackResult:
    """Predict all cases to files below `out` and score them by both tracks; `cases` are in the model's classes.

    `explain` are the methods whose maps are checked too, `written_maps` those whose maps stand beside a prediction.
    """
    about = {"data": predictor.data, "outlines": predictor.outlines}
    protocols = rules.map(lambda one: one.protocol)
    failures: list[InputError] = []
    predict_sets(predictor, cases, out, protocols=protocols.each, on_failure=failures.append, explain=written_maps)
    if failures:
        raise failures[0]
    method = Method(
        title=title,
        classes=predictor.data.classes,
        predictions=protocols.map(lambda protocol: set_folder(out, protocol, **about)),
        trained_on=trained_on(
            recorded_cases(predictor.path),
            networks=len(predictor.provenance.weights),
            volumes=isinstance(predictor.data, PatchData),
        ),
        warnings=(*warnings, *told_warnings(protocols.each, **about)),
    )
    explanations = None
    if explain is not None:
        explanations = check_explanations(
            predictor, cases, methods=explain, group_of=groups.group_of, resamples=RESAMPLES
        )
    return score_method(method, cases=cases, out=out, rules=rules, groups=groups, explanations=explanations)


def evaluate_foreign_predictions(
    predictions: Path,
    *,
    cases: Sequence[Case],
    out: Path,
    track: Track,
    protocol: str | None = None,
    missing: Missing = "error",
    groups: GroupRule | Path = "patient",
    skip_damaged: bool = False,
) -> TrackResult:
    """Score prediction files of any tool; the classes are the columns of its `probabilities.csv`.

    `protocol` names the published track's protocol, which the files do not tell: without it only `strict` is scored.
    `groups` and `skip_damaged` as in `evaluate_model`.
    """
    if protocol is None and track == "published":
        published_ids = ", ".join(name for name in protocol_ids() if name != "strict")
        raise InputError("the published track needs a protocol", remedy=f"add --protocol, one of {published_ids}")
    rules = both_tracks(track, published=protocol or "strict")
    with _claimed(out, inputs=[predictions, *(file for case in cases for file in case.files)]) as claim:
        classes = _foreign_classes(predictions, [case.case_id for case in cases])
        readable = readable_cases(cases, skip_damaged=skip_damaged)
        cases = readable.cases
        method = Method(
            title=f"Predictions of {predictions.resolve().name}",
            classes=classes,
            predictions=Tracks(predictions, predictions),
            trained_on=FOREIGN,
            left_out=readable.left_out,
            warnings=readable.warnings,
        )
        return score_method(
            method,
            cases=cases,
            out=out,
            rules=Tracks(rules.main, None) if protocol is None else rules,
            groups=resampling_groups(cases, rule=groups),
            missing=missing,
            before_writing=lambda: claim.begin(clear=True),
        )


def _foreign_classes(predictions: Path, case_ids: Sequence[str]) -> tuple[str, ...]:
    """The classes of the table of probabilities, else those that prediction files in bustle's own form name."""
    table, _, path = read_class_table(predictions, case_ids=case_ids)
    if not table:
        return _named_classes(find_predictions(predictions, case_ids=case_ids).values())
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


def _named_classes(paths: Iterable[Path]) -> tuple[str, ...]:
    """The classes of the first prediction that can be read."""
    for path in paths:
        with contextlib.suppress(InputError):
            return tuple(read_prediction(path).class_probabilities or DEFAULT_CLASSES)
    return DEFAULT_CLASSES
