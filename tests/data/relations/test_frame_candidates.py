from __future__ import annotations

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bustle.data.relations import frame_candidates
from bustle.data.relations.frame_candidates import Candidate, candidate_pairs
from bustle.data.relations.frame_features import (
    SAME_FRAMING,
    FrameFeatures,
    frame_features,
    mirrored,
    unit_descriptors,
)
from bustle.data.relations.neighbour_index import NeighbourIndex


def noise_frame(random: np.random.Generator, *, points: int) -> FrameFeatures:
    """Descriptors of the length that SIFT's have, with few large entries: two of them are hardly ever alike."""
    thumbnail = random.normal(size=576).astype(np.float32)
    sparse = random.random((points, 128)) * (random.random((points, 128)) < 0.15)
    descriptors = np.clip(sparse / np.linalg.norm(sparse, axis=1, keepdims=True) * 512, 0, 255).astype(np.uint8)
    return FrameFeatures(
        grey=random.integers(1, 255, (64, 80), np.uint8),
        tissue=np.ones((64, 80), np.bool_),
        points=np.zeros((points, 2), np.float32),
        descriptors=descriptors,
        thumbnail=thumbnail / np.linalg.norm(thumbnail),
        pixel_hash="",
    )


def test_frames_that_share_points_are_candidates_and_others_are_not():
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=200) for _ in range(12)]
    frames[3].descriptors[:20] = frames[9].descriptors[50:70]
    frames[2].descriptors[100:120] = mirrored(frames[7]).descriptors[30:50]
    assert candidate_pairs(frames) == [Candidate(3, 9, mirror=False), Candidate(2, 7, mirror=True)]


def test_frames_without_features_are_candidates_by_their_pictures():
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=0) for _ in range(12)]
    frames[4].thumbnail[:] = frames[8].thumbnail
    frames[4].grey[:] = frames[8].grey // 2
    frames[5].thumbnail[:] = mirrored(frames[6]).thumbnail
    frames[5].grey[:] = mirrored(frames[6]).grey
    assert candidate_pairs(frames) == [Candidate(4, 8, mirror=False), Candidate(5, 6, mirror=True)]


def test_pictures_that_agree_in_what_is_large_alone_are_no_candidates():
    """Lesions of one shape, over other tissue; what differs outside the tissue, as writing does, does not count."""
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=0) for _ in range(4)]
    for frame in frames[1:]:
        frame.thumbnail[:] = frames[0].thumbnail
    frames[3].grey[:] = frames[2].grey
    frames[3].grey[:20] = 255 - frames[2].grey[:20]
    frames[3].tissue[:20] = False
    assert candidate_pairs(frames) == [Candidate(2, 3, mirror=False)]


def test_copies_agree_in_detail_and_other_speckle_over_the_same_lesion_does_not():
    random = np.random.default_rng(0)
    y, x = np.ogrid[:240, :320]
    brightness = 1.3 - np.exp(-(((y - 100) / 50) ** 2) - ((x - 110) / 60) ** 2)  # a lesion without a sharp edge

    def image() -> NDArray[np.uint8]:
        speckle = cv2.GaussianBlur(random.rayleigh(60, brightness.shape), (0, 0), 2)
        return np.clip(brightness * speckle, 0, 255).astype(np.uint8)

    one, other = image(), image()
    smaller = cv2.resize(one, (160, 120), interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode(".jpg", cv2.convertScaleAbs(smaller, alpha=1.2, beta=10), [cv2.IMWRITE_JPEG_QUALITY, 30])
    copy = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    seen = [
        replace(frame_features(each[None]), descriptors=np.zeros((0, 128), np.uint8)) for each in (one, other, copy)
    ]
    assert seen[0].thumbnail @ seen[1].thumbnail > SAME_FRAMING
    assert candidate_pairs(seen) == [Candidate(0, 2, mirror=False)]


def test_of_very_many_frames_fewer_features_answer(monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=200) for _ in range(12)]
    frames[3].descriptors[:20] = frames[9].descriptors[50:70]
    monkeypatch.setattr(frame_candidates, "_ANSWERING", 12 * 20)
    assert candidate_pairs(frames) == [Candidate(3, 9, mirror=False)]  # the first 20 of frame 3 answer those of 9
    monkeypatch.setattr(frame_candidates, "_ANSWERING", 12 * 5)
    assert candidate_pairs(frames) == []


def test_what_is_in_every_frame_makes_candidates_of_some_pairs_and_not_of_all():
    """A scanner's frames share 20 points: with twice as many frames each pair would be found four times as often."""
    found = {}
    for count in (40, 80):
        random = np.random.default_rng(0)
        frames = [noise_frame(random, points=60) for _ in range(count)]
        for frame in frames:
            frame.descriptors[:20] = np.clip(frames[0].descriptors[:20] + random.normal(size=(20, 128)), 0, 255)
        found[count] = len(candidate_pairs(frames))
    assert found[80] < 3 * max(found[40], 40)
    assert found[80] < 80 * 79 / 2 / 4


def test_most_of_the_nearest_neighbours_are_found():
    """Against all distances, of 2,000 real descriptors' worth of noise with a near neighbour each."""
    random = np.random.default_rng(0)
    vectors = unit_descriptors(noise_frame(random, points=2000).descriptors)
    questions = vectors + random.normal(scale=0.01, size=vectors.shape).astype(np.float32)
    index = NeighbourIndex([vectors[:700], vectors[700:]], counts=[700, 1300])
    asked, found = index.nearest(questions, at_most=4, leaves=32, within=0.06)
    exact = np.argmin(
        (questions**2).sum(axis=1)[:, None] - 2 * questions @ vectors.T + (vectors**2).sum(axis=1), axis=1
    )
    pairs = set(zip(asked.tolist(), found.tolist(), strict=True))
    hit = sum((number, nearest) in pairs for number, nearest in enumerate(exact.tolist()))
    assert hit > 0.95 * len(questions)


def test_memory_does_not_grow_with_pairs():
    """All similarities of 8,000 descriptors would take 256 MB."""
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=400) for _ in range(20)]
    tracemalloc.start()
    try:
        candidate_pairs(frames)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6
