"""Whether a model has seen the cases that it is tested on: by their images where it knows these, else by the ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bustle.core.errors import InputError
from bustle.core.image_sketch import ImageSketch
from bustle.core.run_layout import named_run
from bustle.core.types import Case
from bustle.data.relations.seen_images import SeenImages, sketches_of
from bustle.data.splits.split_file import read_splits
from bustle.experiments.known_images import read_known_images
from bustle.inference.package import Package, case_digest, is_package
from bustle.inference.shipped import named_model

Relation = Literal["same", "alike"]


def training_overlap(model: Path, cases: Sequence[Case]) -> list[str]:
    """Warnings for cases that were in the training or validation part of a run's finished folds (or of `fold-K`)."""
    if not is_package(model) and not named_run(model).run.splits.exists():
        return ["the run has no record of its split: whether it was trained on some of the cases is not known"]
    relations = cases_of_training(model, cases)
    same, alike = ([name for name, found in relations.items() if found == kind] for kind in ("same", "alike"))
    return [
        *_leak(same, of=len(cases), what="were used to train or to choose this model"),
        *_leak(alike, of=len(cases), what="look like copies of images that trained or chose this model"),
    ]


def cases_of_training(model: Path, cases: Sequence[Case]) -> dict[str, Relation]:
    """By case id, how a case that trained or chose the model is known: by the image itself, or as a copy of one.

    A model knows the images that it has seen whatever they are called, and copies of them; of images
    from before they were remembered it knows only the ids.
    """
    if is_package(model):
        record = Package(model).record  # without its files, which whoever opened the model has compared
        digests, images = set(record.seen_cases), record.seen_images
    else:
        images = seen_images(model)
        digests = set() if images else {case_digest(case_id) for case_id in seen_case_ids(model)}
    relations: dict[str, Relation] = {case.case_id: "same" for case in cases if case_digest(case.case_id) in digests}
    if not images:
        return relations
    known = SeenImages(images)
    for case_id, sketch in sketches_of(cases).items():
        relation = known.relation(sketch)
        if relation is not None:
            relations[case_id] = relation
    return relations


def overlap_of_start(init: Path | None, cases: Sequence[Case]) -> list[str]:
    """Warnings for cases that the package `init`, from which a training starts, has seen; none of other files."""
    model = None if init is None else named_model(init)
    if model is None or not model.is_dir() or not is_package(model):
        return []
    return [f"of the weights that the training starts from: {warning}" for warning in training_overlap(model, cases)]


def _leak(seen: Sequence[str], *, of: int, what: str) -> list[str]:
    if not seen:
        return []
    names = f"{', '.join(seen[:3])}{', …' if len(seen) > 3 else ''}"
    return [f"LEAK: {len(seen)} of {of} cases {what} ({names}); these figures are too good"]


def seen_case_ids(model: Path) -> set[str]:
    """The cases that a run's finished folds, or the one fold `fold-K`, were trained or chosen on.

    Raises `InputError` for a damaged split, and one that lacks a fold.
    """
    run, fold = named_run(model)
    folds = read_splits(run.splits).folds
    used = [each for each in run.folds() if each.is_finished] if fold is None else [fold]
    for each in used:
        if each.number >= len(folds):
            problem = f"has {len(folds)} folds, none of them {each.name}"
            raise InputError(problem, remedy="restore the split of this run", path=run.splits)
    parts = [folds[each.number] for each in used]
    return {case_id for part in parts for case_id in (*part.train, *part.val)}


def seen_images(model: Path) -> tuple[ImageSketch, ...]:
    """Those of the same cases, in order of content; none of a run from before images were remembered."""
    images = read_known_images(named_run(model).run.images) or {}
    found = {images[case_id] for case_id in seen_case_ids(model) if case_id in images}
    return tuple(sorted(found, key=lambda sketch: (sketch.content, sketch.sketch)))
