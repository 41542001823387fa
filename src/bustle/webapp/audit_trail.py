"""Who did what and when: written beside what was done, in one transaction with it, and never changed."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy.orm import Session

from bustle.webapp.tables import AuditEvent, now

Deed = Literal[
    "signed in",
    "sign-in refused",
    "signed out",
    "account added",
    "role changed",
    "account closed",
    "account opened",
    "first password set",
    "password changed",
    "token made",
    "token revoked",
    "scan dropped",
    "case deleted",
    "case read",
    "reading signed",
    "case exported",
    "personal data exported",
    "patient deleted",
    "signed cases exported",
    "addendum written",
    "second reading signed",
    "backup made",
    "backup restored",
]


def note(session: Session, person: str, deed: Deed, *, case: str | None = None, **detail: Any) -> None:
    """Write one line of the trail; `detail` is JSON and holds no patient's data, `case` is the id of one."""
    session.add(AuditEvent(at=now(), person=person, deed=deed, case_id=case, detail=detail))
