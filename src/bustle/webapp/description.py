"""The OpenAPI description of the API, completed: what FastAPI cannot know, and an example of everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from bustle.webapp.examples import EXAMPLES, NAMED_EXAMPLES

_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_NO_JSON = "The body is no JSON"
_OPEN_TO_ALL = "anybody"


def describe(app: FastAPI, *, role_key: str) -> None:
    """Have the application answer with the completed description; `role_key` tells in it whom a route is for."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(made(), role_key=role_key)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described


def _complete(schema: dict[str, Any], *, role_key: str) -> None:
    for name, one in schema["components"]["schemas"].items():
        if name in EXAMPLES:
            one["examples"] = [EXAMPLES[name]]
    for part in _parts(schema):
        _simplify(part)
    for operation in (one for methods in schema["paths"].values() for one in methods.values()):
        responses = operation["responses"]
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            responses.setdefault("400", {"description": _NO_JSON, "content": _PROBLEM})
        if operation[role_key] != _OPEN_TO_ALL:
            responses.setdefault("401", {"description": "Unauthorized", "content": _PROBLEM})
        responses.setdefault("403", {"description": "Forbidden", "content": _PROBLEM})
        for parameter in operation.get("parameters", []):
            if parameter["name"] in NAMED_EXAMPLES:
                parameter["example"] = NAMED_EXAMPLES[parameter["name"]]


def _simplify(part: dict[str, Any]) -> None:
    """Pairs as lists of two, which generators of clients know."""
    items = part.get("prefixItems")
    if items and all(one == items[0] for one in items):
        part["items"] = items[0]
        del part["prefixItems"]


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _parts(one)
