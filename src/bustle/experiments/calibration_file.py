"""What a network says about its validation part, as a file of its fold, from which rules are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.experiments.calibration_case import CalibrationCase

FORMAT_VERSION = 2
"""Version 1 did not know how sure the parts are."""


@dataclass(frozen=True, kw_only=True)
class _Content:
    format_version: int
    cases: tuple[CalibrationCase, ...]


def write_calibration(path: Path, cases: Sequence[CalibrationCase]) -> None:
    """Raises `InputError` where that is not possible."""
    write_json(path, to_mapping(_Content(format_version=FORMAT_VERSION, cases=tuple(cases))))


def read_calibration(path: Path) -> list[CalibrationCase]:
    """Raises `InputError` for a damaged file and one of another version."""
    content, remedy = read_json(path), "make it again with --resume --refit"
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise InputError("is no calibration of this version", remedy=remedy, path=path)
    try:
        return list(from_mapping(_Content, content, where=path.name).cases)
    except InputError as error:
        raise InputError(error.problem, remedy=remedy, path=path) from None
