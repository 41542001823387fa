"""Signing in and out, passwords, tokens, and what the audit trail says of all that."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.webapp.conftest import PICTURE, Page

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.webapp import passwords
from bustle.webapp.accounts import LONGEST_IDLE, LONGEST_SESSION, add_account, digest_of
from bustle.webapp.login_limits import LoginLimits
from bustle.webapp.tables import Account, SignedIn, Token, now

OWN = "four quiet herons wade"


def added(page: Page, name: str, role: str = "reader") -> str:
    """The first password of a new account."""
    new = {"name": name, "full_name": f"Dr. {name.title()}", "role": role}
    made = page.client.post("/api/people", json=new)
    assert made.status_code == 201, made.text
    return made.json()["password"]


def signed_in(page: Page, name: str, password: str) -> TestClient:
    """A browser in which a person is signed in, as the page has it: it shows what every change has to show."""
    browser = page.browser()
    begun = browser.post("/api/session", json={"name": name, "password": password})
    assert begun.status_code == 204, begun.text
    browser.headers["X-CSRF-Token"] = browser.get("/api/session").json()["csrf"]
    return browser


def person(page: Page, name: str, role: str = "reader") -> TestClient:
    """A new account's browser, with a password of its own."""
    browser = signed_in(page, name, added(page, name, role))
    old = page.client.post(f"/api/people/{name}/password").json()["password"]
    browser = signed_in(page, name, old)
    assert browser.post("/api/password", json={"old": old, "new": OWN}).status_code == 204
    return browser


def deeds(page: Page, name: str) -> list[str]:
    """What the audit trail says that a person did, the newest first."""
    return [line["deed"] for line in page.client.get("/api/audit?most=500").json() if line["person"] == name]


def test_a_first_password_opens_nothing_but_the_way_to_an_own_one(page: Page):
    first = added(page, "nina")
    browser = signed_in(page, "Nina ", first)
    assert browser.get("/api/session").json()["person"] == {
        "name": "nina",
        "full_name": "Dr. Nina",
        "role": "reader",
        "must_change": True,
    }
    assert browser.get("/api/cases").status_code == 403
    for new, told in (("short", "too short"), ("nina nina nina", "easily guessed"), (first, "the old one")):
        refused = browser.post("/api/password", json={"old": first, "new": new})
        assert refused.status_code == 422
        assert told in refused.json()["detail"]
    assert browser.post("/api/password", json={"old": "wrong", "new": OWN}).status_code == 422
    assert browser.post("/api/password", json={"old": first, "new": OWN}).status_code == 204
    assert browser.get("/api/cases").status_code == 200
    assert page.browser().post("/api/session", json={"name": "nina", "password": first}).status_code == 401
    with page.server.sessions() as session:
        kept = session.query(Account).filter_by(name="nina").one().password
    assert OWN not in kept
    assert passwords.is_right(OWN, kept)


def test_another_page_cannot_use_the_cookie(page: Page):
    browser = person(page, "carl")
    token = browser.headers.pop("X-CSRF-Token")
    assert browser.get("/api/cases").status_code == 200
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": token[:-1]}):
        assert browser.post("/api/drops", headers=headers).status_code == 403
    assert browser.post("/api/drops", headers={"X-CSRF-Token": token}).status_code == 201
    owner = page.browser()
    owner.get(f"/?token={page.client.headers['Authorization'].removeprefix('Bearer ')}")
    assert owner.post("/api/drops").status_code == 403
    known = {"X-CSRF-Token": owner.get("/api/session").json()["csrf"]}
    assert owner.post("/api/drops", headers=known).status_code == 201


