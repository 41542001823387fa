"""A decision rule as a file: of a fold, or of a run for the mean of its folds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.run_layout import FoldLayout, RunLayout
from bustle.inference.decision import DecisionRule

FORMAT_VERSION = 3
"""Version 1 knew neither descriptors nor rules for several folds, version 2 no faint parts."""


def write_decision_rule(path: Path, rule: DecisionRule | None, *, folds: Sequence[FoldLayout]) -> None:
    """Write the rule for the mean of some folds, or that there is none. Raises `InputError`."""
    content = None if rule is None else to_mapping(rule)
    write_json(path, {"format_version": FORMAT_VERSION, "folds": [fold.name for fold in folds], "rule": content})


def read_decision_rule(path: Path, *, folds: Sequence[FoldLayout]) -> DecisionRule | None:
    """The rule of a file, None if it says so, and if it is for other folds.

    Raises `InputError` for a damaged file and one of another version.
    """
    content = read_json(path)
    remedy = "restore it, or fit it again with --resume --refit"
    known = isinstance(content, dict) and content.get("format_version") in range(1, FORMAT_VERSION + 1)
    if not known or "rule" not in content:
        raise InputError("is no decision rule of this version", remedy=remedy, path=path)
    names = [fold.name for fold in folds]
    if content["rule"] is None or content.get("folds", names) != names:
        return None
    try:
        return from_mapping(DecisionRule, content["rule"], where=path.name)
    except InputError as error:
        raise InputError(error.problem, remedy=remedy, path=path) from None


def rule_of(folds: Sequence[FoldLayout]) -> DecisionRule | None:
    """That of a single fold, or that for the mean of exactly these folds of one run; None without any."""
    path = folds[0].decision if len(folds) == 1 else RunLayout(folds[0].path.parent).decision
    return read_decision_rule(path, folds=folds) if path.exists() else None


def rule_digest(rule: DecisionRule) -> str:
    """By which answers of one rule are told from those of another."""
    return hashlib.sha256(json.dumps(to_mapping(rule), sort_keys=True).encode()).hexdigest()
