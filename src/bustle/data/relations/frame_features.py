"""What is remembered of an ultrasound frame to recognise it again: a small grey copy and its local features.

Speckle is the fingerprint of a frame: it survives cropping, rescaling, gain changes and compression, and differs
between two frames of the same tissue. Local features (SIFT, Lowe 2004, in the root form of Arandjelović and
Zisserman 2012) find where two frames may overlap; the speckle of the overlap then decides (`frame_match`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.relations.burned_in import burned_in_marks, colour_overlay

LONG_SIDE = 320
"""The longer side of the small copy, in pixels; keypoints are in its coordinates."""

SAME_FRAMING = 0.85
"""Correlation of two thumbnails from which the frames may show the same field, whatever their features say."""

_KEYPOINTS = 500
_DESCRIPTOR_SCALE = 512.0
_BLACK, _WHITE = 6, 250
_THUMBNAIL = 24
_MARK_MARGIN = 9
_NOTHING = (
    np.zeros((0, 0), np.uint8),
    np.zeros((0, 0), np.bool_),
    np.zeros((0, 2), np.float32),
    np.zeros((0, 128), np.uint8),
    np.zeros(_THUMBNAIL**2, np.float32),
)


@dataclass(frozen=True)
class FrameFeatures:
    """What is kept of one frame.

    `grey` uint8 h w with the longer side `LONG_SIDE`; `tissue` bool h w, False where the picture is black, saturated
    or coloured and so says nothing about speckle; `points` float32 N 2 (x, y); `descriptors` uint8 N 128;
    `thumbnail` float32, unit norm, high-passed; `pixel_hash` of the decoded grey image or volume.
    """

    grey: NDArray[np.uint8]
    tissue: NDArray[np.bool_]
    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    thumbnail: NDArray[np.float32]
    pixel_hash: str


def frame_features(image: NDArray[np.uint8], *, compared: bool = True) -> FrameFeatures:
    """Features of an image uint8 `C H W` with C = 1 or 3 (RGB).

    A frame that is not to be `compared` has only its `pixel_hash`: identical frames of it are found, nothing else.
    """
    original = to_grey(image)
    if not compared:
        return FrameFeatures(*_NOTHING, pixel_hash(original))
    grey = _small_copy(original)
    tissue = (grey > _BLACK) & (grey < _WHITE) & ~_overlay(image, original, grey.shape[::-1])
    points, descriptors = _local_features(grey, tissue)
    return FrameFeatures(grey, tissue, points, descriptors, _thumbnail_of_small(grey), pixel_hash(original))


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey uint8 `H W` of an image `C H W`."""
    if image.shape[0] == 1:
        return np.ascontiguousarray(image[0])
    return cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY).astype(np.uint8)


def _overlay(image: NDArray[np.uint8], original: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Burned-in text, calipers and colour with their surroundings, on the small grid (`size` is width, height)."""
    marks = burned_in_marks(original)
    coloured = colour_overlay(image)
    ink = (marks if coloured is None else marks | coloured).astype(np.float32)
    touched = (cv2.resize(ink, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    return cv2.dilate(touched, np.ones((_MARK_MARGIN, _MARK_MARGIN), np.uint8)) > 0


def _local_features(
    grey: NDArray[np.uint8], tissue: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    detector = cv2.SIFT.create(nfeatures=_KEYPOINTS, contrastThreshold=0.02)
    # burned-in text stands on black or saturated ground: a keypoint needs tissue around it
    surrounded = cv2.blur(tissue.astype(np.float32), (21, 21)) > 0.7
    keypoints, descriptors = detector.detectAndCompute(grey, surrounded.astype(np.uint8))
    if descriptors is None or len(keypoints) == 0:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    return points, np.clip(np.round(root * _DESCRIPTOR_SCALE), 0, 255).astype(np.uint8)


def unit_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Descriptors as float32 `N 128` whose scalar product is their cosine similarity."""
    return descriptors.astype(np.float32) / np.float32(_DESCRIPTOR_SCALE)


def mirrored(frame: FrameFeatures) -> FrameFeatures:
    """The features of the left-right mirrored frame, without computing them anew."""
    width = frame.grey.shape[1]
    points = frame.points * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    return FrameFeatures(
        np.ascontiguousarray(frame.grey[:, ::-1]),
        np.ascontiguousarray(frame.tissue[:, ::-1]),
        points,
        mirrored_descriptors(frame.descriptors),
        mirrored_thumbnail(frame.thumbnail),
        "",
    )


def mirrored_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SIFT descriptors of the mirrored patch: the 4 x 4 cells swap across one axis, the 8 directions reverse."""
    cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, :]
    return cells[..., (-np.arange(8)) % 8].reshape(-1, 128)


def mirrored_thumbnail(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    return thumbnail.reshape(_THUMBNAIL, _THUMBNAIL)[:, ::-1].ravel()


def _small_copy(original: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = original.shape
    scale = LONG_SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(original, size, interpolation=interpolation).astype(np.uint8)


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of a grey image `H W` its high-passed thumbnail as a vector of unit norm, 0 where there is nothing to see."""
    return _thumbnail_of_small(_small_copy(grey))


def _thumbnail_of_small(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = (small - cv2.GaussianBlur(small, (0, 0), 6)).ravel()
    norm = float(np.linalg.norm(detail))
    return detail / norm if norm > 1 else np.zeros_like(detail)


def pixel_hash(grey: NDArray[np.uint8]) -> str:
    """SHA-256 of the size and all values."""
    digest = hashlib.sha256(repr(grey.shape).encode())
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()