def test_whoever_signs_out_or_waits_too_long_is_out(page: Page):
    browser = person(page, "olga")
    secret = browser.cookies["bustle_8765"]
    for column, age in (("seen", LONGEST_IDLE), ("made", LONGEST_SESSION)):
        with page.server.sessions.begin() as session:
            row = session.get_one(SignedIn, digest_of(secret))
            was = getattr(row, column)
            setattr(row, column, now() - age - timedelta(seconds=1))
        assert browser.get("/api/cases").status_code == 401, column
        with page.server.sessions.begin() as session:
            setattr(session.get_one(SignedIn, digest_of(secret)), column, was)
    assert browser.get("/api/cases").status_code == 200
    assert browser.delete("/api/session").status_code == 204
    browser.cookies.set("bustle_8765", secret)
    assert browser.get("/api/cases").status_code == 401
    assert deeds(page, "olga")[0] == "signed out"


def test_a_closed_account_is_out_at_once_with_its_tokens(page: Page):
    browser = person(page, "paul")
    secret = browser.post("/api/tokens", json={"title": "script"}).json()["secret"]
    program = page.program(secret)
    assert program.get("/api/cases").status_code == 200
    assert program.post("/api/tokens", json={"title": "more"}).status_code == 403
    assert page.client.patch("/api/people/paul", json={"is_open": False}).json()["is_open"] is False
    assert browser.get("/api/cases").status_code == 401
    assert program.get("/api/cases").status_code == 401
    assert page.browser().post("/api/session", json={"name": "paul", "password": OWN}).status_code == 401
    page.client.patch("/api/people/paul", json={"is_open": True})
    assert signed_in(page, "paul", OWN).get("/api/tokens").json() == []


def test_a_token_ends_and_is_only_its_persons_to_revoke(page: Page):
    browser, other = person(page, "tina"), person(page, "theo")
    made = browser.post("/api/tokens", json={"title": "script", "days": 1}).json()
    program = TestClient(
        page.app, base_url=str(browser.base_url), headers={"Authorization": f"Bearer {made['secret']}"}
    )
    assert program.get("/api/cases").status_code == 200
    assert "secret" not in browser.get("/api/tokens").json()[0]
    assert other.delete(f"/api/tokens/{made['id']}").status_code == 404
    with page.server.sessions.begin() as session:
        assert made["secret"] not in session.get_one(Token, made["id"]).digest
        session.get_one(Token, made["id"]).ends = now() - timedelta(seconds=1)
    assert program.get("/api/cases").status_code == 401
    assert browser.delete(f"/api/tokens/{made['id']}").status_code == 204


def test_a_role_counts_at_once_and_nobody_gives_it_to_themselves(page: Page):
    browser = person(page, "rosa")
    assert browser.get("/api/people").status_code == 403
    page.client.patch("/api/people/rosa", json={"role": "admin"})
    assert browser.get("/api/people").status_code == 200
    assert browser.patch("/api/people/rosa", json={"role": "reader"}).status_code == 403
    assert browser.patch("/api/people/nobody", json={"role": "reader"}).status_code == 422
    lines = page.client.get("/api/audit?most=500").json()
    changed = next(line for line in lines if line["deed"] == "role changed" and line["detail"]["account"] == "rosa")
    assert changed["detail"] == {"account": "rosa", "before": "reader", "after": "admin"}


def test_whoever_guesses_waits(page: Page, monkeypatch: pytest.MonkeyPatch):
    person(page, "gina")
    monkeypatch.setattr(page.server.limits, "_failures", OrderedDict())
    monkeypatch.setattr(page.server.limits, "_clock", lambda: 0.0)  # on a busy machine the wait is over too soon
    wrong: dict[str, Any] = {"name": "gina", "password": "a guess"}
    for _ in range(5):
        assert page.browser().post("/api/session", json=wrong).status_code == 401
    refused = page.browser().post("/api/session", json=wrong | {"password": OWN})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert deeds(page, "gina")[:5] == ["sign-in refused"] * 5


