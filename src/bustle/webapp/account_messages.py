"""What the part of the API about people takes and gives."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bustle.webapp.messages import Message, Problem, Text, UtcTime
from bustle.webapp.passwords import MOST_CHARACTERS
from bustle.webapp.roles import Role
from bustle.webapp.tables import AuditEvent


class Credentials(Message):
    name: Text = Field(max_length=64)
    password: str = Field(max_length=MOST_CHARACTERS, repr=False)


class PersonInfo(Message):
    """Whoever asks. `full_name` is None of whoever started the server, who writes a name under each signature."""

    name: str
    full_name: str | None
    role: Role
    must_change: bool


class SessionInfo(Message):
    """`csrf` goes as header `X-CSRF-Token` with every change; programs with a token need none.

    `has_provider`: people may also sign in at `/api/provider`. `refused`: why a browser that comes from there is
    not signed in; it is told once.
    """

    person: PersonInfo | None
    csrf: str | None
    has_accounts: bool
    has_provider: bool
    refused: Problem | None


class NewPassword(Message):
    old: str = Field(max_length=MOST_CHARACTERS, repr=False)
    new: str = Field(max_length=MOST_CHARACTERS, repr=False)


class NewAccount(Message):
    name: Text = Field(max_length=64)
    full_name: Text = Field(min_length=1, max_length=200, pattern=r"\S")
    role: Role


class AccountInfo(Message):
    name: str
    full_name: str
    role: Role
    is_open: bool
    is_first_password: bool
    made: UtcTime


class AccountChange(Message):
    role: Role | None = None
    is_open: bool | None = None


class FirstPassword(Message):
    """It opens the account once: the person then sets their own."""

    name: str
    password: str


class NewToken(Message):
    """`days` until it ends; None: it does not."""

    title: Text = Field(min_length=1, max_length=100, pattern=r"\S")
    days: int | None = Field(default=90, ge=1, le=3650)


class TokenInfo(Message):
    id: str
    title: str
    made: UtcTime
    ends: UtcTime | None


class TokenSecret(TokenInfo):
    secret: str


class AuditLine(Message):
    """Who did what, `at` when, and to which case; `detail` by what was done."""

    id: int
    at: UtcTime
    person: str
    deed: str
    case: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: AuditEvent) -> AuditLine:
        return cls(
            id=event.id,
            at=event.at,
            person=event.person,
            deed=event.deed,
            case=event.case_id,
            detail=event.detail,
        )
