"""Draw the rooms of the code: writes docs/explanation/map.svg from the layer rule and the packages' own words.

Usage: `.venv/bin/python scripts/generate_map.py`. The layers are those of the import-linter contract in
pyproject.toml, the words are the first lines of each package's docstring.
"""

from __future__ import annotations

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap

from bustle.core.files import write_text

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "bustle"
MAP = ROOT / "docs" / "explanation" / "map.svg"

WIDTH, MARGIN, GAP = 1000, 20, 14
TITLE, LINE, INNER_TITLE = 24, 16, 18
LETTER = 6.4
"""The width of a letter of the small text, on average."""


def layers() -> list[list[str]]:
    """The rooms, from the top layer down; those of one layer do not know each other."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = (one for one in linter["contracts"] if one["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def purpose(package: Path) -> str:
    """The first sentence of a package's docstring."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{package} does not say what it is for")
    return text.split("\n")[0]


def inner_rooms(room: str) -> list[Path]:
    return sorted(init.parent for init in (SOURCES / room).glob("*/__init__.py"))


def render() -> str:
    """The whole drawing."""
    shapes, top = [], MARGIN
    for rooms in layers():
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        height = max(_height(room, width) for room in rooms)
        for number, room in enumerate(rooms):
            shapes += _room(room, left=MARGIN + number * (width + GAP), top=top, width=width, height=height)
        top += height + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif">',
        "<title>The rooms of bustle, a room above those that it uses</title>",
        f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>',
    )
    return "\n".join([*head, *shapes, "</svg>", ""])


def _lines(text: str, width: float) -> list[str]:
    return wrap(text, int((width - 20) / LETTER))


def _height(room: str, width: float) -> int:
    inner = sum(INNER_TITLE + LINE * len(_lines(purpose(part), width)) for part in inner_rooms(room))
    return TITLE + LINE * len(_lines(purpose(SOURCES / room), width)) + inner + 14


def _room(room: str, *, left: float, top: float, width: float, height: float) -> list[str]:
    place = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}"'
    shapes = [f'<rect {place} rx="5" fill="#eaf1f8" stroke="#2f6fb0"/>']
    at = top + TITLE
    shapes.append(_text(f"{room}/", left + 10, at - 4, size=15, bold=True))
    for line in _lines(purpose(SOURCES / room), width):
        at += LINE
        shapes.append(_text(line, left + 10, at - 4, size=12))
    for part in inner_rooms(room):
        at += INNER_TITLE
        shapes.append(_text(f"{room}/{part.name}/", left + 10, at - 2, size=12, bold=True))
        for line in _lines(purpose(part), width):
            at += LINE
            shapes.append(_text(line, left + 10, at - 4, size=12))
    return shapes


def _text(words: str, x: float, y: float, *, size: int, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}"{weight} fill="#1f2a37">{escape(words)}</text>'


if __name__ == "__main__":
    write_text(MAP, render())
