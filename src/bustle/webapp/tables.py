"""The page's database: what was dropped, the cases in it, and every reading of them, which are never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bustle.webapp.roles import Role

CaseKind = Literal["image", "clip", "volume", "unread"]
Verdict = Literal["accepted", "corrected", "rejected"]
Side = Literal["left", "right"]


class Base(DeclarativeBase):
    """Of all tables; the migrations make them."""


class Drop(Base):
    """What a person dropped at once. `begun` says that all its files are here and reading was asked for."""

    __tablename__ = "drops"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    made: Mapped[datetime]
    begun: Mapped[bool] = mapped_column(default=False)
    files: Mapped[list[DroppedFile]] = relationship(order_by="DroppedFile.number", cascade="all, delete-orphan")
    cases: Mapped[list[Case]] = relationship(order_by="Case.number", cascade="all, delete-orphan")


class DroppedFile(Base):
    """One file: `name` is its own, `stored` the one that it has in the data folder.

    `expected` counts the pictures and clips in it, once that is known. `problem` says why it could not be read,
    `remarks` what was noticed in it. `deleted` are the ids of its cases that were deleted, which do not come back.
    """

    __tablename__ = "dropped_files"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    drop_id: Mapped[str] = mapped_column(ForeignKey("drops.id"), index=True)
    number: Mapped[int]
    name: Mapped[str]
    stored: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    expected: Mapped[int | None]
    problem: Mapped[str | None]
    remarks: Mapped[list[str]] = mapped_column(JSON, default=list)
    deleted: Mapped[list[str]] = mapped_column(JSON, default=list)


class Case(Base):
    """One picture or clip and what the model says of it; `folder` is that of its prediction.

    Of a `frame` that was taken out of a clip to be read like an image, `clip_id` names the clip's case, which may be
    gone.

    `patient` is a pseudonym of whoever it shows, None where the file does not say it. `malignant` is the calibrated
    probability. `version` is that of its newest reading, 0 without any.
    """

    __tablename__ = "cases"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    drop_id: Mapped[str] = mapped_column(ForeignKey("drops.id"), index=True)
    file_id: Mapped[str] = mapped_column(ForeignKey("dropped_files.id"))
    number: Mapped[int]
    made: Mapped[datetime]
    name: Mapped[str]
    folder: Mapped[str]
    kind: Mapped[str]
    problem: Mapped[str | None]
    is_dicom: Mapped[bool] = mapped_column(default=False)
    clip_id: Mapped[str | None] = mapped_column(String(32))
    frame: Mapped[int | None]
    patient: Mapped[str | None] = mapped_column(String(32), index=True)
    decision: Mapped[str | None]
    malignant: Mapped[float | None]
    width: Mapped[int]
    height: Mapped[int]
    version: Mapped[int] = mapped_column(default=0)
    readings: Mapped[list[Reading]] = relationship(order_by="Reading.version", cascade="all, delete-orphan")

    addenda: Mapped[list[Addendum]] = relationship(order_by="Addendum.id", cascade="all, delete-orphan")
    second_readings: Mapped[list[SecondReading]] = relationship(
        order_by="SecondReading.id", cascade="all, delete-orphan"
    )

    @property
    def reading(self) -> Reading | None:
        """The newest."""
        return self.readings[-1] if self.readings else None


class Reading(Base):
    """What a reader said of a case at one time, and of which answer; a later one follows it, none replaces it.

    `outlines` are the reader's own, None where the model's are left. `answer` is the model's about these outlines,
    None where it was not asked; `model` is the digest of the files of the one that made the case's answer. `signed`
    is when it was signed, by `reader`. `clock` is the hour at which the lesion lies as one looks at the breast,
    `nipple_mm` its distance to the nipple.
    """

    __tablename__ = "readings"
    __table_args__ = (UniqueConstraint("case_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    version: Mapped[int]
    made: Mapped[datetime]
    person: Mapped[str]
    verdict: Mapped[str]
    outlines: Mapped[list[list[list[float]]] | None] = mapped_column(JSON(none_as_null=True))
    birads: Mapped[str | None]
    note: Mapped[str]
    side: Mapped[str | None] = mapped_column(String(8))
    clock: Mapped[int | None]
    nipple_mm: Mapped[float | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    model: Mapped[str]
    reader: Mapped[str | None]
    signed: Mapped[datetime | None]


class Addendum(Base):
    """What is added to a signed reading, which itself is not changed; `reader` is the name under it."""

    __tablename__ = "addenda"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    made: Mapped[datetime]
    person: Mapped[str]
    reader: Mapped[str]
    text: Mapped[str]


class SecondReading(Base):
    """What another person says of a signed case, signed at once; the fields are those of a `Reading`."""

    __tablename__ = "second_readings"
    __table_args__ = (UniqueConstraint("case_id", "reader"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    made: Mapped[datetime]
    person: Mapped[str]
    reader: Mapped[str]
    verdict: Mapped[str]
    outlines: Mapped[list[list[list[float]]] | None] = mapped_column(JSON(none_as_null=True))
    birads: Mapped[str | None]
    note: Mapped[str]


class Account(Base):
    """A person who may sign in under `name`; readings are signed with `full_name`.

    `password` is its hash; one that was made for the person is to be changed before anything else. A closed account
    stays, because readings and the audit trail name it.
    """

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    full_name: Mapped[str]
    role: Mapped[Role] = mapped_column(String(16))
    password: Mapped[str]
    is_first_password: Mapped[bool]
    is_open: Mapped[bool]
    made: Mapped[datetime]


class SignedIn(Base):
    """A browser in which a person is signed in; `digest` is that of what its cookie holds."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    made: Mapped[datetime]
    seen: Mapped[datetime]
    account: Mapped[Account] = relationship()


class Token(Base):
    """What a program shows instead of a password; only its digest is kept. `ends` is None where it does not."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    title: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    made: Mapped[datetime]
    ends: Mapped[datetime | None]
    account: Mapped[Account] = relationship()


class AuditEvent(Base):
    """One line of the audit trail. It names a case and does not refer to it: a deleted case leaves it behind."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person: Mapped[str]
    deed: Mapped[str] = mapped_column(String(32))
    case_id: Mapped[str | None] = mapped_column(String(32), index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


def now() -> datetime:
    """The time as the tables keep it: UTC, without saying so, because SQLite has no other."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
