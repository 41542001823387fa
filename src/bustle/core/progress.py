"""Progress bars with a time to go, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, description: str, total: int | None = None, unit: str = "case"
) -> Iterator[Item]:
    """Iterate over `items` with a bar that shows the count, the rate and the time to go."""
    from tqdm import tqdm

    yield from tqdm(items, desc=description, total=total, unit=unit, dynamic_ncols=True, mininterval=0.5)


def announce(text: str) -> None:
    """Print one line on standard error without tearing a bar that is being shown."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
