"""Nobody gets in who is not known, nobody does what their role does not allow, and no other site is listened to."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from tests.webapp.conftest import HOST, Page

from bustle.webapp.app import ANYBODY, LEAST_ROLE, make_app
from bustle.webapp.roles import ROLES, Role, covers

Asked = tuple[str, str, str]


def routes(page: Page) -> list[Asked]:
    """Method and address of every route of the API, with values for what is named in it, and whom it is for."""
    schema = page.client.get("/api/openapi.json").json()
    values = {"{case_id}": page.cases()[0]["id"], "{drop_id}": "0", "{number}": "0", "{kind}": "json"}
    values |= {"{name}": "nobody", "{token_id}": "0", "{patient}": "0", "{upload_id}": "0", "{part}": "voxels"}
    found: list[Asked] = []
    for path, methods in schema["paths"].items():
        for name, value in values.items():
            path = path.replace(name, value)
        assert "{" not in path, path
        found += [(method.upper(), path, told[LEAST_ROLE]) for method, told in methods.items()]
    return found


def test_no_route_is_served_that_is_not_described(page: Page):
    """FastAPI describes all routes of its routers; these are beside them."""
    beside = {route.path for route in page.app.routes if isinstance(route, Route | Mount)}
    assert beside == {"/api/openapi.json", "/", ""}


def test_only_signing_in_is_open_to_all(page: Page):
    assert {(method, path) for method, path, role in routes(page) if role == ANYBODY} == {
        ("GET", "/api/session"),
        ("POST", "/api/session"),
        ("GET", "/api/provider"),
        ("GET", "/api/provider/back"),
    }


def test_every_other_route_refuses_whoever_lacks_the_token(page: Page):
    listed = [(method, path) for method, path, role in routes(page) if role != ANYBODY]
    assert len(listed) >= 26
    stranger = TestClient(page.client.app, base_url=HOST)
    for method, path in [*listed, ("GET", "/api/openapi.json"), ("DELETE", "/api/session")]:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer bustle_wrong"}):
            assert stranger.request(method, path, headers=headers).status_code == 401, (method, path)
        stranger.cookies.set("bustle_8765", "wrong")
        assert stranger.request(method, path).status_code == 401, (method, path)
        stranger.cookies.clear()


@pytest.mark.parametrize("role", ROLES)
def test_every_route_refuses_those_whose_role_is_too_low_and_no_others(page: Page, role: Role):
    program = page.program_of(f"one.{role}", role)
    for method, path, least in routes(page):
        if least == ANYBODY or (method, path) == ("DELETE", f"/api/cases/{page.cases()[0]['id']}"):
            continue
        answer = program.request(method, path)
        told = answer.json().get("detail", "") if answer.status_code == 403 else ""
        assert told.startswith("this is for those") != covers(role, cast(Role, least)), (method, path, answer.text)


def test_the_printed_address_hands_over_the_token_once(page: Page):
    token = page.client.headers["Authorization"].removeprefix("Bearer ")
    browser = TestClient(page.client.app, base_url=HOST, follow_redirects=False)
    answer = browser.get(f"/?token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/api/cases").status_code == 200
    assert TestClient(page.client.app, base_url=HOST, follow_redirects=False).get("/?token=x").status_code != 303


def test_another_site_changes_nothing(page: Page):
    for origin, expected in (("https://elsewhere.example", 403), ("null", 403), (HOST, 201)):
        assert page.client.post("/api/drops", headers={"Origin": origin}).status_code == expected, origin
    assert page.client.get("/api/cases", headers={"Host": "elsewhere.example:8765"}).status_code == 421


class SomeProvider:
    """Tells where it would lead a browser back to."""

    def begin(self, back: str) -> tuple[str, str]:
        return f"https://login.example.org/?back={back}", "state"


def test_behind_a_proxy_the_page_is_at_the_public_address_alone(page: Page):
    """Which the proxy may hand on as name of the host or not."""
    site, access = "https://scans.example.org:8443", page.app.state.access
    server = dataclasses.replace(page.server, provider=cast(Any, SomeProvider()))
    app = make_app(server, dataclasses.replace(access, public_url=site))
    client = TestClient(app, base_url=HOST, headers=page.client.headers, follow_redirects=False)
    for host, origin, expected in (
        ("scans.example.org", site, 201),
        ("127.0.0.1:8765", site, 201),
        ("scans.example.org", "https://elsewhere.example", 403),
        ("elsewhere.example", site, 421),
    ):
        sent = client.post("/api/drops", headers={"Host": host, "Origin": origin})
        assert sent.status_code == expected, (host, origin)
    led = client.get("/api/provider")
    assert led.headers["location"].endswith(f"back={site}/api/provider/back")
    for answer in (led, client.get(f"/?token={access.token}")):
        assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize("path", ["/api/cases", "/api/cases/0", "/"])
def test_every_answer_forbids_other_sources(page: Page, path: str):
    policy = page.client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy


def test_no_address_of_another_host_is_in_the_description(page: Page):
    described = page.client.get("/api/openapi.json").text
    assert "http://" not in described
    assert "https://" not in described
