"""The page that is shipped is the one that its sources build, and it asks nobody but its own server."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from tests.webapp.conftest import Page

from bustle.webapp.app import STATIC

SOURCES = Path(__file__).resolve().parents[2] / "page"
BESIDE = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
NAMESPACES = {f"http://www.w3.org/{name}" for name in ("1998/Math/MathML", "1999/xhtml", "2000/svg")}
"""Names that look like addresses; nobody asks them."""

VIEWER = "volume_canvas"
COMMENTED = (
    "bgolus.medium.com",
    "en.wikipedia.org",
    "gamedev.stackexchange.com",
    "github.com",
    "math.stackexchange.com",
    "stackoverflow.com",
    "webglfundamentals.org",
    "www.aclockworkberry.com",
)
"""Named in comments of NiiVue's shaders and in its own description; a walk in a browser sees that nobody is asked."""


def test_the_bundle_belongs_to_its_sources():
    paths = [*BESIDE, *(path.relative_to(SOURCES).as_posix() for path in SOURCES.glob("src/**/*") if path.is_file())]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path}\0".encode() + (SOURCES / path).read_bytes() + b"\0")
    stated = (STATIC / "sources.sha256").read_text().strip()
    assert stated == digest.hexdigest(), "run `npm ci && npm run build` in page/"


@pytest.mark.parametrize("path", ["/", *sorted(f"/assets/{path.name}" for path in STATIC.glob("assets/*"))])
def test_the_page_is_served_and_names_no_other_host(page: Page, path: str):
    answer = page.client.get(path)
    assert answer.status_code == 200
    found = set(re.findall(r"https?://[^\"'`\s)]+", answer.text))
    if VIEWER in path:
        found = {one for one in found if one.split("/")[2] not in COMMENTED}
    assert found <= NAMESPACES, found


def test_the_page_runs_under_its_own_policy():
    text = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert " style=" not in text
