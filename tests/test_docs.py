"""The documentation's commands work: tutorials are executed, everything else is parsed by the real parser."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bustle.cli.main import build_parser, main

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))


def commands(page: Path) -> list[list[str]]:
    """The `bustle …` lines of a page's bash blocks, with continued lines joined, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line and Path(line[0]).name == "bustle"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    for words in commands(page):
        try:
            build_parser(words[0]).parse_args(words)
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"{page.name}: bustle {shlex.join(words)}")


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.name)
def test_tutorial_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = commands(page)
    assert found
    for words in found:
        assert main(words) == 0, f"bustle {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
