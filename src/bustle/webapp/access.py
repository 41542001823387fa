"""Who may speak with the server: whoever has the token of its start.

This is the place of accounts and roles: a `Person` is all that the rest of the server knows of whoever asks. Until
there are accounts there is one, whom the token stands for; readers write their names under what they sign.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.middleware.base import RequestResponseEndpoint

API = "/api/"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
CHANGING = ("POST", "PUT", "PATCH", "DELETE")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: nothing is loaded from elsewhere, and nobody shows the page within theirs."""


@dataclass(frozen=True)
class Person:
    """Whoever asks; `name` goes into the trail of what was changed."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Access:
    """The token, and the names under which the server may be asked; empty `hosts`: any name."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    hosts: tuple[str, ...] = LOCAL_HOSTS

    def has_host(self, request: Request) -> bool:
        """A page of another site may lead its own name to this machine; a browser then sends that name."""
        return not self.hosts or urlsplit(f"//{request.headers.get('host', '')}").hostname in self.hosts

    def is_same_site(self, request: Request) -> bool:
        """Whether what would change something comes from this server's page, or from a program."""
        origin = request.headers.get("origin")
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")

    def cookie(self, request: Request) -> str:
        """Its name: two servers of one machine share their cookies, whatever their ports."""
        return f"bustle_{urlsplit(str(request.url)).port or 80}"

    def is_known(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def person(self, request: Request) -> Person | None:
        """Whom the request's token stands for; None without one that is right."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else request.cookies.get(self.cookie(request))
        return Person("owner") if self.is_known(given) else None


def guard(app: FastAPI, access: Access) -> None:
    """Let nobody in without the token, which the address that the server prints hands over once."""

    @app.middleware("http")
    async def check(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = _refusal(request, access) or _admission(request, access)
        if response is None:
            response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith(API):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def current_person(request: Request) -> Person:
    """The one who asks, for a route; `guard` has let in nobody else."""
    person = request.app.state.access.person(request)
    assert person is not None
    return person


CurrentPerson = Annotated[Person, Depends(current_person)]


def _refusal(request: Request, access: Access) -> Response | None:
    if not access.has_host(request):
        return _problem(421, "this server is not known by that name; open the address that it printed")
    if request.method in CHANGING and not access.is_same_site(request):
        return _problem(403, "another site may not change anything here")
    if request.url.path.startswith(API) and access.person(request) is None:
        return _problem(401, "the token is missing or no longer right; open the address that the server printed")
    return None


def _admission(request: Request, access: Access) -> Response | None:
    """The address that the server printed leads on to one without the token, which a browser would remember."""
    if request.url.path != "/" or not access.is_known(request.query_params.get("token")):
        return None
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(access.cookie(request), access.token, httponly=True, samesite="strict")
    return response


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"detail": text}, status)
