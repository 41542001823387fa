"""The tutorials, done as a reader does them: every command, one after the other; and a page of Python that trains."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.test_docs import LONG_PAGE, ROOT, commands, run_python

from bustle.cli.main import main


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "tutorials").glob("*.md")), ids=lambda page: page.name)
def test_tutorial_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = commands(page)
    assert found
    for words in found:
        assert main(words) == 0, f"bustle {shlex.join(words)}"


def test_the_page_of_python_that_trains_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_python(LONG_PAGE)
