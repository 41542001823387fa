"""How a reproduced table says its figures: the same words on the page, in its text and on the terminal."""

from __future__ import annotations

from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, ReproducedRow, Reproduction
from bustle.report.wording import NOTHING, SPREADS

COLUMNS = ("method", "data", "metric", "published", "as published (ours)", "strict (ours)")


def value(number: float | None, unit: str) -> str:
    """With the digits of the print: two for percent and lengths, three for fractions, none for counts."""
    if number is None:
        return NOTHING
    if unit == "count":
        return f"{number:,.0f}"
    return f"{number:.3f}" if unit.startswith("fraction") else f"{number:.2f}"


def printed(figure: ReproducedFigure) -> str:
    """`84.28 ± 5.05`."""
    spread = "" if figure.published_sd is None else f" ± {value(figure.published_sd, figure.unit)}"
    return f"{value(figure.published, figure.unit)}{spread}"


def own(figure: ReproducedFigure, ours: OwnFigure | None, *, smoke: str) -> str:
    """`83.10 ± 2.40 [80.2, 85.9] smoke ≠`: ≠ marks what lies farther from the print than its SD.

    `1 of 5` stands behind the figure of a part of the trainings, which is not marked.
    """
    if ours is None:
        return NOTHING
    words = [value(ours.mean, figure.unit)]
    if ours.sd is not None:
        words.append(f"± {value(ours.sd, figure.unit)}")
    if ours.ci95 is not None:
        words.append(f"[{value(ours.ci95[0], figure.unit)}, {value(ours.ci95[1], figure.unit)}]")
    if ours.p_reference_better is not None:
        words.append(f"p = {ours.p_reference_better:.3f}")
    if ours.trainings is not None and not ours.is_complete:
        words.append(f"{ours.trainings.finished} of {ours.trainings.wanted}")
    if smoke and ours.trainings is not None:
        words.append("smoke")
    if figure.differs(ours):
        words.append("≠")
    return " ".join(words)


def method(row: ReproducedRow) -> str:
    return f"{row.method} ({row.variant})" if row.variant else row.method


def legend(found: Reproduction) -> list[str]:
    """What the signs in the cells mean."""
    several = len(found.seeds) > 1
    mean = ", the mean of each repeat's" if several else ""
    said = [
        f"± of ours: {SPREADS[found.spread]} as published, SD over folds (ddof 1) strictly{mean}. "
        "Brackets: 95 % intervals "
        + (
            f"over the {len(found.seeds)} repeats."
            if several
            else "over patients or images of the figure of all folds' cases together, which can differ from the mean."
        ),
        "≠ marks what lies farther from the printed figure than its printed ± does; where none is printed nothing is "
        "marked.",
    ]
    if any(ours and not ours.is_complete for ours in _own_figures(found)):
        said.append("1 of 5: of so many trainings of single folds; ≠ waits for all of them.")
    if any(ours and ours.p_reference_better is not None for ours in _own_figures(found)):
        said.append("p: one-sided t test over repeats (pooled variance) that the paper's own method is better.")
    if found.smoke:
        said.append(
            f"smoke: a small form that shows that the row runs, not what it gives ({found.smoke}; random weights, "
            "smaller networks)."
        )
    return said


def _own_figures(found: Reproduction) -> list[OwnFigure | None]:
    return [ours for row in found.rows for figure in row.figures for ours in (figure.as_published, figure.strict)]
