"""Every refusal has a code, and each language of the page says it with the same values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.webapp.conftest import Page

from bustle.webapp.refusals import Why

LANGUAGES = sorted((Path(__file__).resolve().parents[2] / "page" / "src").glob("text_??.ts"))


@pytest.mark.parametrize("catalogue", LANGUAGES, ids=lambda path: path.stem)
def test_a_language_of_the_page_has_words_for_every_refusal(catalogue: Path):
    (block,) = re.findall(
        r"^  refused: \{$(.*?)^  \},$", catalogue.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    said = {
        code or plain: words
        for code, plain, words in re.findall(r'^    (?:"([\w-]+)"|(\w+)):\s+"(.+)",$', block, re.M)
    }
    assert set(said) == {why.code for why in Why}
    for why in Why:
        assert set(re.findall(r"\{\w+\}", said[why.code])) == set(re.findall(r"\{\w+\}", why.words)), why


def test_no_two_refusals_are_the_same():
    """Python would take the second name as another one of the first."""
    assert len(Why.__members__) == len(list(Why))


def test_a_refusal_tells_its_code_and_values(page: Page):
    assert page.client.get("/api/cases/0").json() == {
        "detail": "there is no such case",
        "code": "no-case",
        "values": {},
    }
    stranger = page.browser().get("/api/cases")
    assert (stranger.status_code, stranger.json()["code"]) == (401, "not-signed-in")
    told = page.program_of("lea", "reader").get("/api/agreement").json()
    assert (told["code"], told["values"]) == ("role-too-low", {"role": "reviewer"})
    drop = page.client.post("/api/drops").json()["id"]
    large = page.client.post(f"/api/drops/{drop}/uploads", json={"name": "a", "size": 9_000_000_000}).json()
    assert (large["code"], large["values"]) == ("too-large", {"most": 2000})
