"""Hand-made sequences of outlines whose right tracks are known."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from bustle.reading.lesion_mask import LesionMask
from bustle.reading.tracking import LesionTracker, Tracking

SIZE = (80, 160)
ROWS, COLUMNS = np.ogrid[: SIZE[0], : SIZE[1]]


def disk(y: float, x: float, radius: float = 10) -> np.ndarray:
    return (ROWS - y) ** 2 + (COLUMNS - x) ** 2 <= radius**2


def tracks(frames: Iterable[Sequence[np.ndarray]], tracking: Tracking | None = None) -> list[tuple[int, ...]]:
    """The numbers that each frame's masks get."""
    tracker = LesionTracker(tracking or Tracking())
    return [tracker.follow(number, [LesionMask.of(mask) for mask in masks]) for number, masks in enumerate(frames)]


def test_a_lesion_that_moves_is_one():
    assert tracks([[disk(40, 20 + 4 * t)] for t in range(20)]) == [(1,)] * 20


def test_the_order_of_a_frames_outlines_means_nothing():
    near, far = disk(40, 30), disk(40, 100)
    assert tracks([[near, far], [far, near], [near, far]]) == [(1, 2), (2, 1), (1, 2)]


def test_two_lesions_that_cross_keep_their_numbers():
    # of the same size, so that only their motion tells them apart where they lie upon each other
    frames = [[disk(40, 20 + 6 * t), disk(40, 134 - 6 * t)] for t in range(20)]
    assert tracks(frames) == [(1, 2)] * 20


def test_a_gap_within_the_limit_is_bridged_and_a_longer_one_is_not():
    seen = [[disk(40, 40)]] * 3
    for gap, after in ((5, 1), (6, 2)):
        found = tracks([*seen, *[[]] * gap, *seen], Tracking(longest_gap=5))
        assert found == [(1,)] * 3 + [()] * gap + [(after,)] * 3


def test_a_lesion_that_moves_on_in_a_gap_is_found_again():
    frames = [[] if 6 <= t < 11 else [disk(40, 20 + 6 * t)] for t in range(20)]
    assert tracks(frames) == [() if 6 <= t < 11 else (1,) for t in range(20)]
    assert disk(40, 20 + 6 * 5)[disk(40, 20 + 6 * 11)].sum() == 0  # where it was last seen, there is nothing


def test_frames_that_are_left_out_are_a_gap():
    tracker = LesionTracker(Tracking(longest_gap=2))
    mask = LesionMask.of(disk(40, 40))
    assert [tracker.follow(frame, [mask]) for frame in (0, 3, 7)] == [(1,), (1,), (2,)]


def test_birth_and_death():
    first, second = disk(40, 30), disk(40, 100)
    frames = [[first], [first, second], [second], [second]]
    assert tracks(frames, Tracking(longest_gap=0)) == [(1,), (1, 2), (2,), (2,)]
    frames = [*frames, [first, second]]
    assert tracks(frames, Tracking(longest_gap=0))[-1] == (3, 2)


def test_two_lesions_that_merge_for_some_frames_come_out_as_they_went_in():
    larger, smaller = disk(40, 50, 16), disk(40, 80, 12)
    bridge = np.zeros(SIZE, bool)
    bridge[38:43, 50:80] = True
    merged = larger | smaller | bridge
    frames = [*[[larger, smaller]] * 4, *[[merged]] * 4, *[[smaller, larger]] * 4]
    assert tracks(frames) == [(1, 2)] * 4 + [(1,)] * 4 + [(2, 1)] * 4


def test_a_part_that_breaks_off_is_new_and_the_rest_goes_on():
    whole = disk(40, 50, 16)
    left, right = whole.copy(), whole.copy()
    left[:, 56:] = False
    right[:, :58] = False
    assert tracks([[whole], [right, left], [whole]]) == [(1,), (2, 1), (1,)]


def test_outlines_that_hardly_overlap_are_two_lesions():
    assert tracks([[disk(40, 40)], [disk(40, 56)]]) == [(1,), (2,)]
    assert tracks([[disk(40, 40)], [disk(40, 56)]], Tracking(least_overlap=0.01)) == [(1,), (1,)]


def test_the_best_sum_of_overlaps_wins_over_the_best_single_one():
    # taking the best pair first would leave the second lesion without an outline
    first, second = disk(40, 50), disk(40, 63)
    assert tracks([[first, second], [disk(40, 57), disk(40, 71)]]) == [(1, 2), (1, 2)]


def test_frames_must_come_in_order():
    tracker = LesionTracker()
    tracker.follow(3, [])
    with pytest.raises(ValueError, match="frame 3 comes after frame 3"):
        tracker.follow(3, [])


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="least_overlap"):
        Tracking(least_overlap=0)
    with pytest.raises(ValueError, match="longest_gap"):
        Tracking(longest_gap=-1)


def test_memory_does_not_grow_with_the_clip():
    tracker = LesionTracker()
    places = np.random.default_rng(0).integers(20, 140, 600)
    masks = [[LesionMask.of(disk(40, int(x)))] for x in sorted(set(places.tolist()))]

    def follow(first: int, last: int) -> None:
        for frame in range(first, last):
            tracker.follow(frame, masks[frame * 31 % len(masks)])

    follow(0, 100)
    tracemalloc.start()
    try:
        follow(100, 500)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20_000
