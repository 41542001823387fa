"""Reading without pydicom's warnings, which quote what they complain about: it may be a patient's name."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("pydicom is quiet", default=False)


@contextlib.contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Within the block, pydicom neither warns nor logs in this thread; what others do with it goes on as before."""
    logger = logging.getLogger("pydicom")
    if _is_heard not in logger.filters:
        logger.addFilter(_is_heard)
    token = _quiet.set(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _quiet.reset(token)


def _is_heard(_: logging.LogRecord) -> bool:
    return not _quiet.get()
