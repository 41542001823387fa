"""Single frames of video files, by their exact number.

A frame's number is its place among the frames that can be decoded, from 0. Files are decoded from their beginning
and never sought in: where a decoder lands after a jump depends on key frames and time stamps. Frames that are asked
for in order, even by several threads at once, are decoded once; a step back decodes from the beginning again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.io.quiet_opencv import quiet_opencv
from bustle.io.raster import MAX_PIXELS, MIN_SIDE

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
"""The file name endings, in lower case, that count as videos."""


_COUNTING_SUFFIXES = frozenset({".avi", ".m4v", ".mov", ".mp4"})
"""Containers whose header says how many frames there are; others only let it be estimated from the duration."""

_OPEN_VIDEOS = 4
_RECENT_FRAMES = 16
"""Decoded frames that are kept for threads which lag behind."""

_GREY_TOLERANCE = 8
"""Grey video comes out of its colour space with channels that differ by rounding."""


@dataclass(frozen=True)
class VideoSize:
    """How many frames a video has, and their size in pixels."""

    frames: int
    height: int
    width: int


def is_video(path: Path) -> bool:
    """Whether the name is a video's."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def video_size(path: Path) -> VideoSize:
    """Decode a video to its end and count.

    Raises `InputError` for a file that is missing, empty, no video, of an unknown codec, without frames, or larger
    or smaller than images may be; also where fewer frames can be decoded than an AVI, MP4 or MOV header announces:
    the file was cut short, or frames within are damaged and the numbers of all later ones would be wrong.
    """
    path = Path(path)
    with _opened(path) as video:
        height, width = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        if height * width > MAX_PIXELS or min(height, width) < MIN_SIDE:
            raise InputError(
                f"declares frames of {width} x {height} pixels",
                remedy=f"use {MIN_SIDE} pixels a side or more, and at most {MAX_PIXELS // 1_000_000} million in all",
                path=path,
            )
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        frames = 0
        while video.grab():
            frames += 1
    if frames == 0:
        raise InputError("holds no frame that can be decoded", remedy=_remedy(path), path=path)
    if frames < announced and path.suffix.lower() in _COUNTING_SUFFIXES:
        raise InputError(
            f"announces {announced} frames, of which {frames} can be decoded: it is cut short or damaged",
            remedy=_remedy(path),
            path=path,
        )
    return VideoSize(frames, height, width)


def read_video_frame(path: Path, *, number: int) -> NDArray[np.uint8]:
    """Frame `number` (from 0) as uint8 `C H W`: C = 1 if grey, else 3 (RGB).

    Raises `InputError` for a file that cannot be decoded and for a frame beyond its end.
    """
    path = Path(path)
    try:
        status = check_regular(path)
    except OSError as error:
        raise _cannot_be_read(path, error) from None
    # A forked process must not share the file position of its parent's decoders: each process has its own.
    return _decoder(path, (status.st_size, status.st_mtime_ns), os.getpid()).frame(number)


@functools.lru_cache(maxsize=_OPEN_VIDEOS)
def _decoder(path: Path, stamp: tuple[int, int], process: int) -> _Decoder:
    return _Decoder(path)


class _Decoder:
    """One open video and where it stands; used by one thread at a time."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._video: cv2.VideoCapture | None = None
        self._next = 0
        self._recent: dict[int, NDArray[np.uint8]] = {}

    def frame(self, number: int) -> NDArray[np.uint8]:
        with self._lock:
            if number not in self._recent:
                self._decode_up_to(number)
            return self._recent[number].copy()

    def _decode_up_to(self, number: int) -> None:
        if self._video is None or number < self._next:
            self._video, self._next = _open(self._path), 0
            self._recent.clear()
        while self._next <= number:
            if not self._video.grab():
                end, self._video = self._next, None
                raise InputError(
                    f"has no frame {number}, it ends after {end}", remedy=_remedy(self._path), path=self._path
                )
            if self._next > number - _RECENT_FRAMES:
                decoded, pixels = self._video.retrieve()
                if not decoded:
                    self._video = None
                    raise InputError(f"frame {number} is damaged", remedy=_remedy(self._path), path=self._path)
                self._recent[self._next] = _channels_first(np.asarray(pixels, np.uint8))
                self._recent.pop(self._next - _RECENT_FRAMES, None)
            self._next += 1


def _channels_first(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BGR `H W 3` to grey `1 H W` or RGB `3 H W`."""
    blue, green, red = cv2.split(pixels)
    if max(cv2.absdiff(green, blue).max(), cv2.absdiff(green, red).max()) <= _GREY_TOLERANCE:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)[None]
    return np.stack([red, green, blue]).astype(np.uint8)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    video = _open(path)
    try:
        yield video
    finally:
        video.release()


def _open(path: Path) -> cv2.VideoCapture:
    """Open a video with FFmpeg in one thread, which survives a fork, and without its messages on standard error."""
    try:
        if check_regular(path).st_size == 0:
            raise InputError("is empty (0 bytes)", remedy="restore the file from its source", path=path)
        with path.open("rb"):
            pass
    except OSError as error:
        raise _cannot_be_read(path, error) from None
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    with quiet_opencv():
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not video.isOpened():
        raise InputError(
            "cannot be opened as a video: it is damaged, cut short or of an unknown codec",
            remedy=_remedy(path),
            path=path,
        )
    return video


def _cannot_be_read(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot be read ({error.strerror})", remedy="check the path", path=path)


def _remedy(path: Path) -> str:
    return f"restore it from its source, or convert it: ffmpeg -i {path.name} -c:v mjpeg -q:v 2 NEW.avi"
