"""The page's database: what was dropped, the cases in it, and every reading of them, which are never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

CaseKind = Literal["image", "clip", "unread"]
Verdict = Literal["accepted", "corrected", "rejected"]


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

    `malignant` is the calibrated probability. `version` is that of its newest reading, 0 without any.
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
    decision: Mapped[str | None]
    malignant: Mapped[float | None]
    width: Mapped[int]
    height: Mapped[int]
    version: Mapped[int] = mapped_column(default=0)
    readings: Mapped[list[Reading]] = relationship(order_by="Reading.version", cascade="all, delete-orphan")

    @property
    def reading(self) -> Reading | None:
        """The newest."""
        return self.readings[-1] if self.readings else None


class Reading(Base):
    """What a reader said of a case at one time, and of which answer; a later one follows it, none replaces it.

    `outlines` are the reader's own, None where the model's are left. `answer` is the model's about these outlines,
    None where it was not asked; `model` is the digest of the files of the one that made the case's answer. `signed`
    is when it was signed, by `reader`.
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
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    model: Mapped[str]
    reader: Mapped[str | None]
    signed: Mapped[datetime | None]


def now() -> datetime:
    """The time as the tables keep it: UTC, without saying so, because SQLite has no other."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
