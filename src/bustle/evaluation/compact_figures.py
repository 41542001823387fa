"""Figures as plain values (see `bustle.core.config.to_mapping`) without what they repeat, and back.

Estimates that stand beside each other become one table, under `estimates`, with their names in the column `metric`.
`by_source` of a single source is null where it repeats the figures of all cases, as it does unless an older version
wrote it. Nothing else is left out, so that `full_figures(compact_figures(figures))` has every value of `figures`.

Figures of a part of the cases can be told as their `difference` from those of all, such as a fold's from a run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bustle.core.columns import columns_of_rows, rows_of_columns

TABLE = "estimates"


def compact_figures(figures: Any) -> Any:
    if isinstance(figures, list):
        return [compact_figures(value) for value in figures]
    if not isinstance(figures, Mapping):
        return figures
    told_once = dict(figures)
    if "by_source" in figures and all(part == _of_all(figures) for part in figures["by_source"].values()):
        told_once["by_source"] = dict.fromkeys(figures["by_source"])
    estimates = [{"metric": name, **value} for name, value in told_once.items() if _is_estimate(value)]
    compact = {name: compact_figures(value) for name, value in told_once.items() if not _is_estimate(value)}
    return {**compact, TABLE: columns_of_rows(estimates)} if estimates else compact


def full_figures(compact: Any) -> Any:
    """Raises `ValueError` for a table with columns of different lengths, `KeyError` for missing parts."""
    if isinstance(compact, list):
        return [full_figures(value) for value in compact]
    if not isinstance(compact, Mapping):
        return compact
    figures = {name: full_figures(value) for name, value in compact.items() if not _is_table(name, value)}
    if len(figures) < len(compact):
        figures |= {row.pop("metric"): row for row in rows_of_columns(compact[TABLE])}
    if "by_source" in figures:
        sources = figures["by_source"]
        figures["by_source"] = {name: _of_all(figures) if part is None else part for name, part in sources.items()}
    return figures


def difference(figures: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any] | None:
    """Those entries, at any depth, that `base` has not, or not the same; None where `figures` lack one that it has.

    `with_difference` gives the figures back.
    """
    if base.keys() - figures.keys():
        return None
    found = {}
    for name, value in figures.items():
        beside = base.get(name)
        if isinstance(value, Mapping) and isinstance(beside, Mapping):
            inner = difference(value, beside)
            if inner is None:
                return None
            if inner:
                found[name] = inner
        elif name not in base or value != beside:
            found[name] = value
    return found


def with_difference(found: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    figures = dict(base)
    for name, value in found.items():
        beside = base.get(name)
        if isinstance(value, Mapping) and isinstance(beside, Mapping):
            figures[name] = with_difference(value, beside)
        else:
            figures[name] = value
    return figures


def _of_all(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What `by_source` says of a single source: the figures of all cases, or the spread over folds of them."""
    own = {"n_cases": figures["n_cases"]} if "n_cases" in figures else {"lesion_detection": None}
    return own | {part: figures[part] for part in ("segmentation", "classification", "consistency")}


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and "mean" in value and isinstance(value.get("unit"), str)


def _is_table(name: str, value: Any) -> bool:
    """Also a data source may bear the table's name."""
    return name == TABLE and isinstance(value, Mapping) and isinstance(value.get("metric"), list)
