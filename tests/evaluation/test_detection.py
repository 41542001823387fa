"""A hit by hand, and the matching against a plain form on whole masks."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.types import LesionCandidate
from bustle.evaluation.components import components_by_number
from bustle.evaluation.detection import (
    Candidate,
    Matching,
    candidates_from_map,
    detect_lesions,
    match_candidates,
)


def boxes(shape, *corners):
    """An instance map with a block per (start, stop)."""
    instance_map = np.zeros(shape, np.uint8)
    for number, (start, stop) in enumerate(corners, start=1):
        instance_map[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = number
    return instance_map


SHAPE = (10, 12, 14)
TRUTH = boxes(SHAPE, ((1, 1, 1), (4, 4, 4)), ((6, 6, 6), (9, 10, 12)))
LESIONS = list(components_by_number(TRUTH).values())


def candidates(*corners_and_scores):
    found = []
    for start, stop, score in corners_and_scores:
        (part,) = components_by_number(boxes(SHAPE, (start, stop))).values()
        found.append(Candidate(score, part))
    return found


def test_a_hit_by_hand():
    shifted = candidates(((2, 1, 1), (5, 4, 4), 0.9))  # 18 of 27 voxels in common: IoU 18 / 36
    assert match_candidates(LESIONS, shifted, least_iou=0.5).found_by == (0, None)
    assert match_candidates(LESIONS, shifted, least_iou=0.5 + 1e-9).false == (0,)


def test_a_repetition_is_neither_a_find_nor_a_false_positive():
    proposed = candidates(
        ((1, 1, 1), (4, 4, 4), 0.6),
        ((2, 1, 1), (5, 4, 4), 0.8),
        ((0, 8, 8), (3, 10, 10), 0.9),
    )
    assert match_candidates(LESIONS, proposed, least_iou=0.1) == Matching((1, None), (2,), (0,))
    case = detect_lesions(TRUTH, proposed, least_iou=0.1, voxel_mm3=0.5, case_id="c", group_id="p")
    assert case.hit_scores == (0.8, None)
    assert case.false_scores == (0.9,)
    assert case.lesion_mm3 == (0.5 * 27, 0.5 * 3 * 4 * 6)


def test_one_candidate_over_two_lesions_finds_the_one_that_it_hits_best():
    wide = candidates(((1, 1, 1), (9, 10, 12), 0.9))
    assert match_candidates(LESIONS, wide, least_iou=0.01).found_by == (None, 0)
    wide += candidates(((1, 1, 1), (9, 10, 12), 0.8))
    assert match_candidates(LESIONS, wide, least_iou=0.01).found_by == (1, 0)


def test_cases_without_lesions_or_candidates():
    proposed = candidates(((1, 1, 1), (4, 4, 4), 0.6))
    empty = np.zeros(SHAPE, np.uint8)
    facts = {"least_iou": 0.1, "voxel_mm3": 0.5, "case_id": "c", "group_id": "p"}
    assert detect_lesions(empty, proposed, **facts).false_scores == (0.6,)
    case = detect_lesions(TRUTH, [], **facts)
    assert (case.hit_scores, case.false_scores) == ((None, None), ())


def plain_matching(truth, proposed, scores, least):
    """The convention once more, on whole masks, by threshold: finds and false positives."""
    counts = {}
    for threshold in sorted(set(scores)):
        kept = sorted((n for n in range(len(scores)) if scores[n] >= threshold), key=lambda n: -scores[n])
        overlap = {
            (n, k): (proposed[n] & (truth == k)).sum() / (proposed[n] | (truth == k)).sum()
            for n in kept
            for k in range(1, truth.max() + 1)
        }
        taken, false = set(), 0
        for n in kept:
            hit = [k for k in range(1, truth.max() + 1) if overlap[n, k] >= least]
            free = [k for k in hit if k not in taken]
            if free:
                taken.add(max(free, key=lambda k: (overlap[n, k], -k)))
            false += not hit
        counts[threshold] = (len(taken), false)
    return counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(18, 20), (9, 10, 11)])
def test_the_matching_equals_a_plain_form_at_every_threshold(shape, seed):
    rng = np.random.default_rng(seed)

    def block():
        start = [rng.integers(0, edge - 4) for edge in shape]
        return start, [first + rng.integers(2, 5) for first in start]

    truth = boxes(shape, *(block() for _ in range(4)))
    truth = np.unique(truth, return_inverse=True)[1].reshape(shape).astype(np.uint8)
    maps = [boxes(shape, block()) > 0 for _ in range(12)]
    scores = rng.permutation(12) / 12
    parts = [next(iter(components_by_number(mask.view(np.uint8)).values())) for mask in maps]
    proposed = [Candidate(score, part) for part, score in zip(parts, scores, strict=True)]
    case = detect_lesions(truth, proposed, least_iou=0.05, voxel_mm3=0.5, case_id="c", group_id="p")
    for threshold, (found, false) in plain_matching(truth, maps, scores, 0.05).items():
        assert sum(score is not None and score >= threshold for score in case.hit_scores) == found
        assert sum(score >= threshold for score in case.false_scores) == false


def test_a_prediction_of_which_a_candidate_has_nothing_drawn():
    def proposal(score):
        return LesionCandidate((2.0, 2.0, 2.0), score, 0, 0.0, (0, 0, 0), (3, 3, 3), None)

    found = candidates_from_map(np.where(TRUTH == 2, 0, TRUTH), [proposal(0.3), proposal(0.7)])
    assert [candidate.score for candidate in found] == [0.3, 0.7]
    assert found[0].component.size == 27
    assert match_candidates(LESIONS, found, least_iou=0.1) == Matching((0, None), (1,), ())
