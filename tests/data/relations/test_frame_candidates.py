from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bustle.data.relations import frame_candidates
from bustle.data.relations.frame_candidates import candidate_pairs
from bustle.data.relations.frame_features import FrameFeatures


def noise_frame(random: np.random.Generator, *, points: int) -> FrameFeatures:
    """Descriptors of the length that SIFT's have, with few large entries: two of them are hardly ever alike."""
    thumbnail = random.normal(size=64).astype(np.float32)
    sparse = random.random((points, 128)) * (random.random((points, 128)) < 0.15)
    descriptors = np.clip(sparse / np.linalg.norm(sparse, axis=1, keepdims=True) * 512, 0, 255).astype(np.uint8)
    return FrameFeatures(
        grey=np.zeros((8, 8), np.uint8),
        tissue=np.ones((8, 8), np.bool_),
        points=np.zeros((points, 2), np.float32),
        descriptors=descriptors,
        thumbnail=thumbnail / np.linalg.norm(thumbnail),
        pixel_hash="",
    )


def test_frames_that_share_points_are_candidates_and_others_are_not():
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=200) for _ in range(12)]
    frames[3].descriptors[:20] = frames[9].descriptors[50:70]
    assert candidate_pairs(frames, mirror=False) == [(3, 9)]


def test_memory_does_not_grow_with_descriptors_times_cells(monkeypatch: pytest.MonkeyPatch):
    """All similarities of 8,000 descriptors to their 800 cells at once would take 26 MB, and 51 MB to sort them."""
    monkeypatch.setattr(frame_candidates, "_CELL_SIZE", 20)
    monkeypatch.setattr(frame_candidates, "_SIMILARITIES", 200_000)
    random = np.random.default_rng(0)
    frames = [noise_frame(random, points=400) for _ in range(20)]
    tracemalloc.start()
    try:
        candidate_pairs(frames, mirror=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6
