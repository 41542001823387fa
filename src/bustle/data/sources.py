"""Data specs of the command line, `READER:PATH[?key=value&…]`, to a `Collection` of cases.

The readers' folder is the registry: `readers/bus_bra.py` reads `bus-bra:PATH`. A reader offers
`read(path, *, name, options) -> Collection` and `DESCRIPTION`.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

from bustle.core.errors import InputError, unknown_name
from bustle.core.paths import given_path, name_as_study
from bustle.core.types import Case, Collection
from bustle.data.archives import is_archive, remove_abandoned_studies, unpacked
from bustle.io.dicom.recognition import is_dicom

_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")


@dataclass(frozen=True)
class ReaderDescription:
    """What the documentation says about a reader. `options` maps each option's name to its meaning.

    `citation` is that of the published data set, empty for a reader of anybody's data.
    """

    title: str
    layout: str
    licence: str
    citation: str
    obtain: str
    options: Mapping[str, str]


class Reader(Protocol):
    """The interface of a reader's module."""

    DESCRIPTION: ReaderDescription

    def read(self, path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
        """List the cases below `path`; case ids are `<name>/<stem>`. Raises `InputError` for a wrong layout."""
        ...


@dataclass(frozen=True)
class DataSpec:
    """A parsed data spec. `path` is None where nothing stands before the options (`phantom:?cases=8`)."""

    reader: str
    path: Path | None
    name: str
    options: Mapping[str, str]


def reader_ids() -> list[str]:
    folder = Path(__file__).parent / "readers"
    return sorted(p.stem.replace("_", "-") for p in folder.glob("*.py") if not p.stem.startswith("_"))


def parse_spec(text: str) -> DataSpec:
    """Parse one data spec; `name=` overrides the source's name, every other option belongs to the reader.

    What exists as a path is one: with a `?` or `:` in it, and a Windows drive is no reader. A path alone is read by
    `auto`.
    """
    text = _with_reader(text)
    reader, colon, rest = text.partition(":")
    readers = ", ".join(reader_ids())
    if not colon or not reader:
        raise InputError(f"'{text}' is not a data spec", remedy=f"write READER:PATH, with one of: {readers}")
    if reader not in reader_ids() and (_DRIVE.match(text) or _exists(text)):
        raise InputError(
            f"'{text}' is a path without a reader", remedy=f"write READER:{text}, with one of: {readers}"
        )
    if reader not in reader_ids():
        raise unknown_name("reader", reader, reader_ids())
    path, query = _path_and_query(rest)
    options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=False))
    name = options.pop("name", reader)
    if not re.fullmatch(r"[\w.-]+", name) or set(name) <= {"."}:
        raise InputError(f"'{name}' cannot name a source", remedy="use letters, digits, '-', '_' and '.' in name=")
    return DataSpec(reader, given_path(path) if path else None, name, options)


def _exists(text: str) -> bool:
    return os.path.exists(os.path.expanduser(text))  # noqa: PTH110, PTH111  (a Path refuses what is too long for one)


def _with_reader(text: str) -> str:
    path, _ = _path_and_query(text)
    drive = _DRIVE.match(path)
    return f"auto:{text}" if path and _exists(path) and (drive or ":" not in path) else text


def _path_and_query(rest: str) -> tuple[str, str]:
    """Where the path ends and the options begin: after the longest text before a `?` that exists, else at the first.

    A person's folder may be called `what?`.
    """
    marks = [position for position, letter in enumerate(rest) if letter == "?"]
    for end in [len(rest), *reversed(marks)]:
        if marks and end and _exists(rest[:end]):
            return rest[:end], rest[end + 1 :]
    path, _, query = rest.partition("?")
    return path, query


def address_of(path: Path) -> str | None:
    """The web address that was given in place of a path, which has lost a slash by being one; None where none was."""
    found = re.fullmatch(r"(https?):/+(.+)", path.as_posix())
    return None if found is None else f"{found[1]}://{found[2]}"


def reader_module(reader: str) -> Reader:
    return importlib.import_module(f"bustle.data.readers.{reader.replace('-', '_')}")  # type: ignore[return-value]


def check_specs(specs: Sequence[str]) -> list[DataSpec]:
    """Parse all data specs, reading nothing; raises `InputError` for an unknown option or a path that is absent."""
    parsed = [parse_spec(text) for text in specs]
    for spec, text in zip(parsed, specs, strict=True):
        known = reader_module(spec.reader).DESCRIPTION.options
        for option in spec.options:
            if option not in known:
                raise unknown_name(f"option of {spec.reader}", option, ["name", *known])
        if spec.path is not None and address_of(spec.path) is None and not spec.path.exists():
            raise InputError("does not exist", remedy=f"check the path in '{text}'", path=spec.path)
    return parsed


def open_sources(specs: Sequence[str]) -> Collection:
    """Read all data specs, those of ZIP archives from where they are unpacked.

    Raises `InputError` for unknown options, missing paths, bad archives and duplicate case ids.
    """
    remove_abandoned_studies()
    cases, findings = [], []
    seen: dict[str, str] = {}
    for spec, text in zip(check_specs(specs), specs, strict=True):
        path = unpacked(spec.path) if spec.path is not None and is_archive(spec.path) else spec.path
        collection = reader_module(spec.reader).read(path, name=spec.name, options=spec.options)
        for case in collection.cases:
            if case.case_id in seen:
                raise InputError(
                    f"case id '{case.case_id}' occurs in '{seen[case.case_id]}' and in '{text}'",
                    remedy="give one of the sources another name with ?name=",
                )
            seen[case.case_id] = text
        if collection.cases and any(map(is_dicom, collection.cases[0].files[:1])):
            name_as_study(text)
        cases += collection.cases
        findings += collection.findings
    return Collection(tuple(cases), tuple(findings))


def open_by_source(specs: Sequence[str]) -> dict[str, Collection]:
    """As `open_sources`, each source by its name; what the readers noticed is with the first."""
    whole = open_sources(specs)
    found: dict[str, list[Case]] = {}
    for case in whole.cases:
        found.setdefault(case.source, []).append(case)
    return {
        name: Collection(tuple(cases), whole.findings if number == 0 else ())
        for number, (name, cases) in enumerate(found.items())
    }
