"""The settings of an OpenID Connect provider are checked, and without one nobody is led anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.webapp.conftest import Page

from bustle.core.errors import InputError
from bustle.webapp.provider import ProviderRoles, ProviderSettings

GOOD = "issuer: https://login.example.org\nclient_id: bustle\nclient_secret: secret.txt\nroles: {reader: [all]}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("https", "http"), "https://"),
        (GOOD.replace("reader: [all]", ""), "who is a reader"),
        (GOOD + "secret: x\n", "secret"),
        ("issuer: https://login.example.org\n", "client_id"),
    ],
)
def test_settings_that_do_not_fit_are_one_line_with_their_file(text: str, told: str, tmp_path: Path):
    file = tmp_path / "sign-in.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        ProviderSettings.read(file)
    assert str(file) in str(caught.value)


def test_the_highest_role_counts():
    roles = ProviderRoles(reader=("all",), reviewer=("senior",), admin=("it",))
    assert roles.of({"groups": ["all", "it"]}) == "admin"
    assert roles.of({"groups": "senior"}) == "reviewer"
    assert roles.of({"groups": ["others"]}) is None
    assert ProviderRoles(reader=("5",)).of({"groups": 5}) == "reader"
    for nobody in ({}, {"groups": None}, {"groups": [None]}, {"groups": {"all": True}}):
        assert roles.of(nobody) is None, nobody


def test_without_a_provider_there_is_nowhere_to_go(page: Page):
    assert page.browser().get("/api/provider").status_code == 404
    assert page.browser().get("/api/provider/back?state=x&code=y").status_code == 404
    assert page.browser().get("/api/session").json()["has_provider"] is False
