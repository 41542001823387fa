"""`make dist`: the files of a release, made only of a commit that says throughout that it is one.

Usage: release.py FOLDER. The version stands in pyproject.toml; CITATION.cff, a dated section of CHANGELOG.md and the
tag `vVERSION` on the checked-out commit must agree with it, and nothing may be uncommitted. What is missing is
listed and nothing is made; else FOLDER gets the source distribution and the wheel that is built from it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def problems(root: Path) -> list[str]:
    """What is missing to a release, as lines for a person; empty where nothing is."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append(f"pyproject.toml: the version {version} is not of the form 1.2.3")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if f"\nversion: {version}\n" not in citation:
        found.append(f"CITATION.cff: does not say 'version: {version}'")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, flags=re.MULTILINE):
        found.append(f"CHANGELOG.md: has no section '## [{version}] - YYYY-MM-DD'")
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changes, flags=re.MULTILINE | re.DOTALL)
    if unreleased is None or unreleased[1].strip():
        found.append("CHANGELOG.md: 'Unreleased' must be there and empty, its entries belong to the release")
    if f"v{version}" not in git(root, "tag", "--points-at", "HEAD").split():
        found.append(f"git: the commit does not carry the tag v{version}")
    if git(root, "status", "--porcelain").strip():
        found.append("git: there are changes that are not committed")
    return found


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout


def main(folder: Path) -> None:
    found = problems(ROOT)
    if found:
        sys.exit("\n".join(["this is no release yet:", *found]))
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: move it away first")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    print("\n".join(str(path) for path in sorted(folder.iterdir())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
