"""Which cases trained or chose a model, as counts: what is recorded when a run begins, and read back for a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bustle.core.run_layout import named_run
from bustle.core.run_provenance import TaughtCases, numbers_of_cases, read_run_provenance
from bustle.core.types import CLASS_NAMES, Case
from bustle.experiments.planned_run import PlannedRun
from bustle.inference.package import Package, is_package


def taught_cases(planned: PlannedRun) -> tuple[TaughtCases, ...]:
    """By fold and source those of the training and validation parts; where there are several folds, also together."""
    by_id = {case.case_id: case for case in planned.cases}
    parts: dict[int | None, set[str]] = {
        number: {*planned.splits.folds[number].train, *planned.splits.folds[number].val} for number in planned.numbers
    }
    if len(parts) > 1:
        parts[None] = set().union(*parts.values())
    return tuple(
        _counted([case for name in names if (case := by_id[name]).source == source], source=source, fold=fold)
        for fold, names in parts.items()
        for source in sorted({by_id[name].source for name in names})
    )


def _counted(cases: Sequence[Case], *, source: str, fold: int | None) -> TaughtCases:
    classes = Counter(case.label for case in cases if case.label is not None)
    order = [*CLASS_NAMES, *sorted(classes)]
    return TaughtCases(
        fold=fold,
        source=source,
        cases=len(cases),
        patients=len({case.patient_id for case in cases if case.patient_id is not None}),
        without_patient=sum(case.patient_id is None for case in cases),
        classes={name: classes[name] for name in sorted(classes, key=order.index)},
    )


def recorded_cases(model: Path) -> tuple[TaughtCases, ...]:
    """Those of a run's finished folds, of `RUN/fold-K`, or of a package.

    Of a model from before they were counted, only the number of each source's cases is known, of some nothing.
    """
    if is_package(model):
        training = Package(model).record.training
        return () if training is None else training.taught or numbers_of_cases(training.data)
    run, fold = named_run(model)
    if not run.provenance.exists():
        return ()
    record = read_run_provenance(run.provenance)
    numbers = [each.number for each in run.folds() if each.is_finished] if fold is None else [fold.number]
    return taught_by(record.taught, numbers=numbers) or numbers_of_cases(record.data)


def taught_by(taught: Sequence[TaughtCases], *, numbers: Sequence[int]) -> tuple[TaughtCases, ...]:
    """Those of these folds: of one, or of all that were planned together."""
    wanted = numbers[0] if len(numbers) == 1 else None
    return tuple(part for part in taught if part.fold == wanted)
