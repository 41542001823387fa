"""Who asks: the owner by the token of the server's start, a person by a session, a program by a token of its own.

A `Person` is all that the routes know of whoever asks.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session, sessionmaker

from bustle.webapp.accounts import OWNER, account_of_token, signed_in
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.roles import ROLES, Role, covers

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whoever asks; `name` goes into the trail of what was changed.

    `account` is None of the owner, who writes a name under each signature; others sign with their `full_name`.
    `by` says what was shown, `cookie` what of it a browser sends by itself. Who `must_change` a first password may do
    nothing else.
    """

    name: str
    role: Role
    by: Literal["link", "session", "token"]
    full_name: str | None = None
    account: str | None = None
    must_change: bool = False
    cookie: str | None = field(default=None, repr=False)

    @property
    def csrf(self) -> str | None:
        """What a page of this server knows and no other: it goes with every change that a cookie would allow."""
        if self.cookie is None:
            return None
        return hmac.new(self.cookie.encode(), b"bustle csrf", hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Access:
    """The owner's token, and the names under which the server may be asked; empty `hosts`: any name.

    `public_url` is where a proxy hands on to the server, None without one.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    hosts: tuple[str, ...] = LOCAL_HOSTS
    public_url: str | None = None

    def has_host(self, request: Request) -> bool:
        """A page of another site may lead its own name to this machine; a browser then sends that name."""
        asked = urlsplit(f"//{request.headers.get('host', '')}").hostname
        return not self.hosts or asked in (*self.hosts, urlsplit(self.public_url or "").hostname)

    def site(self, request: Request) -> str:
        """Where a browser finds the page."""
        return self.public_url or f"{request.url.scheme}://{request.url.netloc}"

    def is_encrypted(self, request: Request) -> bool:
        """On the way to the browser: a proxy with TLS hands on without."""
        return self.site(request).startswith("https:")

    def is_same_site(self, request: Request) -> bool:
        """Whether what would change something comes from this server's page, or from a program."""
        origin = request.headers.get("origin")
        return origin in (None, self.public_url) or urlsplit(origin).netloc == request.headers.get("host")

    def cookie(self, request: Request) -> str:
        """Its name: two servers of one machine share their cookies, whatever their ports."""
        return f"bustle_{urlsplit(str(request.url)).port or 80}"

    def is_owners(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def person(self, request: Request, sessions: sessionmaker[Session]) -> Person | None:
        """Whoever the request's token or cookie stands for; None without one that is right."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if self.is_owners(bearer):
                return Person(name=OWNER, role="admin", by="link")
            account = account_of_token(sessions, bearer)
            by, cookie = "token", None
        else:
            cookie = request.cookies.get(self.cookie(request))
            if cookie is None:
                return None
            if self.is_owners(cookie):
                return Person(name=OWNER, role="admin", by="link", cookie=cookie)
            account, by = signed_in(sessions, cookie), "session"
        if account is None:
            return None
        return Person(
            name=account.name,
            role=account.role,
            by=by,
            full_name=account.full_name,
            account=account.id,
            must_change=account.is_first_password,
            cookie=cookie,
        )


def person_or_none(request: Request) -> Person | None:
    """Whoever asks a route that is open to all."""
    return request.state.person


def current_person(request: Request) -> Person:
    """Whoever asks, for a route; the guard has let in nobody else."""
    person = request.state.person
    assert person is not None
    return person


CurrentPerson = Annotated[Person, Depends(current_person)]


@dataclass(frozen=True)
class AtLeast:
    """Asked before a route: it is for whoever has this role, or one that covers it."""

    role: Role

    def __call__(self, person: CurrentPerson) -> None:
        if not covers(person.role, self.role):
            raise Refusal(Why.ROLE_TOO_LOW, role=self.role)


@dataclass(frozen=True)
class OpenToAll:
    """Asked before a route that anybody may ask."""

    def __call__(self) -> None:
        return None


def least_role(route: APIRoute) -> Role | None:
    """Of whom a route is for; None where it is open to all. Raises `ValueError` where nothing says so."""
    asked = [one.dependency for one in route.dependencies]
    roles: list[Role] = [one.role for one in asked if isinstance(one, AtLeast)]
    if roles:
        return max(roles, key=ROLES.index)
    if any(isinstance(one, OpenToAll) for one in asked):
        return None
    raise ValueError(f"nothing says whom {route.path} is for")
