"""What stands before every route: the right host, no other site, a person who is known, and headers that forbid."""

from __future__ import annotations

import secrets

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import RequestResponseEndpoint

from bustle.webapp.access import Access, Person
from bustle.webapp.refusals import Refusal, Why

API = "/api/"
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
CSRF_HEADER = "X-CSRF-Token"
SESSION, PASSWORD = "/api/session", "/api/password"
PROVIDER = "/api/provider"
OPEN = (("GET", SESSION), ("POST", SESSION), ("GET", PROVIDER), ("GET", f"{PROVIDER}/back"))
"""Asked by those who are not known yet."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer: nothing is loaded from elsewhere, and nobody shows the page within theirs."""


def guard(app: FastAPI, access: Access) -> None:
    """Let nobody in who is not known; the address that the server prints hands its token over once."""

    @app.middleware("http")
    async def check(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = _wrong_place(request, access) or _admission(request, access)
        if response is None and request.url.path.startswith(API):
            person = await run_in_threadpool(access.person, request, request.app.state.server.sessions)
            request.state.person = person
            response = _refusal(request, person)
        if response is None:
            response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith(API):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def set_cookie(response: Response, request: Request, value: str) -> None:
    """Give a browser what it shows from now on; scripts do not see it, and other sites do not make it send it."""
    access: Access = request.app.state.access
    is_encrypted = access.is_encrypted(request)
    response.set_cookie(access.cookie(request), value, httponly=True, samesite="strict", secure=is_encrypted)


def _wrong_place(request: Request, access: Access) -> Response | None:
    if not access.has_host(request):
        return Refusal(Why.WRONG_HOST).answer()
    if request.method in CHANGING and not access.is_same_site(request):
        return Refusal(Why.OTHER_SITE).answer()
    return None


def _refusal(request: Request, person: Person | None) -> Response | None:
    path = request.url.path
    if person is None:
        return None if (request.method, path) in OPEN else Refusal(Why.NOT_SIGNED_IN).answer()
    if person.csrf is not None and request.method in CHANGING:
        given = request.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(given.encode(), person.csrf.encode()):
            return Refusal(Why.WRONG_CSRF, header=CSRF_HEADER).answer()
    if person.must_change and path not in (SESSION, PASSWORD):
        return Refusal(Why.OWN_PASSWORD_FIRST).answer()
    return None


def _admission(request: Request, access: Access) -> Response | None:
    """The address that the server printed leads on to one without the token, which a browser would remember."""
    if request.url.path != "/" or not access.is_owners(request.query_params.get("token")):
        return None
    response = RedirectResponse("/", status_code=303)
    set_cookie(response, request, access.token)
    return response
