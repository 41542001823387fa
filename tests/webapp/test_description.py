"""The description of the API is complete: every message has an example that is one, and every parameter."""

from __future__ import annotations

from typing import Any

import pytest
from tests.webapp.conftest import Page

from bustle.webapp.examples import EXAMPLES
from bustle.webapp.messages import Message
from bustle.webapp.tables import Case


@pytest.fixture(scope="module")
def described(page: Page) -> dict[str, Any]:
    return page.client.get("/api/openapi.json").json()


def messages(kind: type[Message] = Message) -> dict[str, type[Message]]:
    """By name."""
    found = {}
    for one in kind.__subclasses__():
        found |= {one.__name__: one} | messages(one)
    return found


def test_every_message_has_an_example_that_is_one(described: dict[str, Any]):
    schemas = described["components"]["schemas"]
    assert set(schemas) == set(EXAMPLES)
    for name, schema in schemas.items():
        (example,) = schema["examples"]
        told = messages()[name].model_validate(example).model_dump(mode="json")
        assert set(told) == set(example), name


def test_every_operation_and_parameter_is_described(described: dict[str, Any]):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            place = f"{method} {path}"
            assert operation["tags"], place
            assert operation.get("summary"), place
            assert {"403"} <= set(operation["responses"]), place
            assert ("400" in operation["responses"]) == (
                "application/json" in operation.get("requestBody", {}).get("content", {})
            ), place
            for parameter in operation.get("parameters", []):
                assert "example" in parameter, (place, parameter["name"])


def test_times_say_that_they_are_utc(described: dict[str, Any], page: Page):
    assert described["components"]["schemas"]["CaseSummary"]["properties"]["made"]["format"] == "date-time"
    case = page.cases()[0]
    with page.server.sessions() as session:
        kept = session.get_one(Case, case["id"]).made
    assert case["made"] == f"{kept.isoformat()}Z"
    assert page.client.get(f"/api/cases/{case['id']}").json()["made"] == case["made"]
    assert page.client.get("/api/audit").json()[0]["at"].endswith("Z")
