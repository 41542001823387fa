"""The file names of a run, a prediction folder and a package each stand in one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "src" / "bustle"

OWNERS = {
    "core/run_layout.py": r"fold-.*|recipe\.yaml|splits\.json|provenance\.json|summary\.json|comparison\.json|"
    r"report\.html|metrics\S*\.(json|csv)|cases\S*\.csv|detected\S*\.json|best\.safetensors|last\.ckpt|checkpoints|"
    r"stages/\S*|predictions|predictions_located",
    "inference/prediction_files.py": r"prediction\.json|(network_)?mask\.(png|nrrd)|probability\.(png|nrrd)|"
    r"overlay\.png|probabilities\.csv",
    "inference/package.py": r"package\.json|model\.onnx|weights\.safetensors|MODEL_CARD\.md",
}
"""By module, what a name of its files looks like; only texts without a space are names."""


def names_in(source: str) -> Iterator[str]:
    """The texts of a module that could be names of files: each part of a path, with `{}` for what is filled in."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            text = node.value
        else:
            continue
        if not re.search(r"\s", text):
            yield from (text, *text.split("/"))


@cache
def names_by_module() -> dict[str, set[str]]:
    return {
        path.relative_to(SOURCES).as_posix(): set(names_in(path.read_text("utf-8")))
        for path in sorted(SOURCES.rglob("*.py"))
    }


def strays(owner: str) -> list[str]:
    return [
        f"{module}: {name}"
        for module, names in names_by_module().items()
        if module != owner
        for name in sorted(names)
        if re.fullmatch(OWNERS[owner], name)
    ]


@pytest.mark.parametrize("owner", OWNERS)
def test_names_of_files_stand_in_one_module(owner: str):
    assert strays(owner) == []


def test_the_search_sees_names_however_they_are_written():
    source = 'a / f"fold-{k}"\nb = "fold-*/checkpoints/last.ckpt"\nc = f"cases{s}.csv"\nd = "the file metrics.json"'
    assert {"fold-{}", "fold-*", "last.ckpt", "cases{}.csv"} < set(names_in(source))
    assert not any("metrics" in name for name in names_in(source))
