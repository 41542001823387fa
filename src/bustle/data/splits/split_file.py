"""`splits.json`, written and read strictly: of a run, of `bustle data split`, or made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bustle.core.claimed_output import claim_file
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import compact_json, read_json, write_json
from bustle.data.splits.splits import Fold, Splits


@dataclass(frozen=True)
class _Excluded:
    case_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Content:
    """As `Splits`, in the form of the file."""

    track: str
    protocol: str
    seed: int
    folds: tuple[Fold, ...]
    excluded: tuple[_Excluded, ...]
    groups: Mapping[str, str]


def claim_splits(path: Path) -> AbstractContextManager[Path]:
    """Lock the file of a split to be drawn; raises `InputError` for one that is anything but an earlier split."""
    return claim_file(path, is_own=_is_splits, noun="a split of an earlier call")


def _is_splits(path: Path) -> bool:
    try:
        read_splits(path)
    except InputError:
        return False
    return True


def write_splits(path: Path, splits: Splits) -> None:
    write_json(path, to_mapping(_content(splits)))


def compact_splits(splits: Splits) -> str:
    """The content of the file on one line."""
    return compact_json(to_mapping(_content(splits)))


def _content(splits: Splits) -> _Content:
    excluded = tuple(_Excluded(*one) for one in splits.excluded)
    return _Content(**{**vars(splits), "excluded": excluded})


def read_splits(path: Path) -> Splits:
    """Raises `InputError` for a file of another form, a fold without test cases, and a case that trains and tests."""
    value = read_json(path)
    try:
        content = from_mapping(_Content, value, where=path.name)
    except InputError as error:
        raise InputError(
            f"is not a splits file ({error})", remedy="write it with `bustle data split`", path=path
        ) from None
    if not content.folds:
        raise InputError("has no fold", remedy="write it with `bustle data split`", path=path)
    for number, fold in enumerate(content.folds):
        if not fold.test:
            raise InputError(f"fold {number} has no test case", remedy="make the split again", path=path)
        both = set(fold.train) & (set(fold.test) | set(fold.val))
        if both:
            raise InputError(
                f"fold {number} trains on {min(both)}, which it also tests or validates on",
                remedy="make the split again",
                path=path,
            )
    return Splits(**{**vars(content), "excluded": tuple((one.case_id, one.reason) for one in content.excluded)})
