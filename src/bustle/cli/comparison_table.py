"""The short tables that a comparison prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bustle.report.wording import TESTS, interval, number, p_value, signed_number

HEADER: tuple[str, ...] = (
    "",
    "unit",
    "better",
    "reference",
    "run",
    "difference",
    "95 % interval",
    "p",
    "Holm p",
    "test",
    "n",
)


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """Per track and run the main metrics; the further ones stand in the files."""
    for warning in (*comparison["warnings"], *(text for track in comparison["tracks"] for text in track["warnings"])):
        print(f"warning: {warning}")
    for track in comparison["tracks"]:
        for run in comparison["runs"][1:]:
            _print_run(comparison["reference"], run["name"], track)


def _print_run(reference: str, run: str, track: Mapping[str, Any]) -> None:
    entries = [entry for entry in track["comparisons"] if entry["run"] == run]
    beside = any("pooled_t" in entry["tests"] and entry["test"] != "pooled_t" for entry in entries)
    rows = [(*HEADER, *(["p of folds"] if beside else []))]
    for entry in entries:
        if not entry["family"].startswith("further"):
            unit = entry["unit"]
            rows.append(
                (
                    entry["title"],
                    unit,
                    entry["better"],
                    number(entry["reference"], unit),
                    number(entry["value"], unit),
                    signed_number(entry["difference"], unit),
                    interval(entry["ci95"], unit),
                    p_value(entry["p"]),
                    p_value(entry["p_holm"]),
                    TESTS[entry["test"]],
                    str(entry["n"]),
                    *([p_value(entry["tests"].get("pooled_t", {"p": None})["p"])] if beside else []),
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rules = track["track"] if track["track"] == track["protocol"] else f"{track['track']}, {track['protocol']}"
    positive = f", {track['positive_class']} is positive" if track["positive_class"] else ""
    print(f"\n{run} minus {reference} ({rules}): {track['n_cases']} cases in {track['n_groups']} groups{positive}")
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
