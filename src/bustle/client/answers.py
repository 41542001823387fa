"""What the page tells, as frozen dataclasses: the fields are those of its OpenAPI, as far as programs need them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")
Outline = tuple[tuple[float, float], ...]
"""Corners x, y in pixels from the centre of the picture's first one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DroppedFile:
    """A file of a drop; `problem` says why nothing of it could be read."""

    id: str
    name: str
    size: int
    problem: str | None
    remarks: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drop:
    """How far a drop is: `done` of `total` pictures, None until its files have been looked into."""

    id: str
    state: Literal["open", "waiting", "running", "done", "failed"]
    done: int
    total: int | None
    reason: str | None
    files: tuple[DroppedFile, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the worklist. `malignant` is the calibrated probability, `patient` a pseudonym, `made` UTC with Z."""

    id: str
    drop: str
    name: str
    patient: str | None
    kind: str
    status: Literal["unread", "new", "read", "signed"]
    problem: str | None
    decision: str | None
    malignant: float | None
    verdict: str | None
    birads: str | None
    made: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """`probabilities` are calibrated where `calibrated`; `possible` are the classes that cannot be excluded."""

    decision: str | None
    probabilities: Mapping[str, float]
    calibrated: bool
    possible: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesion:
    """The largest first; `area` in `unit`², axes in `unit`; `words` are those of BI-RADS by what they describe."""

    number: int
    outline: Outline
    area: float
    long_axis: float
    short_axis: float
    unit: Literal["mm", "px"]
    probability: float
    words: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reader said; `outlines` are theirs, None where the model's are left."""

    version: int
    verdict: str
    outlines: tuple[Outline, ...] | None
    birads: str | None
    note: str
    reader: str | None
    signed: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaseDetail(Case):
    """All about a case: `answer` and `lesions` are the model's own, `reading` is the newest, of `version`."""

    width: int
    height: int
    spacing_mm: tuple[float, float] | None
    answer: Answer | None
    model_digest: str | None
    lesions: tuple[Lesion, ...]
    exports: tuple[str, ...]
    version: int
    reading: Reading | None


def made_of(kind: type[Kind], told: Any) -> Kind:
    """The JSON object `told` as a dataclass; what it does not know, of a newer server, is left out."""
    hints = get_type_hints(kind)
    return kind(**{name: _value(hint, told[name]) for name, hint in hints.items()})


def _value(hint: Any, told: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return made_of(hint, told)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        if told is None:
            return None
        return _value(next(one for one in inner if one is not NoneType), told)
    if origin is tuple:
        return tuple(_value(inner[0], one) for one in told)
    return told
