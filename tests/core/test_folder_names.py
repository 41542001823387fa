from __future__ import annotations

import re

import pytest

from bustle.core.folder_names import portable_name


@pytest.mark.parametrize("name", ["benign (433)", "Größe 1", "a.b", "x" * 200, "1.2.840#3", "console", "aux1", ".a"])
def test_portable_names_pass_unchanged(name: str):
    assert portable_name(name) == name


ODD = [
    *(
        "CON",
        "con",
        "Nul.x",
        "COM1",
        "lpt9 .a",
        "x ",
        "x.",
        " x",
        "",
        ".",
        "..",
        "a\\b",
        "a/b",
        "c:",
        "a\nb",
        "\x1b[2J",
    ),
    *("x ", "\udcff", "a*b?", "\u202egnp", "x" * 201, "ä" * 2500, "a<b>", '"', "|", "x. .", "\x00", "con .txt"),
]


@pytest.mark.parametrize("text", ODD)
def test_other_names_become_portable(text: str):
    name = portable_name(text)
    assert name.isprintable()
    assert not re.search(r'[<>:"/\\|?*]', name)
    assert name == name.strip(" ").rstrip(".")
    assert name.partition(".")[0].strip().upper() not in {"CON", "NUL", "COM1", "LPT9"}
    assert 0 < len(name.encode()) <= 200
    assert portable_name(name) == name


def test_different_names_stay_different():
    names = [*ODD, "a_b", "_CON", "x", "_", "x" * 200, "x" * 202]
    assert len({portable_name(name) for name in names}) == len(set(names))
