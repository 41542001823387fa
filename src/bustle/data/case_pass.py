"""Work over many cases on all cores, in order, with a progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.core.types import Case, Sample

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    items: Sequence[Item], function: Callable[[Item], Result], *, description: str, unit: str
) -> Iterator[Result]:
    """`function` of every item, in order; threads suffice, since decoding, OpenCV and NumPy release the lock."""
    opencv_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one thread per item is faster than all of them on one small image
    try:
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            results = pool.map(function, items)
            yield from progress(results, description=description, total=len(items), unit=unit)
    finally:
        cv2.setNumThreads(opencv_threads)


def each_sample(
    cases: Sequence[Case], function: Callable[[Sample], Result], *, description: str
) -> Iterator[Result | InputError]:
    """Load every case and apply `function`, in the order of `cases`; a broken file gives its `InputError`."""

    def one(case: Case) -> Result | InputError:
        try:
            sample = case.load()
        except InputError as error:
            return error
        return function(sample)

    yield from each(cases, one, description=description, unit="case")
