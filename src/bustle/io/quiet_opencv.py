"""OpenCV without its messages on standard error."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import cv2

_LOG_LEVEL = threading.Lock()
"""The level of OpenCV's messages belongs to the whole process: one thread at a time may lower and restore it."""


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    with _LOG_LEVEL:
        spoken = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(spoken)
