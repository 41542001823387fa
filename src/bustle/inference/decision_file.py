"""A decision rule as a file of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.run_layout import FoldLayout
from bustle.inference.decision import DecisionRule

FORMAT_VERSION = 2
"""Version 1 knew no descriptors."""


def write_decision_rule(path: Path, rule: DecisionRule | None) -> None:
    """Write the rule, or that there is none. Raises `InputError` where that is not possible."""
    write_json(path, {"format_version": FORMAT_VERSION, "rule": None if rule is None else to_mapping(rule)})


def read_decision_rule(path: Path) -> DecisionRule | None:
    """The rule of a file, None if it says so. Raises `InputError` for a damaged file and one of another version."""
    content = read_json(path)
    remedy = "restore it; or move it and metrics.json away, and go on with --resume, which scores the fold again"
    known = isinstance(content, dict) and content.get("format_version") in range(1, FORMAT_VERSION + 1)
    if not known or "rule" not in content:
        raise InputError("is no decision rule of this version", remedy=remedy, path=path)
    if content["rule"] is None:
        return None
    try:
        return from_mapping(DecisionRule, content["rule"], where=path.name)
    except InputError as error:
        raise InputError(error.problem, remedy=remedy, path=path) from None


def rule_of(folds: Sequence[FoldLayout]) -> DecisionRule | None:
    """That of a single fold; the mean of several networks has outputs that no rule was fitted to."""
    if len(folds) != 1 or not folds[0].decision.exists():
        return None
    return read_decision_rule(folds[0].decision)


def rule_digest(rule: DecisionRule) -> str:
    """By which answers of one rule are told from those of another."""
    return hashlib.sha256(json.dumps(to_mapping(rule), sort_keys=True).encode()).hexdigest()
