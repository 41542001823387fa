"""How the TDSC-ABUS 2023 challenge made scores and ranks of its teams' figures, and those figures.

The organisers' page of final results (tdscabus.github.io) gives the formulas. Every figure is scaled to
(x - min) / (max - min) over the teams of a board; a team with an infinite HD or a FROC of 0 is left out:

- segmentation (1 + Dice' - HD') / 2, classification (accuracy' + AUC') / 2, detection FROC'
- overall: the sum of the three, with the figures scaled over the teams alone that have all five (0 to 3)

The challenge's earlier evaluation page promises other forms ((Dice - HD) / 2, an average over tasks); the final
boards follow those above. The organisers' further boards replace an infinite HD by 1.05 times the worst HD that any
team reached in that case; they cannot be made again from the teams' means and are not here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from bustle.core.recipe import CONFIGS

TEST_CASES = range(130, 200)
"""Case numbers of the closed test part, which the published figures are of."""


class TeamFigures(NamedTuple):
    """One team's figures; None for a task without results. `hd` is in voxels, infinite where a mask was empty."""

    dice: float | None = None
    hd: float | None = None
    accuracy: float | None = None
    auc: float | None = None
    froc: float | None = None


@cache
def published_teams() -> Mapping[str, TeamFigures]:
    """The figures of the challenge's teams by name, as its organisers published them, with four decimals."""
    with (CONFIGS / "tdsc_abus_teams.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {
        row["team"]: TeamFigures(*(float(row[name]) if row[name] else None for name in TeamFigures._fields))
        for row in rows
    }


def boards(teams: Mapping[str, TeamFigures]) -> dict[str, dict[str, float]]:
    """The scores of the teams on the boards `segmentation`, `classification`, `detection` and `overall`, best first.

    A board holds only the teams that have its figures.
    """
    tasks = {
        "segmentation": ("dice", "hd"),
        "classification": ("accuracy", "auc"),
        "detection": ("froc",),
        "overall": TeamFigures._fields,
    }
    found = {}
    for board, names in tasks.items():
        scaled = {name: _scaled(teams, name, among=_complete(teams, names)) for name in names}
        scores = {
            team: _score(board, {name: scaled[name][team] for name in names}) for team in _complete(teams, names)
        }
        found[board] = dict(sorted(scores.items(), key=lambda item: -item[1]))
    return found


def _complete(teams: Mapping[str, TeamFigures], names: Sequence[str]) -> list[str]:
    return [team for team, figures in teams.items() if all(_is_valid(figures, name) for name in names)]


def _is_valid(figures: TeamFigures, name: str) -> bool:
    value = getattr(figures, name)
    return value is not None and math.isfinite(value) and (name != "froc" or value > 0)


def _scaled(teams: Mapping[str, TeamFigures], name: str, *, among: Sequence[str]) -> dict[str, float]:
    """Scaled to 0..1 over the teams `among`; 0 where they are all equal."""
    values = {team: getattr(teams[team], name) for team in among}
    low, high = min(values.values(), default=0.0), max(values.values(), default=0.0)
    return {team: (value - low) / (high - low) if high > low else 0.0 for team, value in values.items()}


def _score(board: str, scaled: Mapping[str, float]) -> float:
    if board == "segmentation":
        return (1 + scaled["dice"] - scaled["hd"]) / 2
    if board == "classification":
        return (scaled["accuracy"] + scaled["auc"]) / 2
    if board == "detection":
        return scaled["froc"]
    return sum(_score(task, scaled) for task in ("segmentation", "classification", "detection"))
