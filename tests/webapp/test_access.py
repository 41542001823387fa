"""Nobody gets in without the token, and no other site is loaded or listened to."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.webapp.conftest import HOST, Page


def routes(page: Page) -> list[tuple[str, str]]:
    """Method and address of every route of the API, with values for what is named in it."""
    schema = page.client.get("/api/openapi.json").json()
    values = {"{case_id}": page.cases()[0]["id"], "{drop_id}": "0", "{number}": "0", "{kind}": "json"}
    found = []
    for path, methods in schema["paths"].items():
        for name, value in values.items():
            path = path.replace(name, value)
        found += [(method.upper(), path) for method in methods]
    return found


def test_every_route_refuses_whoever_lacks_the_token(page: Page):
    listed = routes(page)
    assert len(listed) >= 16
    stranger = TestClient(page.client.app, base_url=HOST)
    for method, path in [*listed, ("GET", "/api/openapi.json")]:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert stranger.request(method, path, headers=headers).status_code == 401, (method, path)


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
