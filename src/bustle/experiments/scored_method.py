"""From prediction files to scored cases, figures and a report, for both tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import remove_file, write_json
from bustle.core.provenance import provenance
from bustle.core.run_layout import ScoredFolder
from bustle.core.tracks import TrackRules, Tracks
from bustle.core.types import Case
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.result_files import write_result
from bustle.evaluation.results import Circumstances, TrackResult
from bustle.experiments.gallery_pictures import gallery_pictures, overlay_links
from bustle.experiments.resampling_groups import ResamplingGroups
from bustle.experiments.scored_pairs import Missing, PredictionIndex, index_predictions, read_pairs
from bustle.experiments.scored_reliability import write_reliability
from bustle.experiments.scored_track import ScoredTrack
from bustle.report.evaluation_page import ReportedTracks, write_evaluation_page
from bustle.report.explanations import ReportedExplanations

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is scored: the prediction files that each track takes, the classes that they tell apart, and warnings.

    `trained_on` says in a sentence what taught the method; `left_out` are ids of cases that are not scored, though
    there may be predictions of them.
    """

    title: str
    classes: Sequence[str]
    predictions: Tracks[Path]
    trained_on: str
    warnings: Sequence[str] = ()
    left_out: Sequence[str] = ()


def score_method(
    method: Method,
    *,
    cases: Sequence[Case],
    out: Path,
    rules: Tracks[TrackRules],
    groups: ResamplingGroups,
    missing: Missing = "error",
    resamples: int = RESAMPLES,
    explanations: ReportedExplanations | None = None,
    before_writing: Callable[[], None] | None = None,
) -> TrackResult:
    """Score prediction files and write the files of a `ScoredFolder` into `out`.

    Where the files allow it (masks on the network's grid exist), the companion's results are written beside and
    shown in the report. `groups` are what the confidence intervals resample. `explanations` is the check of the
    model's maps. `before_writing` is called when all is computed and nothing is written yet. Returns the main track's
    result. Raises `InputError` for missing, broken or wrongly sized predictions.
    """
    scorable = [case for case in cases if case.has_mask or case.has_box or case.label is not None]
    if not scorable:
        raise InputError("none of the cases has a mask, a box or a class", remedy="evaluate on annotated data")
    scored_ids = {case.case_id for case in scorable}
    others = [*method.left_out, *(case.case_id for case in cases if case.case_id not in scored_ids)]
    indexes = _indexes(method.predictions, cases=scorable, others=others, missing=missing)
    scored = _scored(scorable, rules=rules, indexes=indexes, groups=groups, classes=method.classes)
    rows = scored.main.rows_with_strata()
    notes = (*method.warnings, *indexes.main.warnings, *groups.warnings, *_left_out(rows, cases, scorable, method))
    circumstances = Circumstances(
        title=method.title,
        model=scored.main.model,
        warnings=notes,
        groups=groups.rule,
        resampled=groups.meaning,
        provenance=provenance(),
    )
    results = scored.map(lambda track: TrackResult.of(track.scores(resamples=resamples), circumstances))
    if before_writing is not None:
        before_writing()
    folder = ScoredFolder(out)
    remove_file(folder.main.metrics)  # of an earlier evaluation: it is written last
    scored.main.write(folder.main)
    for track in scored.each:
        track.write_answers(folder)
    if scored.companion is not None and results.companion is not None:
        beside = folder.companion(scored.companion.rules.track)
        scored.companion.write(beside)
        write_result(beside.metrics, results.companion)
    reliability = write_reliability(
        folder.reliability,
        rows,
        scored.main.answer_rows,
        protocol=rules.main.protocol,
        classes=method.classes,
        resamples=resamples,
    )
    by_id = {case.case_id: case for case in scorable}
    index_of = dict.fromkeys(by_id, indexes.main)
    reported = ReportedTracks(
        results=results,
        protocols=rules.map(lambda one: one.protocol),
        rows=rows,
        classes=method.classes,
        explanations=explanations,
        reliability=reliability,
        pictures=gallery_pictures(rows, cases=by_id, index_of=index_of, classes=method.classes),
        overlays=overlay_links(index_of, page=folder.report),
        trained_on=method.trained_on,
    )
    if explanations is not None:
        write_json(folder.explanation, to_mapping(explanations.figures))
    write_evaluation_page(folder.report, reported)
    write_result(folder.main.metrics, results.main)
    return results.main


def _indexes(
    predictions: Tracks[Path], *, cases: Sequence[Case], others: Sequence[str], missing: Missing
) -> Tracks[PredictionIndex]:
    """The same index for both tracks where they score the same files."""
    main = index_predictions(predictions.main, cases=cases, others=others, missing=missing)
    if predictions.companion in (None, predictions.main):
        return Tracks(main, main)
    companion = index_predictions(predictions.companion, cases=cases, others=others, missing=missing)
    return Tracks(main, companion)


def _scored(
    cases: Sequence[Case],
    *,
    rules: Tracks[TrackRules],
    indexes: Tracks[PredictionIndex],
    groups: ResamplingGroups,
    classes: Sequence[str],
) -> Tracks[ScoredTrack]:
    """Every case by both tracks, each decoded once; without a companion that the files do not allow."""
    main = ScoredTrack(rules.main, classes=classes)
    beside = None if rules.companion is None else ScoredTrack(rules.companion, classes=classes)
    for pair in read_pairs(cases, index=indexes.main):
        group_id = groups.group_of.get(pair.case.case_id)
        main.add(pair, group_id=group_id)
        if beside is None or indexes.companion is None:
            continue
        other = pair if indexes.companion is indexes.main else pair.predicted_by(indexes.companion)
        if beside.can_score(other):
            beside.add(other, group_id=group_id)
        else:
            beside = None
    return Tracks(main, beside)


def _left_out(rows: Sequence[CaseRow], cases: Sequence[Case], scorable: Sequence[Case], method: Method) -> list[str]:
    """What a reader must know of cases that do not count."""
    notes = []
    foreign = [case for case in scorable if case.label is not None and case.label not in method.classes]
    if foreign and any(row.probability(name) is not None for row in rows for name in method.classes):
        names = ", ".join(sorted({str(case.label) for case in foreign}))
        notes.append(
            f"{len(foreign)} cases are of a class that the method does not know ({names}, not among "
            f"{', '.join(method.classes)}): they count in no class metric"
        )
    if len(scorable) < len(cases):
        notes.append(f"{len(cases) - len(scorable)} cases without mask, box and class are left out")
    return notes
