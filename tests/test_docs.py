"""The documentation's words work: Python is executed, commands are parsed by the real parser."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package

from bustle.cli.main import build_parser, main
from bustle.inference.prediction_record import DrawnOnImage, ImageRecord, LesionRecord
from bustle.io.raster import write_png

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def commands(page: Path) -> list[list[str]]:
    """The `bustle …` lines of a page's bash blocks, with continued lines joined, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line and Path(line[0]).name == "bustle"]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


LONG_PAGE = ROOT / "docs" / "how-to" / "python.md"
"""It trains: `tests/services/test_tutorials.py` runs it."""


SERVED_PAGE = ROOT / "docs" / "how-to" / "page.md"
"""It asks a server: `tests/services/test_page_program.py` runs it."""


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_blocks(page) and page not in (LONG_PAGE, SERVED_PAGE)],
    ids=lambda page: page.name,
)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python(page)


def run_python(page: Path) -> None:
    """The blocks of a page one after the other, as in the cells of a notebook.

    The working folder gets the models and images that they name.
    """
    for model in ("model.bustle", "rmtl.bustle", "runs/rmtl"):
        Path(model).parent.mkdir(exist_ok=True)
        write_package(Path(model))
    image = np.full((80, 90), 20, np.uint8)
    image[20:60, 20:60] = 235
    for name in ("scan.png", "scans/case1.png", "scans/case2.png"):
        write_png(Path(name), image)
    if page.name == "archive.md":
        Path("archive.csv").write_text("image\nscans/case1.png\n")
        assert main(["predict", "manifest:archive.csv", "--out", "answers", "--model", "model.bustle"]) == 0
    namespace: dict[str, object] = {}
    for block in python_blocks(page):
        exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    for words in commands(page):
        try:
            build_parser(words[0]).parse_args(words)
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"{page.name}: bustle {shlex.join(words)}")


def test_every_field_of_a_prediction_is_told():
    told = (ROOT / "docs" / "how-to" / "predict.md").read_text(encoding="utf-8")
    own = {field.name for field in fields(ImageRecord)} - {"drawn"} | {field.name for field in fields(DrawnOnImage)}
    assert [name for name in sorted(own) if f"\n| `{name}` |" not in told] == []
    of_lesions = {field.name for field in fields(LesionRecord)}
    assert [
        name for name in sorted(of_lesions) if f"lesions[].{name}`" not in told and f"`.{name}`" not in told
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
