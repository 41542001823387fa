"""Which cases a confidence interval resamples together: what a person chose, never what a cache happens to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from bustle.core.errors import InputError
from bustle.core.paths import given_path
from bustle.core.types import Case
from bustle.data.audit.record import read_audit
from bustle.data.relations.leak_groups import find_leak_groups, patient_groups, video_groups

GroupRule = Literal["patient", "file", "duplicates"]
GROUP_RULES: tuple[GroupRule, ...] = get_args(GroupRule)
LEAK_GROUPS = "patients and near-duplicate images"
FILES = "files"


class ResamplingGroups(NamedTuple):
    """Group id by case id, the rule that made them as results name it, what a group is, and what it leaves out."""

    group_of: Mapping[str, str]
    rule: str
    meaning: str
    warnings: tuple[str, ...] = ()


def group_rule(text: str) -> GroupRule | Path:
    """What `--groups` says: a rule, or the path of an audit. Raises `InputError` for neither."""
    for rule in GROUP_RULES:
        if text == rule:
            return rule
    path = given_path(text)
    if not path.is_file():
        raise InputError(
            f"--groups '{text}' is neither a rule nor a file",
            remedy=f"give {', '.join(GROUP_RULES)} or the audit.json of `bustle data audit`",
        )
    return path


def groups_of_split(group_of: Mapping[str, str]) -> ResamplingGroups:
    """The leak groups that a run was split by."""
    return ResamplingGroups(group_of, "split", LEAK_GROUPS)


def resampling_groups(cases: Sequence[Case], *, rule: GroupRule | Path = "patient") -> ResamplingGroups:
    """`patient`: all cases of a patient, of unknown patients each file. `file`: each file; a video is one.

    `duplicates`: leak groups, for which all images are compared, which takes minutes; a path names an `audit.json`
    that holds them. Raises `InputError` for a file that is no audit and for one that lacks a case.
    """
    if isinstance(rule, Path):
        return ResamplingGroups(_groups_of_audit(rule, cases), "audit", LEAK_GROUPS)
    if rule == "duplicates":
        return ResamplingGroups(find_leak_groups(cases), rule, LEAK_GROUPS)
    if rule == "file":
        return _by_file(cases)
    if rule == "patient":
        return _by_patient(cases)
    raise ValueError(f"unknown rule '{rule}'")


def _by_patient(cases: Sequence[Case]) -> ResamplingGroups:
    alone = sum(case.patient_id is None for case in cases)
    warnings = ()
    if alone:
        warnings = (
            f"the intervals treat {alone} images of unknown patients as independent; "
            "`bustle evaluate --groups duplicates` keeps near-duplicate images together",
        )
    meaning = {0: "patients", len(cases): FILES}.get(alone, "patients, files of unknown patients alone")
    return ResamplingGroups(patient_groups(cases), "patient", meaning, warnings)


def _by_file(cases: Sequence[Case]) -> ResamplingGroups:
    known = {(case.source, case.patient_id) for case in cases if case.patient_id is not None}
    warnings = ()
    if known:
        warnings = (f"the intervals treat the images of each of {len(known)} patients as independent",)
    return ResamplingGroups(video_groups(cases), "file", FILES, warnings)


def _groups_of_audit(path: Path, cases: Sequence[Case]) -> dict[str, str]:
    groups = read_audit(path).groups
    absent = [case.case_id for case in cases if case.case_id not in groups]
    if absent:
        raise InputError(
            f"does not know {len(absent)} of {len(cases)} cases, such as '{absent[0]}'",
            remedy="audit the data that is evaluated",
            path=path,
        )
    return {case.case_id: groups[case.case_id] for case in cases}
