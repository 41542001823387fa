"""What an audit amounts to in numbers and names: the content of `audit.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json
from bustle.core.types import Case, Finding
from bustle.data.audit.audit import Audit
from bustle.data.audit.case_facts import CaseFacts
from bustle.data.relations.duplicates import FramePair

FORMAT = 1
AUDIT_AGAIN = "write it with `bustle data audit` on the same data"


@dataclass(frozen=True)
class Distribution:
    """Smallest value, quartiles and largest value."""

    min: float
    q25: float
    median: float
    q75: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution | None:
        """None of nothing."""
        if not values:
            return None
        return cls(*(round(float(value), 6) for value in np.percentile(values, [0, 25, 50, 75, 100])))

    @property
    def values(self) -> tuple[float, ...]:
        return (self.min, self.q25, self.median, self.q75, self.max)


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """One data source. `patients` counts known ones, `cases_with` the cases that have an annotation, by its name.

    Sizes are in pixels of the `readable` cases; `lesion_fraction` is the area of all lesions of an image / its area.
    """

    cases: int
    by_label: Mapping[str, int]
    patients: int
    leak_groups: int
    cases_with: Mapping[str, int]
    readable: int
    lesions_per_image: Mapping[str, int]
    height: Distribution | None
    width: Distribution | None
    lesion_area_px: Distribution | None
    lesion_fraction: Distribution | None
    lesion_fraction_by_label: Mapping[str, Distribution | None]


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """The whole collection. `leak_groups` is the number of them, `groups` each case's own."""

    format: int = FORMAT
    cases: int
    by_label: Mapping[str, int]
    duplicate_groups: tuple[tuple[str, ...], ...]
    conflicting_groups: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    scene_groups: tuple[tuple[str, ...], ...]
    leak_groups: int
    groups: Mapping[str, str]
    related_frames: tuple[FramePair, ...]
    sources: Mapping[str, SourceRecord]


def audit_record(found: Audit) -> AuditRecord:
    return AuditRecord(
        cases=len(found.cases),
        by_label=_label_counts(found.cases),
        duplicate_groups=found.duplicate_groups,
        conflicting_groups=found.conflicting,
        findings=found.findings,
        scene_groups=found.scene_groups,
        leak_groups=len(set(found.group_of.values())),
        groups=found.group_of,
        related_frames=found.pairs,
        sources={
            source: _source_record([case for case in found.cases if case.source == source], found)
            for source in dict.fromkeys(case.source for case in found.cases)
        },
    )


def read_audit(path: Path) -> AuditRecord:
    """Raises `InputError` for a file that is no `audit.json` of this version."""
    content = read_json(path)
    version = content.get("format") if isinstance(content, dict) and "duplicate_groups" in content else None
    if version != FORMAT:
        raise InputError("is no audit of this version of bustle", remedy=AUDIT_AGAIN, path=path)
    try:
        return from_mapping(AuditRecord, content, where=path.name)
    except InputError as error:
        raise InputError(f"is a damaged audit ({error})", remedy=AUDIT_AGAIN, path=path) from None


def _label_counts(cases: Sequence[Case]) -> dict[str, int]:
    """Cases by class, `unlabelled` last where there are any."""
    counts = Counter(case.label or "unlabelled" for case in cases)
    return dict(sorted(counts.items(), key=lambda item: (item[0] == "unlabelled", item[0])))


def _source_record(cases: Sequence[Case], found: Audit) -> SourceRecord:
    facts = [found.facts[case.case_id] for case in cases if case.case_id in found.facts]
    lesions = [fact for fact in facts if fact.lesions]
    numbers = Counter(fact.lesions for fact in facts if fact.lesions is not None)
    labels = sorted({fact.label for fact in lesions if fact.label is not None})
    return SourceRecord(
        cases=len(cases),
        by_label=_label_counts(cases),
        patients=len({case.patient_id for case in cases if case.patient_id is not None}),
        leak_groups=len({found.group_of[case.case_id] for case in cases}),
        cases_with={
            "label": sum(case.label is not None for case in cases),
            "lesion mask": sum(case.has_mask for case in cases),
            "gland mask": sum(case.has_gland for case in cases),
            "box": sum(case.has_box for case in cases),
            "patient id": sum(case.patient_id is not None for case in cases),
            "pixel size": sum(case.spacing is not None for case in cases),
        },
        readable=len(facts),
        lesions_per_image={str(count): n for count, n in sorted(numbers.items())},
        height=Distribution.of([fact.size[0] for fact in facts]),
        width=Distribution.of([fact.size[1] for fact in facts]),
        lesion_area_px=Distribution.of([fact.lesion_area for fact in lesions]),
        lesion_fraction=Distribution.of(_fractions(lesions)),
        lesion_fraction_by_label={
            label: Distribution.of(_fractions([fact for fact in lesions if fact.label == label])) for label in labels
        },
    )


def _fractions(facts: Sequence[CaseFacts]) -> list[float]:
    return [fact.lesion_area / (fact.size[0] * fact.size[1]) for fact in facts]