def test_limits_grow_end_and_do_not_fill_the_memory():
    clock = [0.0]
    limits = LoginLimits(free=2, longest=100, most=3, clock=lambda: clock[0])
    limits.failed("a")
    assert limits.wait("a") == 0
    waits = []
    for _ in range(9):
        limits.failed("a", "b")
        waits.append(limits.wait("a"))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 100, 100]
    assert limits.wait("c", "b") > 0
    clock[0] = 100
    assert limits.wait("a") == 0
    limits.failed("a")
    assert limits.wait("a") == 0
    for key in "defg":
        limits.failed(key, key)
    assert limits.wait("a") == 0 < limits.wait("g")
    limits.succeeded("g")
    assert limits.wait("g") == 0


@pytest.mark.parametrize("name", ["", "Anna", "a b", "owner", "-a", "a" * 65, "ä"])
def test_what_is_no_name_is_refused(page: Page, name: str):
    with page.server.sessions() as session, pytest.raises(InputError, match="is no name"):
        add_account(session, name, full_name="", role="reader", by="owner")


def test_accounts_are_kept_from_the_command_line(page: Page, capsys: pytest.CaptureFixture[str]):
    place = page.place
    assert main(["serve", "user", "add", "cleo", "--role", "reviewer", "--full-name", "Dr. Cleo", *place]) == 0
    first = capsys.readouterr().out.strip()
    assert signed_in(page, "cleo", first).get("/api/session").json()["person"]["role"] == "reviewer"
    assert main(["serve", *place, "user", "add", "cleo"]) == 2
    assert "already" in capsys.readouterr().err
    assert main(["serve", "user", "role", "cleo", "admin", *place]) == 0
    assert main(["serve", "user", "password", "cleo", *place]) == 0
    assert capsys.readouterr().out.strip() != first
    assert main(["serve", "user", "close", "cleo", *place]) == 0
    assert main(["serve", "user", "list", *place]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cleo ")]
    assert line.split() == ["cleo", "admin", "Dr.", "Cleo", "closed"]


def test_readings_are_signed_with_the_accounts_name_and_audited(page: Page):
    reader = person(page, "lena")
    page.drop({"lena.png": PICTURE.read_bytes()})
    case = page.case("lena.png")["id"]
    outline = [[50, 60], [90, 60], [90, 100], [50, 100]]
    read = {"version": 0, "verdict": "corrected", "outlines": [outline], "birads": "4A", "note": "DOE^JANE"}
    assert reader.put(f"/api/cases/{case}/reading", json=read).status_code == 200
    assert reader.post(f"/api/cases/{case}/sign", json={"version": 1, "reader": "Somebody"}).status_code == 422
    signed = reader.post(f"/api/cases/{case}/sign", json={"version": 1}).json()
    assert signed["reading"]["reader"] == "Dr. Lena"
    assert reader.get(f"/api/cases/{case}/export/json").status_code == 200
    assert reader.delete(f"/api/cases/{case}").status_code == 403
    assert page.client.delete(f"/api/cases/{case}").status_code == 204
    lines = page.client.get(f"/api/audit?case={case}").json()
    assert [line["deed"] for line in lines] == ["case deleted", "case exported", "reading signed", "case read"]
    assert [line["person"] for line in lines] == ["owner", "lena", "lena", "lena"]
    told = lines[-1]["detail"]
    assert (told["before"], told["after"]["birads"]) == (None, "4A")
    assert len(told["model"]) == len(told["after"]["outlines"]) == 64
    assert "DOE" not in str(lines)
    assert page.client.get(f"/api/audit?case={case}&before={lines[1]['id']}").json() == lines[2:]


def test_the_owner_writes_the_name_that_is_signed(page: Page):
    page.drop({"owner.png": PICTURE.read_bytes()})
    case = page.case("owner.png")["id"]
    assert page.client.put(f"/api/cases/{case}/reading", json={"version": 0, "verdict": "accepted"}).is_success
    assert page.client.post(f"/api/cases/{case}/sign", json={"version": 1}).status_code == 422
    told = page.client.post(f"/api/cases/{case}/sign", json={"version": 1, "reader": " A. Reader "}).json()
    assert told["reading"]["reader"] == "A. Reader"
