"""`make dist` makes nothing of a commit that does not say throughout which release it is."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
assert SPEC is not None
assert SPEC.loader is not None
release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(release)

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n### Added\n\n- All of it.\n"


def commit(folder: Path, *, tag: str = "v1.2.3") -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["add", "--all"], [*identity, "commit", "--quiet", "--allow-empty", "-m", "Release"], ["tag", tag]):
        subprocess.run(["git", "-C", folder, *words], check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is ready for its release, but for the commit and its tag."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "CITATION.cff").write_text("type: software\nversion: 1.2.3\nlicense: Apache-2.0\n")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_a_tagged_commit_whose_files_agree_is_a_release(checkout: Path):
    commit(checkout)
    assert release.problems(checkout) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("pyproject.toml", '[project]\nversion = "1.2.3.dev0"\n', "the version 1.2.3.dev0 is not of the form"),
        ("CITATION.cff", "version: 1.2.2\n", "CITATION.cff: does not say 'version: 1.2.3'"),
        ("CHANGELOG.md", CHANGELOG.replace(" - 2026-01-31", ""), "has no section '## [1.2.3] - YYYY-MM-DD'"),
        ("CHANGELOG.md", CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- Later.\n"), "'Unreleased' must be"),
    ],
)
def test_a_file_that_tells_another_story(file: str, text: str, said: str, checkout: Path):
    (checkout / file).write_text(text)
    commit(checkout)
    assert said in "\n".join(release.problems(checkout))


def test_the_commit_itself(checkout: Path):
    commit(checkout, tag="v1.2.2")
    assert release.problems(checkout) == ["git: the commit does not carry the tag v1.2.3"]
    (checkout / "more.txt").touch()
    assert release.problems(checkout)[-1] == "git: there are changes that are not committed"


def test_this_checkout_cites_the_version_that_it_has():
    told = release.problems(ROOT)
    assert not [problem for problem in told if problem.startswith(("pyproject.toml", "CITATION.cff"))]
