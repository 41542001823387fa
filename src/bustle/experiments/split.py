"""Drawing a split from data that is opened for it, and keeping it as a file where one is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import Track
from bustle.core.types import Case, Collection
from bustle.data.splits.split_file import claim_splits, write_splits
from bustle.data.splits.split_warnings import split_warnings
from bustle.data.splits.splits import Splits, make_splits, protocol_of_split
from bustle.experiments.reader_findings import tell_findings


class DrawnSplit(NamedTuple):
    """The splits, and all cases that they were drawn from."""

    splits: Splits
    cases: tuple[Case, ...]


def draw_split(
    load_data: Callable[[], Collection],
    *,
    out: Path | None,
    track: Track,
    protocol: str | None,
    folds: int | None,
    holdout: float | None,
    seed: int | None,
    classes: tuple[str, ...] | None,
    multi_mask: Literal["union", "drop"],
) -> DrawnSplit:
    """Draw a split as `make_splits` does, by a track's protocol, into the file `out` if there is one.

    What a reader of figures of a fold must know, such as that it has no validation part, is told on standard error.
    `load_data` is called once the words are known to be right. Raises `InputError` for wrong ones, for what
    `make_splits` refuses, and for an `out` that is anything but an earlier split.
    """
    chosen = protocol_of_split(track, protocol)
    if out is not None and out.is_dir():
        raise InputError("is a folder", remedy="name the file, such as splits.json", path=out)
    collection = load_data()
    tell_findings(collection)
    with contextlib.nullcontext() if out is None else claim_splits(out):
        splits = make_splits(
            collection,
            protocol=chosen,
            track=track,
            folds=folds,
            holdout=holdout,
            seed=seed,
            classes=classes,
            multi_mask=multi_mask,
        )
        for warnings in split_warnings(splits, cases=collection.cases, protocol=chosen):
            for warning in warnings:
                announce(f"bustle: warning: {warning}")
        if out is not None:
            write_splits(out, splits)
    return DrawnSplit(splits, collection.cases)
