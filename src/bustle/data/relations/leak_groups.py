"""Leak groups: cases that must stay together, lest a network be tested on what it was trained on.

A leak group is a connected component of: same patient or same video of the same source, copies of one frame (across
patients and sources), and, as `find_leak_groups` gathers them, frames of the same scene.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from bustle.core.types import Case
from bustle.data.relations.duplicates import RELATED, connected_groups, groups_of_pairs, related_frames


def leak_groups(cases: Sequence[Case], *, duplicate_groups: Sequence[Sequence[str]]) -> dict[str, str]:
    """Group id of every case id: the id of the group's first case.

    `duplicate_groups` may be any groups of case ids that belong together; ids that are not among `cases` are passed
    over.
    """
    ids = [case.case_id for case in cases]
    known = set(ids)
    links = [link for group in duplicate_groups for link in pairwise(name for name in group if name in known)]
    return _groups_of_links(ids, [*links, *_patient_links(cases), *_video_links(cases)])


def find_leak_groups(cases: Sequence[Case]) -> dict[str, str]:
    """Look at the frames (or at what was remembered of them) and form the leak groups."""
    pairs = related_frames(cases)
    return leak_groups(cases, duplicate_groups=groups_of_pairs(cases, pairs, relations=RELATED))


def patient_groups(cases: Sequence[Case]) -> dict[str, str]:
    """As `leak_groups`, by patient only; a case or video without a patient id stands alone."""
    return leak_groups(cases, duplicate_groups=())


def video_groups(cases: Sequence[Case]) -> dict[str, str]:
    """As `leak_groups`, by video only: every case that is no frame of one stands alone."""
    return _groups_of_links([case.case_id for case in cases], _video_links(cases))


def conflicting_groups(
    cases: Sequence[Case], duplicate_groups: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], ...]:
    """The duplicate groups whose members carry different classes; a missing class contradicts nothing."""
    label_of = {case.case_id: case.label for case in cases}
    return tuple(
        group for group in duplicate_groups if len({label_of[name] for name in group if label_of.get(name)}) > 1
    )


def _groups_of_links(ids: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, str]:
    group_of = {name: name for name in ids}
    for group in connected_groups(ids, links):
        group_of |= dict.fromkeys(group, group[0])
    return group_of


def _patient_links(cases: Sequence[Case]) -> list[tuple[str, str]]:
    return _links_to_first((case.case_id, case.source, case.patient_id) for case in cases)


def _video_links(cases: Sequence[Case]) -> list[tuple[str, str]]:
    return _links_to_first((case.case_id, case.source, case.video) for case in cases)


def _links_to_first(cases: Iterable[tuple[str, str, str | None]]) -> list[tuple[str, str]]:
    """Of (case id, source, name), the ids of one source and name, each linked to the first; None links nothing."""
    first: dict[tuple[str, str], str] = {}
    return [
        (first.setdefault((source, name), case_id), case_id) for case_id, source, name in cases if name is not None
    ]
