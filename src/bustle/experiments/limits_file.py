"""`limits.yaml`: what a site asks of a model, read and checked before anything is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from bustle.core.config import from_mapping
from bustle.core.errors import InputError, unknown_name
from bustle.core.files import read_error
from bustle.core.yaml_text import load_yaml
from bustle.evaluation.acceptance import LIMITED, Limit, unprovable, wrong_way_round

FORM = "write `part: {metric: {at_least: 0.8}}`"

Limits = Mapping[str, Mapping[str, Limit]]
"""By part and metric."""


def read_limits(path: Path) -> Limits:
    """Raises `InputError` for a file that is no limits, unknown metrics, and limits that say nothing about a model.

    These are the wrong way round, or no cases could prove or break them.
    """
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise read_error(path, error) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is not YAML ({error})", remedy=FORM, path=path) from None
    if not isinstance(content, dict) or not content:
        raise InputError("holds no limits", remedy=FORM, path=path)
    return {str(part): _limits_of(str(part), metrics, path=path) for part, metrics in content.items()}


def _limits_of(part: str, metrics: object, *, path: Path) -> dict[str, Limit]:
    if part not in LIMITED:
        raise unknown_name("part", part, LIMITED, path=path)
    if not isinstance(metrics, dict) or not metrics:
        raise InputError(f"{part} holds no limits", remedy="name a metric and its limit, or remove it", path=path)
    found = {}
    for name, content in metrics.items():
        if name not in LIMITED[part]:
            raise unknown_name(f"metric of {part}", str(name), LIMITED[part], path=path)
        where = f"{path.name}: {part}.{name}"
        if not isinstance(content, dict):
            raise InputError(f"{where} is no limit", remedy="write {at_least: 0.8} or {at_most: 0.1}")
        limit = from_mapping(Limit, content, where=where)
        metric = LIMITED[part][name]
        if wrong_way_round(metric, limit):
            better, word = ("high", "at_least") if metric.higher_is_better else ("low", "at_most")
            raise InputError(
                f"{part}.{name}: {limit} is the wrong way round, for a {better} figure is better",
                remedy=f"write {{{word}: {limit.bound:g}}}",
                path=path,
            )
        reason = unprovable(metric, limit)
        if reason is not None:
            raise InputError(
                f"{part}.{name}: {reason}", remedy="set a limit that cases can prove or break", path=path
            )
        found[str(name)] = limit
    return found
