"""`audit.html`: the counts of a collection and the pictures of every finding, in one self-contained file."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NamedTuple

from bustle.core.provenance import provenance
from bustle.data.audit.audit import Audit
from bustle.data.audit.record import audit_record
from bustle.report.page import write_page

SHOWN = 48
"""Pictures shown of one finding that concerns many cases; the rest is listed by name."""

TITLES = {
    "conflicting-labels": "Copies of one frame with different classes",
    "copies-across-patients": "Copies of one frame under different patients",
    "identical-images": "Images with equal pixels",
    "near-duplicates": "Cropped, rescaled or re-annotated copies",
    "same-scene": "Frames of the same scene",
    "unreadable": "Files that cannot be read",
    "empty-mask": "Lesion class, but an empty mask",
    "lesion-in-normal": "Normal, but a lesion is outlined",
    "grey-mask": "Masks with grey values",
    "several-lesions": "Several lesions",
    "lesion-at-border": "Lesions that the picture cuts off",
    "no-ultrasound": "Nothing in the picture",
    "burned-in-marks": "Text, scales or calipers in the picture",
    "colour-overlay": "Colour in the picture",
    "missing-label": "No class",
    "missing-mask": "No lesion annotation",
    "missing-patient": "No patient id",
    "missing-spacing": "No pixel size",
}
WITHOUT_PICTURES = ("missing-patient", "missing-spacing")


class Thumbnail(NamedTuple):
    case_id: str
    label: str
    uri: str


class Entry(NamedTuple):
    """One finding: its sentence, pictures of its cases, and how many more there are."""

    message: str
    pictures: list[Thumbnail]
    more: list[str]


class Section(NamedTuple):
    """All findings of one kind; `cases` is how many different cases they name, 0 where they are about a source."""

    kind: str
    title: str
    entries: list[Entry]
    cases: int


def write_audit_page(path: Path, found: Audit) -> None:
    """Write the page with its pictures inside."""
    write_page(
        path,
        "audit.html",
        summary=audit_record(found),
        sections=_sections(found),
        provenance=provenance(),
    )


def _sections(found: Audit) -> list[Section]:
    labels = {case.case_id: case.label or "no class" for case in found.cases}
    by_kind: dict[str, list[Entry]] = {}
    named: dict[str, set[str]] = {}
    for finding in found.findings:
        seen = [name for name in finding.case_ids if name in found.facts]
        shown = [] if finding.kind in WITHOUT_PICTURES else seen[:SHOWN]
        pictures = [Thumbnail(name, labels[name], _uri(found, name)) for name in shown]
        more = [] if finding.kind in WITHOUT_PICTURES else [name for name in finding.case_ids if name not in shown]
        by_kind.setdefault(finding.kind, []).append(Entry(finding.message, pictures, more))
        named.setdefault(finding.kind, set()).update(finding.case_ids)
    order = [*TITLES, *sorted(set(by_kind) - set(TITLES))]
    return [Section(kind, _title(kind), by_kind[kind], len(named[kind])) for kind in order if kind in by_kind]


def _title(kind: str) -> str:
    return TITLES.get(kind, kind.replace("-", " ").capitalize())


def _uri(found: Audit, case_id: str) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(found.facts[case_id].picture).decode("ascii")
