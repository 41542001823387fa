"""Why a sign-in at the provider was refused: a cookie takes it to the page, which the browser is led back to."""

from __future__ import annotations

from fastapi import Request, Response

from bustle.webapp.messages import Problem
from bustle.webapp.refusals import Refusal, Why

COOKIE = "bustle_refused"
PATH = "/api/session"
SOON = 60
"""Seconds within which the page asks."""


def tell_refusal(response: Response, refusal: Refusal) -> None:
    """Give a browser the code of a refusal without values."""
    response.set_cookie(COOKIE, refusal.why.code, max_age=SOON, httponly=True, samesite="lax", path=PATH)


def told_refusal(request: Request, response: Response) -> Problem | None:
    """What a browser was told; it is forgotten then."""
    code = request.cookies.get(COOKIE)
    if code is None:
        return None
    response.delete_cookie(COOKIE, path=PATH)
    return next((Problem(detail=why.words, code=code) for why in Why if why.code == code), None)
