"""The sizes of video files, remembered by content: to count its frames, a video must be decoded to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.data.case_pass import each
from bustle.data.content_hashes import content_hashes
from bustle.io.video import VideoSize, video_size


def video_sizes(files: Sequence[Path]) -> dict[Path, VideoSize]:
    """The size of every video; raises `InputError` for the first that cannot be decoded to its end."""
    hashes = content_hashes(files)
    index = cache_directory() / "video-sizes.json"
    known = _read_index(index)
    unknown = [file for file in hashes if hashes[file] not in known]
    if unknown:
        counted = each(unknown, video_size, description="counting frames", unit="video")
        known |= {hashes[file]: size for file, size in zip(unknown, counted, strict=True)}
        with contextlib.suppress(InputError):  # not to remember costs time, nothing else
            write_json(index, {digest: astuple(size) for digest, size in (_read_index(index) | known).items()})
    return {file: known[digest] for file, digest in hashes.items()}


def _read_index(path: Path) -> dict[str, VideoSize]:
    """What is remembered; a damaged index is forgotten."""
    try:
        return {str(digest): VideoSize(*map(int, size)) for digest, size in read_json(path).items()}
    except (InputError, AttributeError, TypeError, ValueError):
        return {}
