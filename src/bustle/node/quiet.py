"""Libraries that would write what was sent, patients' names among it, into a node's log."""

from __future__ import annotations

import logging
import warnings


def hush_libraries() -> None:
    """For the whole process: a node's threads read what strangers send at any time."""
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom\b")
