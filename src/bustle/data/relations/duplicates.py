"""Frames that occur more than once: identical, cropped, rescaled, re-annotated or mirrored copies.

Also frames of the same scene (neighbours in a cine sequence, the same lesion a moment later), which are no copies
but belong to one patient and must not be split either. The frames of one video belong together anyway: they are not
compared with each other, and only some of them with other videos and images.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.memory import give_back_freed_memory
from bustle.core.types import Case, Sample
from bustle.data.case_pass import each, each_sample
from bustle.data.content_hashes import content_hashes
from bustle.data.relations.frame_candidates import candidate_pairs
from bustle.data.relations.frame_features import FrameFeatures, mirrored
from bustle.data.relations.frame_match import FrameMatch, match_frames
from bustle.data.relations.shelved_frames import ShelvedFrames
from bustle.data.relations.volume_slices import sample_features
from bustle.io.volume import is_volume
from bustle.io.volume_files import detached_files

Relation = Literal["identical", "copy", "mirrored-copy", "same-scene"]
COPIES: tuple[Relation, ...] = ("identical", "copy", "mirrored-copy")
RELATED: tuple[Relation, ...] = (*COPIES, "same-scene")

FRAMES_PER_VIDEO = 16
"""Frames of one video that are compared with other pictures; the neighbours of each show the same scene."""

_VERSION = 6
"""Part of the key of remembered results; to be raised with every change of what is found."""


@dataclass(frozen=True)
class FramePair:
    """Two cases whose frames are related.

    `identical`: the decoded pixels are equal. `speckle` and `structure` are correlations, `overlap` the shared
    part of the smaller frame, as in `FrameMatch`.
    """

    first: str
    second: str
    relation: Relation
    speckle: float
    structure: float
    overlap: float


def groups_of_pairs(
    cases: Sequence[Case], pairs: Iterable[FramePair], *, relations: Sequence[Relation]
) -> tuple[tuple[str, ...], ...]:
    """The connected components of the pairs of these relations, of two cases or more, in the order of `cases`."""
    return connected_groups(
        [case.case_id for case in cases], [(p.first, p.second) for p in pairs if p.relation in relations]
    )


def connected_groups(ids: Sequence[str], links: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """The groups of two or more `ids` that the links hold together, in the order of `ids`."""
    position = {name: index for index, name in enumerate(ids)}
    ends = [(position[a], position[b]) for a, b in links]
    if not ends:
        return ()
    rows, columns = zip(*ends, strict=True)
    graph = coo_matrix(([1] * len(rows), (rows, columns)), shape=(len(ids), len(ids)))
    _, component = connected_components(graph, directed=False)
    members: dict[int, list[str]] = {}
    for name, number in zip(ids, component.tolist(), strict=True):
        members.setdefault(number, []).append(name)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)


def related_frames(cases: Sequence[Case]) -> tuple[FramePair, ...]:
    """Every pair of related frames; remembered on disk for as long as the files' content stays the same.

    Cases whose files are broken are passed over.
    """
    remembered = remembered_pairs(cases)
    if remembered is not None:
        return remembered
    compared = compared_frames(cases)

    def look(sample: Sample) -> FrameFeatures:
        return sample_features(sample, compared=sample.case_id in compared)

    shelf = ShelvedFrames()
    looked = each_sample(cases, look, description="looking at frames")
    for case, result in zip(cases, looked, strict=True):
        if not isinstance(result, InputError):
            shelf.put(case.case_id, result)
    return compare_frames(cases, shelf)


def compared_frames(cases: Sequence[Case]) -> frozenset[str]:
    """Ids of the cases to compare with others: every image, and evenly spaced frames of every video."""
    chosen = []
    videos: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        if case.video is None:
            chosen.append(case.case_id)
        else:
            videos.setdefault((case.source, case.video), []).append(case.case_id)
    for frames in videos.values():
        count = min(len(frames), FRAMES_PER_VIDEO)
        chosen += [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]
    return frozenset(chosen)


def compare_frames(cases: Sequence[Case], shelf: ShelvedFrames) -> tuple[FramePair, ...]:
    """As `related_frames`, from features that were computed before; those of broken cases are missing."""
    readable = [case for case in cases if case.case_id in shelf]
    give_back_freed_memory()  # which the features left in pieces, 60 kB for each frame
    frames = shelf.of([case.case_id for case in readable])
    seen = [_Seen(frame.pixel_hash, bool(frame.thumbnail.any())) for frame in frames]
    found: dict[tuple[int, int], tuple[Relation, float, float, float]] = {}
    for pair in _identical(seen):
        found[pair] = ("identical", 1.0, 1.0, 1.0)
    ones = _one_of_each(seen)
    of_video = [None if case.video is None else (case.source, case.video) for case in readable]
    candidates = [
        (ones[first], ones[second], mirror)
        for first, second, mirror in candidate_pairs(shelf.of([readable[i].case_id for i in ones]))
        if of_video[ones[first]] is None or of_video[ones[first]] != of_video[ones[second]]
    ]

    def compare(candidate: tuple[int, int, bool]) -> FrameMatch | None:
        i, j, mirror = candidate
        return match_frames(frames[i], mirrored(frames[j]) if mirror else frames[j])

    matches = each(candidates, compare, description="comparing frames", unit="pair")
    for (i, j, mirror), match in zip(candidates, matches, strict=True):
        relation = None if match is None else _relation(match, mirror=mirror)
        if match is not None and relation is not None and found.get((i, j), ("same-scene",))[0] == "same-scene":
            found[i, j] = (relation, match.speckle, match.structure, match.overlap)
    pairs = tuple(
        FramePair(readable[i].case_id, readable[j].case_id, relation, *(round(n, 4) for n in numbers))
        for (i, j), (relation, *numbers) in sorted(found.items())
    )
    if len(readable) == len(cases):
        _remember(cases, pairs)
    return pairs


def _relation(match: FrameMatch, *, mirror: bool) -> Relation | None:
    if match.is_copy:
        return "mirrored-copy" if mirror else "copy"
    return "same-scene" if match.is_same_scene and not mirror else None


class _Seen(NamedTuple):
    """Of one frame what stays in memory; `compared`: it has features."""

    pixel_hash: str
    compared: bool


def _one_of_each(frames: Sequence[_Seen]) -> list[int]:
    """Of identical frames, the first that is to be compared with others, else the first of all."""
    chosen: dict[str, int] = {}
    for index, frame in enumerate(frames):
        known = chosen.setdefault(frame.pixel_hash, index)
        if frame.compared and not frames[known].compared:
            chosen[frame.pixel_hash] = index
    return sorted(chosen.values())


def _identical(frames: Sequence[_Seen]) -> list[tuple[int, int]]:
    same: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        same.setdefault(frame.pixel_hash, []).append(index)
    return [(i, j) for group in same.values() for i, j in pairwise(group)]


def remembered_pairs(cases: Sequence[Case]) -> tuple[FramePair, ...] | None:
    """The pairs found before in files of the same content; None where there is nothing, or nothing sound."""
    path = _memory_path(cases)
    if path is None:
        return None
    try:
        value = read_json(path)
        return tuple(
            FramePair(cases[i].case_id, cases[j].case_id, relation, *numbers)
            for i, j, relation, *numbers in value["pairs"]
        )
    except (InputError, KeyError, TypeError, ValueError, IndexError):
        return None


def _remember(cases: Sequence[Case], pairs: Sequence[FramePair]) -> None:
    path = _memory_path(cases)
    if path is None:
        return
    position = {case.case_id: index for index, case in enumerate(cases)}
    rows = [[position[p.first], position[p.second], p.relation, p.speckle, p.structure, p.overlap] for p in pairs]
    with contextlib.suppress(InputError):  # a cache that cannot be written costs time, nothing else
        write_json(path, {"pairs": rows})


def _pixel_files(case: Case) -> tuple[Path, ...]:
    """The file of the case's image, and those in which a volume's header keeps its voxels."""
    image = case.files[:1]
    return (*image, *(file for volume in image if is_volume(volume) for file in detached_files(volume)))


def _memory_path(cases: Sequence[Case]) -> Path | None:
    """Where the result for these cases is kept: the key is the content of their images (frames by number), in order.

    Generated cases are known by their metadata; None where there is neither a file nor metadata.
    """
    try:
        hashes = content_hashes([file for case in cases for file in _pixel_files(case)])
    except InputError:
        return None
    digest = hashlib.sha256(f"{_VERSION} {len(cases)}".encode())
    for case in cases:
        if case.files:
            for file in _pixel_files(case):
                digest.update(hashes[file].encode())
            if case.video is not None:  # a video file holds many frames; which are compared depends on the others
                digest.update(repr((case.source, case.video, case.frame)).encode())
        elif case.metadata:
            digest.update(json.dumps(dict(case.metadata), sort_keys=True, default=str).encode())
        else:
            return None
    return cache_directory() / "related-frames" / f"{digest.hexdigest()}.json"
