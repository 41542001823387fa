"""From a run folder to a model package: collects what the run knows about its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import word_in_results
from bustle.core.recipe import Recipe, load_protocol, load_recipe
from bustle.core.run_layout import FoldLayout, RunLayout, named_run
from bustle.core.run_provenance import read_run_provenance, untrained_heads_of
from bustle.core.types import Collection
from bustle.data.sources import reader_ids, reader_module
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.figures import Subgroup
from bustle.evaluation.result_files import read_run, read_track
from bustle.evaluation.results import ReleasedFigures
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.subgroups import known_kinds, subgroups
from bustle.evaluation.summary import Scoring
from bustle.experiments.taught_cases import taught_by
from bustle.experiments.training_overlap import seen_case_ids, seen_images
from bustle.inference.decision_file import rule_of
from bustle.inference.package import PackageRecord, TrainingRecord, TrainingSource, case_digest
from bustle.inference.torch_backend import TorchBackend


def export_run(
    model: Path,
    out: Path,
    *,
    half: bool = False,
    licence: str | None = None,
    training_data: Callable[[], Collection] | None = None,
) -> PackageRecord:
    """Export a run's finished folds, or one `RUN/fold-K`, to the package `out`. Raises `InputError`.

    With `half` the large weights are rounded to half precision. `licence` is that of the weights; without it none is
    granted. With `training_data` the package keeps the class, the
    data set's name and an embedding of every one of these cases that trained or chose the networks.
    """
    from bustle.experiments.embedded_cases import embedded_cases
    from bustle.export.package import NO_LICENCE, KnownOfRun, check_export, write_package

    opened = named_run(model).opened()
    folds, run = opened.finished_folds(), opened.run
    recipe = load_recipe(str(run.recipe))
    seen = set().union(*(seen_case_ids(fold.path) for fold in folds))
    images = {sketch for fold in folds for sketch in seen_images(fold.path)}
    weights, untrained = [fold.weights for fold in folds], untrained_heads_of(run, folds)
    check_export(out, recipe=recipe, weights=weights)
    embedded = None
    if training_data is not None:
        backend = TorchBackend(recipe, weights=weights, untrained=untrained)
        embedded = embedded_cases(backend, recipe, training_data().cases, seen=tuple(images))
    return write_package(
        out,
        recipe=recipe,
        weights=weights,
        known=KnownOfRun(
            decision=rule_of(folds),
            training=_training(run, recipe=recipe, folds=folds),
            metrics=tuple(_metrics(run, folds=folds)),
            subgroups=tuple(_subgroups(folds, recipe=recipe)),
            seen_cases=() if images else tuple(sorted(map(case_digest, seen))),
            seen_images=tuple(sorted(images, key=lambda sketch: (sketch.content, sketch.sketch))),
            embedded=embedded,
        ),
        untrained=untrained,
        half=half,
        licence=licence or NO_LICENCE,
    )


def _training(run: RunLayout, *, recipe: Recipe, folds: Sequence[FoldLayout]) -> TrainingRecord:
    splits, record = read_splits(run.splits), read_run_provenance(run.provenance)
    weights = recipe.model.encoder_weights
    return TrainingRecord(
        track=splits.track,
        protocol=splits.protocol,
        starting_weights=record.init,
        encoder_weights=None if weights is None else word_in_results(weights),
        data={
            source: TrainingSource(cases=facts.cases, sha256=facts.sha256, licence=terms_of(source))
            for source, facts in record.data.items()
        },
        taught=taught_by(record.taught, numbers=[fold.number for fold in folds]),
    )


def terms_of(source: str) -> str | None:
    """The licence, and what to cite, as the source's reader says; None for a source that has a name of its own."""
    if source not in reader_ids():
        return None
    description = reader_module(source).DESCRIPTION
    return f"{description.licence}; cite {description.citation}" if description.citation else description.licence


def _subgroups(folds: Sequence[FoldLayout], *, recipe: Recipe) -> tuple[Subgroup, ...]:
    """The test cases of these folds by source and size of the lesion, on the main track."""
    protocols = {read_track(fold.main.metrics).protocol for fold in folds if fold.is_scored}
    if len(protocols) != 1 or not all(fold.is_scored for fold in folds):
        return ()
    rows = with_size_strata([row for fold in folds for row in read_cases(fold.main.cases)])
    scoring = Scoring(protocol=load_protocol(protocols.pop()), classes=recipe.data.classes)
    return subgroups(rows, kinds=known_kinds(rows), scoring=scoring)


def _metrics(run: RunLayout, *, folds: Sequence[FoldLayout]) -> list[ReleasedFigures]:
    """Of every scored track: of the fold itself where there is one, else of all test cases together, if summed up."""
    names = tuple(fold.name for fold in folds)
    if len(folds) == 1:
        (fold,) = folds
        if not fold.is_scored:
            raise InputError("is not finished", remedy="finish its training with --resume", path=fold.path)
        tracks = (fold.main, *fold.companions())
        return [ReleasedFigures.of(read_track(track.metrics), folds=names) for track in tracks]
    if not run.summary.exists():
        return []
    result = read_run(run.summary)
    if [fold.fold for fold in result.folds] != [fold.number for fold in folds]:
        return []  # a fold was finished since
    return [ReleasedFigures.of(track.pooled, folds=names) for track in result.tracks]
