"""Progress bars with a time to go, on standard error or in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from bustle.core.printable import printable_lines

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")

_shown: list[tqdm] = []
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Within the block, what would be announced goes to `listener` and no bar is shown: nobody looks at a server."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def progress(
    items: Iterable[Item], *, description: str, total: int | None = None, unit: str = "case", passing: bool = False
) -> Iterator[Item]:
    """Iterate over `items` with a bar that shows the count, the rate and the time to go.

    A `passing` bar is one of many: it is shown below another where bars are redrawn, and vanishes when it is done.
    """
    bar = bar_class()(
        items,
        desc=description,
        total=total,
        unit=unit,
        dynamic_ncols=True,
        mininterval=redraw_interval(),
        leave=not passing,
        disable=not shows_bars() or (passing and not _redrawn()),
    )
    _shown.append(bar)
    try:
        yield from bar
    finally:
        bar.close()
        _shown.remove(bar)


def bar_class() -> type[tqdm]:
    """The kind of bar that fits where this runs: a notebook's own widget, else text."""
    if in_notebook():
        from tqdm.auto import tqdm

        return tqdm
    from tqdm import tqdm

    return tqdm


def in_notebook() -> bool:
    """Whether the program runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def redraw_interval() -> float:
    """Seconds between two states of a bar: where it is redrawn, half a second; a log file gets one now and then."""
    return 0.5 if _redrawn() else 20.0


def shows_bars() -> bool:
    """Whether there is anything to draw on: a program may have no standard error, or a listener of its own."""
    return _listener.get() is None and (sys.stderr is not None or in_notebook())


def _redrawn() -> bool:
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def end_bars() -> None:
    """End the bars of loops that an error left, so that what is printed next begins a line."""
    for bar in _shown:
        bar.close()


def announce(text: str) -> None:
    """Print one line on standard error without tearing a bar that is being shown."""
    from tqdm import tqdm

    listener = _listener.get()
    if listener is not None:
        listener(text)
    elif sys.stderr is not None:
        tqdm.write(printable_lines(text), file=sys.stderr)
