"""How a reproduced table says its figures: the same words on the page, in its text and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bustle.core.recipe import Protocol, load_protocol
from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, ReproducedRow, Reproduction
from bustle.report.wording import NOTHING, SPREADS

COLUMNS = ("method", "data", "metric", "unit", "published", "as published (ours)", "strict (ours)")

DIFFERS = "≠"

AVERAGES = {
    "binary": "those of the positive class",
    "macro": "means over the classes",
    "macro_recall_weighted_precision": "means over the classes (precision weighted by their sizes)",
}
GRIDS = {"native": "at the images' own size", "network": "on the network's grid"}
DISTANCES = {"hd95": "the larger of both directions", "hd95_pooled": "that of both directions together"}


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


def as_published(figure: ReproducedFigure, *, smoke: str) -> str:
    """The cell of the paper's protocol."""
    return _own(figure, figure.as_published, smoke=smoke, differs=figure.differs(figure.as_published))


def strict(figure: ReproducedFigure, *, smoke: str) -> str:
    """The cell of the strict protocol."""
    return _own(figure, figure.strict, smoke=smoke, differs=figure.strict_differs)


def _own(figure: ReproducedFigure, ours: OwnFigure | None, *, smoke: str, differs: bool) -> str:
    """`83.10 ± 2.40 [80.2, 85.9] ≠`: ≠ marks what lies farther from the print than its SD.

    `1 of 5` stands behind the figure of a part of the trainings, `smoke` behind one of small trainings: neither is
    marked, because it is no attempt at what is printed.
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
    elif differs:
        words.append(DIFFERS)
    return " ".join(words)


def method(row: ReproducedRow) -> str:
    return f"{row.method} ({row.variant})" if row.variant else row.method


def notes(rows: Sequence[ReproducedRow]) -> list[str]:
    """What a reader must know of rows and of single figures, once for all rows, or for all metrics of a row."""
    common = [note for note in rows[0].notes if all(note in row.notes for row in rows)] if len(rows) > 1 else []
    said = dict.fromkeys(f"Every row: {note}" for note in common)
    for row in rows:
        whose = f"{method(row)}, {row.dataset}"
        said |= dict.fromkeys(f"{whose}: {note}" for note in row.notes if note not in common)
        for note in dict.fromkeys(figure.note for figure in row.figures if figure.note):
            metrics = ", ".join(figure.metric for figure in row.figures if figure.note == note)
            said[f"{whose}, {metrics}: {note}"] = None
    return list(said)


def legend(found: Reproduction) -> list[str]:
    """What the signs in the cells mean."""
    several = len(found.seeds) > 1
    mean = ", the mean of each repeat's" if several else ""
    over = (
        f"over the {len(found.seeds)} repeats"
        if several
        else "over patients or images of the figure of all folds' cases together, which can differ from the mean, "
        "and none of what is no mean over cases, such as AUC and F1"
    )
    said = [
        f"± of ours: {SPREADS[found.spread]} as published, SD over folds (ddof 1) strictly{mean}. "
        f"Brackets: 95 % intervals {over}.",
        f"{DIFFERS} marks what lies farther from the printed figure than its printed ± does; where none is printed "
        "nothing is marked.",
    ]
    if any(ours and ours.trainings for ours in _own_figures(found)):
        rules = (load_protocol(found.protocol), load_protocol("strict"))
        first, second = map(_definitions, rules)
        said.append(
            f"As published {first}; strictly {second}. Where that makes a figure another quantity the strict one is "
            "not marked."
        )
    if any(ours and not ours.is_complete for ours in _own_figures(found)):
        said.append(f"1 of 5: of so many trainings of single folds; {DIFFERS} waits for all of them.")
    if any(ours and ours.p_reference_better is not None for ours in _own_figures(found)):
        said.append("p: one-sided t test over repeats (pooled variance) that the paper's own method is better.")
    if found.smoke:
        said.append(
            f"smoke: a small form that shows that the row runs, not what it gives ({found.smoke}; random weights, "
            f"smaller networks); {DIFFERS} never stands there, since nothing was reproduced."
        )
    return said


def _definitions(protocol: Protocol) -> str:
    """`malignant is positive, class metrics are those of the positive class, …`."""
    return (
        f"{protocol.positive_class} is positive, class metrics are {AVERAGES[protocol.class_average]}, "
        f"masks are compared {GRIDS[protocol.resolution]}, and HD95 is {DISTANCES[protocol.hd95]}"
    )


def _own_figures(found: Reproduction) -> list[OwnFigure | None]:
    return [ours for row in found.rows for figure in row.figures for ours in (figure.as_published, figure.strict)]
