"""The audit of a collection: what is there, what is missing, what is broken, what occurs twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Finding, Sample
from bustle.data.audit.case_facts import CaseFacts, case_facts
from bustle.data.case_pass import each_sample
from bustle.data.relations.duplicates import (
    COPIES,
    RELATED,
    FramePair,
    compare_frames,
    compared_frames,
    groups_of_pairs,
    remembered_pairs,
)
from bustle.data.relations.frame_features import FrameFeatures
from bustle.data.relations.leak_groups import conflicting_groups, leak_groups
from bustle.data.relations.shelved_frames import ShelvedFrames
from bustle.data.relations.volume_slices import sample_features
from bustle.io.raster import is_grey_mask
from bustle.io.volume import is_grey_mask_volume, is_volume


@dataclass(frozen=True)
class Audit:
    """Everything that an audit found; `facts` holds the readable cases only."""

    cases: tuple[Case, ...]
    facts: Mapping[str, CaseFacts]
    pairs: tuple[FramePair, ...]
    duplicate_groups: tuple[tuple[str, ...], ...]
    scene_groups: tuple[tuple[str, ...], ...]
    conflicting: tuple[tuple[str, ...], ...]
    group_of: Mapping[str, str]
    findings: tuple[Finding, ...]


def audit(collection: Collection) -> Audit:
    """Decode and look at every case. A broken file becomes a finding `unreadable`, never an error."""
    cases = collection.cases
    facts: dict[str, CaseFacts] = {}
    unreadable: list[Finding] = []
    compared = compared_frames(cases)
    mask_files = {case.case_id: case.files[1 : 1 + case.mask_files] for case in cases}

    pairs = remembered_pairs(cases)
    shelf = ShelvedFrames()

    def look(sample: Sample) -> tuple[CaseFacts, FrameFeatures | None]:
        grey = any(map(_has_grey_levels, mask_files[sample.case_id]))
        features = sample_features(sample, compared=sample.case_id in compared) if pairs is None else None
        return case_facts(sample, grey_mask=grey), features

    looked = each_sample(cases, look, description="looking at cases")
    for case, result in zip(cases, looked, strict=True):
        if isinstance(result, InputError):
            unreadable.append(Finding("unreadable", (case.case_id,), result.in_results()))
        else:
            facts[case.case_id], features = result
            if features is not None:
                shelf.put(case.case_id, features)
    if pairs is None:
        pairs = compare_frames(cases, shelf)
    duplicates = groups_of_pairs(cases, pairs, relations=COPIES)
    related = groups_of_pairs(cases, pairs, relations=RELATED)
    conflicting = conflicting_groups(cases, duplicates)
    scenes = tuple(group for group in related if group not in duplicates)
    findings = (
        *collection.findings,
        *unreadable,
        *_about_copies(cases, pairs, duplicates, scenes),
        *_about_cases(cases, facts),
    )
    return Audit(
        cases=cases,
        facts=facts,
        pairs=pairs,
        duplicate_groups=duplicates,
        scene_groups=scenes,
        conflicting=conflicting,
        group_of=leak_groups(cases, duplicate_groups=related),
        findings=findings,
    )


def _has_grey_levels(mask: Path) -> bool:
    """Whether a mask file has to be cut because it does not only say inside and outside."""
    return is_grey_mask_volume(mask) if is_volume(mask) else is_grey_mask(mask)


def _about_copies(
    cases: Sequence[Case],
    pairs: Sequence[FramePair],
    duplicates: Sequence[tuple[str, ...]],
    scenes: Sequence[tuple[str, ...]],
) -> list[Finding]:
    by_id = {case.case_id: case for case in cases}
    identical = set(groups_of_pairs(cases, pairs, relations=("identical",)))
    findings = []
    for group in duplicates:
        labels = sorted({by_id[name].label or "" for name in group} - {""})
        patients = {(by_id[name].source, by_id[name].patient_id) for name in group if by_id[name].patient_id}
        names = ", ".join(group)
        if len(labels) > 1:
            findings.append(Finding("conflicting-labels", group, f"one frame is {' and '.join(labels)}: {names}"))
        if len(patients) > 1:
            message = f"one frame belongs to {len(patients)} patients: {names}"
            findings.append(Finding("copies-across-patients", group, message))
        if group in identical:
            findings.append(Finding("identical-images", group, f"the pixels are equal: {names}"))
        else:
            findings.append(Finding("near-duplicates", group, f"copies of one frame: {names}"))
    for group in scenes:
        message = f"frames of the same scene, some of them no copies; a split keeps them together: {', '.join(group)}"
        findings.append(Finding("same-scene", group, message))
    return findings


def _about_cases(cases: Sequence[Case], facts: Mapping[str, CaseFacts]) -> list[Finding]:
    """Findings that concern many cases of a source, one for each kind and source."""

    def seen(test: Callable[[CaseFacts], bool]) -> Callable[[Case], bool]:
        return lambda case: case.case_id in facts and test(facts[case.case_id])

    def outlined(case: Case) -> bool:
        return bool(seen(lambda fact: bool(fact.lesions))(case))

    checks: list[tuple[str, str, Callable[[Case], bool]]] = [
        ("missing-label", "have no class", lambda case: case.label is None),
        ("missing-mask", "have no lesion annotation", lambda case: not case.has_mask and not case.has_box),
        ("missing-spacing", "have no pixel size: results are in pixels only", lambda case: case.spacing is None),
        (
            "missing-patient",
            "have no patient id: groups rest on their pictures",
            lambda case: case.patient_id is None,
        ),
        (
            "empty-mask",
            "are benign or malignant, yet their mask is empty",
            lambda case: case.label in ("benign", "malignant") and seen(lambda fact: fact.lesions == 0)(case),
        ),
        ("lesion-in-normal", "are normal, yet a lesion is outlined", lambda c: c.label == "normal" and outlined(c)),
        (
            "grey-mask",
            "have a mask with grey values, such as a soft edge: it is cut at half of its maximum",
            seen(lambda fact: fact.grey_mask),
        ),
        ("several-lesions", "have several outlined lesions", seen(lambda fact: (fact.lesions or 0) > 1)),
        ("lesion-at-border", "have a lesion that the picture cuts off", seen(lambda fact: fact.at_border)),
        ("no-ultrasound", "hold no ultrasound: one grey, or noise", seen(lambda fact: fact.nothing is not None)),
        ("burned-in-marks", "have text, scales or calipers burned into the picture", seen(lambda fact: fact.marks)),
        ("colour-overlay", "have colour burned into the picture", seen(lambda fact: fact.coloured)),
    ]
    findings = []
    for source in dict.fromkeys(case.source for case in cases):
        own = [case for case in cases if case.source == source]
        for kind, what, holds in checks:
            hit = tuple(case.case_id for case in own if holds(case))
            if hit:
                findings.append(Finding(kind, hit, f"{source}: {len(hit)} of {len(own)} cases {what}"))
    return findings
