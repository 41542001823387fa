"""Addenda and second readings of what is signed, and what the agreement page makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.webapp.conftest import PICTURE, Page

from bustle.experiments.answers_report import TOLD
from bustle.inference.known_cases import SEEN
from bustle.webapp import exports
from bustle.webapp.agreement import PAIRS, Opinion, RatedCase, _pair

OUTLINE = [[50, 60], [90, 60], [90, 100], [50, 100]]


@pytest.fixture(scope="module")
def signed(page: Page) -> str:
    """A case that the owner has corrected and signed as A. Reader."""
    page.drop({"signed.png": PICTURE.read_bytes()})
    case = page.case("signed.png")["id"]
    assert post(page.client, case, "addenda", text="too early", reader="A. Reader").status_code == 409
    assert post(page.client, case, "second", verdict="accepted", reader="B. Reader").status_code == 409
    read = {"version": 0, "verdict": "corrected", "outlines": [OUTLINE], "birads": "4B"}
    assert page.client.put(f"/api/cases/{case}/reading", json=read).is_success
    assert post(page.client, case, "sign", version=1, reader="A. Reader").is_success
    return case


def test_where_the_lesion_is_stays_with_the_reading(page: Page, monkeypatch: pytest.MonkeyPatch):
    page.drop({"placed.png": PICTURE.read_bytes()})
    case = page.case("placed.png")["id"]
    place = {"side": "left", "clock": 10, "nipple_mm": 35.5}
    read = {"version": 0, "verdict": "accepted"}
    for wrong in ({"side": "middle"}, {"clock": 13}, {"clock": 0}, {"nipple_mm": -1}):
        assert page.client.put(f"/api/cases/{case}/reading", json=read | wrong).status_code == 422, wrong
    assert page.client.put(f"/api/cases/{case}/reading", json=read | place).is_success
    signed = post(page.client, case, "sign", version=1, reader="A. Reader").json()["reading"]
    assert {name: signed[name] for name in place} == place
    drawn: list[str] = []
    monkeypatch.setattr(
        exports, "draw_result_sheet", lambda pictures, **rest: drawn.extend(pictures[0].lines) or b"%PDF"
    )
    assert page.client.get(f"/api/cases/{case}/export/pdf").is_success
    assert "Left breast, 10 o'clock, 35.50 mm from the nipple" in drawn
    assert TOLD[SEEN] in drawn, "a warning of the page stands on the sheet, too"


def post(client: TestClient, case: str, what: str, **body: Any) -> Any:
    return client.post(f"/api/cases/{case}/{what}", json=body)


def test_an_addendum_is_added_and_the_reading_stays(page: Page, signed: str, monkeypatch: pytest.MonkeyPatch):
    before = page.case("signed.png")
    assert post(page.client, signed, "addenda", text=" ", reader="A. Reader").status_code == 422
    assert post(page.client, signed, "addenda", text="Seen again.").status_code == 422  # without a name
    told = post(page.client, signed, "addenda", text=" Seen again. ", reader="A. Reader").json()
    assert [(one["reader"], one["text"]) for one in told["addenda"]] == [("A. Reader", "Seen again.")]
    assert told | {"addenda": before["addenda"]} == before
    told = post(page.client, signed, "addenda", text="And again.", reader="C. Reader").json()
    assert [one["text"] for one in told["addenda"]] == ["Seen again.", "And again."]
    drawn: list[str] = []
    monkeypatch.setattr(
        exports, "draw_result_sheet", lambda pictures, **rest: drawn.extend(pictures[0].lines) or b"%PDF"
    )
    assert page.client.get(f"/api/cases/{signed}/export/pdf").is_success
    assert [line.rpartition(": ")[2] for line in drawn if line.startswith("Addendum")] == [
        "Seen again.",
        "And again.",
    ]


def test_somebody_else_reads_a_signed_case_again_and_only_once(page: Page, signed: str):
    reviewer = page.program_of("rev", "reviewer")
    before = page.case("signed.png")["reading"]
    assert post(page.client, signed, "second", verdict="accepted", reader="A. Reader").status_code == 409
    assert post(reviewer, signed, "second", verdict="corrected").status_code == 422
    assert post(reviewer, signed, "second", verdict="corrected", outlines=[[[0, 0], [5, 5]]]).status_code == 422
    line = [[x + 10, y] for x, y in OUTLINE]
    again = {"verdict": "corrected", "outlines": [line], "birads": "3", "note": "smooth"}
    told = post(reviewer, signed, "second", **again).json()
    (second,) = told["second_readings"]
    assert {name: second[name] for name in again} == again
    assert (second["reader"], told["reading"], told["read_again"]) == ("Dr. rev", before, 1)
    assert post(reviewer, signed, "second", verdict="accepted").status_code == 409
    deeds = [line["deed"] for line in page.client.get(f"/api/audit?case={signed}").json()]
    assert deeds[0] == "second reading signed"


def test_the_agreement_page_measures_what_was_drawn(page: Page, signed: str):
    line = [[x + 10, y] for x, y in OUTLINE]
    again = {"verdict": "corrected", "outlines": [line], "birads": "3", "reader": "0. Reader"}
    page.drop({"alone.png": PICTURE.read_bytes()})
    alone = page.case("alone.png")["id"]
    read = {"version": 0, "verdict": "corrected", "outlines": [OUTLINE], "birads": "4B"}
    assert page.client.put(f"/api/cases/{alone}/reading", json=read).is_success
    assert post(page.client, alone, "sign", version=1, reader="A. Reader").is_success
    before = pair_of(page, "reader", "second")["cases"]
    assert post(page.client, alone, "second", **again).is_success
    after = pair_of(page, "reader", "second")
    assert after["cases"] == before + 1
    assert after["advised"][0][1] == before + 1  # the first would, the second would not
    assert after["dice"]["value"] == pytest.approx(2 * 31 / (41 + 41))  # squares of 41 pixels, 10 apart
    assert after["dice"]["interval"] is None
    assert after["same_outline"] == 0


def pair_of(page: Page, first: str, second: str) -> dict[str, Any]:
    found = page.client.get("/api/agreement").json()["pairs"]
    return next((one for one in found if (one["first"], one["second"]) == (first, second)), {"cases": 0})


def rated(number: int, reader: Opinion, model: Opinion, *, dice: float | None) -> RatedCase:
    return RatedCase(
        id=str(number),
        group=str(number),
        unit="mm",
        opinions={"reader": reader, "model": model},
        dice={("reader", "model"): dice},
    )


def test_a_pair_of_raters_is_compared_on_what_both_say():
    cases = [rated(n, Opinion(n < 5, 11.0 + n % 2), Opinion(n < 4, 10.0), dice=0.5 + n / 20) for n in range(8)]
    cases.append(rated(8, Opinion(True, None), Opinion(None, 9.0), dice=0.0))
    cases.append(rated(9, Opinion(False, None), Opinion(False, None), dice=None))
    found = _pair(cases, PAIRS[0])
    assert (found.cases, found.kappa.n, found.dice.n) == (10, 9, 9)
    assert found.advised == [[4, 1], [0, 4]]
    expected = (5 * 4 + 4 * 5) / 81
    assert found.kappa.value == pytest.approx((8 / 9 - expected) / (1 - expected))
    assert found.kappa.interval is not None
    assert found.kappa.interval[0] < found.kappa.value < found.kappa.interval[1] == 1
    (diameters,) = found.diameters
    assert len(diameters.points) == 8
    assert diameters.bias == pytest.approx(1.5)


def test_without_cases_nothing_is_said():
    nothing = {"value": None, "interval": None, "n": 0}
    told = _pair([], PAIRS[0]).model_dump()
    assert (told["cases"], told["kappa"], told["dice"], told["diameters"]) == (0, nothing, nothing, [])
