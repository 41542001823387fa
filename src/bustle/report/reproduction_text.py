"""A reproduced table as Markdown, which is also what the terminal shows."""

from __future__ import annotations

from pathlib import Path

from bustle.core.files import write_text
from bustle.evaluation.reproduction import ReproducedRow, Reproduction
from bustle.report.reproduction_wording import COLUMNS, as_published, legend, method, notes, printed, strict


def write_reproduction_text(path: Path, found: Reproduction) -> None:
    write_text(path, reproduction_text(found))


def reproduction_text(found: Reproduction) -> str:
    lines = [f"# {found.title}", ""]
    if found.open_parts:
        lines += [f"{found.open_parts} trainings of single folds are still to be done.", ""]
    if found.note:
        lines += [" ".join(found.note.split()), ""]
    lines += [_line(COLUMNS), f"|{'---|' * len(COLUMNS)}"]
    for row in found.rows:
        lines += [_line(cells) for cells in _cells(row, smoke=found.smoke)]
    lines += ["", *(f"- {sentence}" for sentence in legend(found))]
    if found.flaws:
        lines += ["", f"Flaws of the published protocol ({found.protocol}):", ""]
        lines += [f"- {' '.join(flaw.split())}" for flaw in found.flaws]
    if said := notes(found.rows):
        lines += ["", "Notes:", "", *(f"- {note}" for note in said)]
    return "\n".join([*lines, ""])


def _cells(row: ReproducedRow, *, smoke: str) -> list[tuple[str, ...]]:
    name = method(row)
    if not row.figures:
        return [(name, row.dataset, "", "", "", row.reason, "")]
    return [
        (
            name,
            row.dataset,
            figure.metric,
            figure.unit,
            printed(figure),
            row.reason or as_published(figure, smoke=smoke),
            strict(figure, smoke=smoke),
        )
        for figure in row.figures
    ]


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
