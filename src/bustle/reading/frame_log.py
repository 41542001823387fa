"""The records of a clip's frames on the disk: one line each, appended as the frames are done.

The first line says of which clip and by which model. A killed writer may leave its last line cut short; it is dropped
and its frame done again. So each frame stands there exactly once, in the order of the clip.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import compact_json, remove_file, write_error, write_text
from bustle.core.model_provenance import ModelProvenance
from bustle.reading.frame_record import FrameRecord

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class LogHeader:
    """`input_sha256` stands for the clip's content, `frames` counts them; areas are in the square of `unit`."""

    clip: str
    frames: int
    unit: Literal["mm", "px"]
    input_sha256: str
    provenance: ModelProvenance

    def continues(self, other: LogHeader) -> bool:
        """Whether it is of the same clip, read by the same model."""
        same = (self.clip, self.frames, self.unit, self.input_sha256)
        return same == (other.clip, other.frames, other.unit, other.input_sha256) and (
            self.provenance.same_answers_as(other.provenance)
        )


class FrameLog:
    """The file `frames.jsonl` of one clip, of which this process is the only writer."""

    def __init__(self, path: Path, header: LogHeader, *, numbers: Sequence[int]):
        """`numbers` are the frames in their order."""
        self.path = path
        self._header = header
        self._numbers = tuple(numbers)

    def done(self) -> int:
        """How many frames this model has read of this clip, up to the first unreadable; 0 of another's file."""
        try:
            if not read_header(self.path).continues(self._header):
                return 0
            count = 0
            for place, record in enumerate(read_frames(self.path)):
                if place >= len(self._numbers) or record.frame != self._numbers[place]:
                    return 0
                if record.problem is not None:
                    return count
                count += 1
        except InputError:
            return 0
        return count

    def begin(self) -> None:
        """Start anew. Raises `InputError` where that is not possible."""
        remove_file(self.path)
        write_text(self.path, compact_json(to_mapping(self._header)))

    def keep(self, frames: int) -> None:
        """Remove what follows the records of so many frames."""
        try:
            with self.path.open("r+b") as stream:
                end = sum(len(line) for line in itertools.islice(stream, 1 + frames))
                stream.truncate(end)
        except OSError as error:
            raise write_error(self.path, error) from error

    def append(self, records: Sequence[FrameRecord]) -> None:
        """Add frames; they are on the disk when it returns. Raises `InputError` where they cannot be written."""
        lines = "".join(compact_json(to_mapping(record)) for record in records)
        try:
            with self.path.open("ab") as stream:
                stream.write(lines.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise write_error(self.path, error) from error


def read_header(path: Path) -> LogHeader:
    """Raises `InputError` for a file that is missing or none of these."""
    line = next(_lines(path), None)
    if line is None:
        raise InputError("holds no frames", remedy="predict this clip again", path=path)
    return _parsed(LogHeader, line, path=path)


def read_frames(path: Path) -> Iterator[FrameRecord]:
    """The records in the order of the frames, one in memory at a time; a last line that is cut short is none.

    Raises `InputError` for a file that is missing or damaged.
    """
    lines = _lines(path)
    next(lines, None)
    for line in lines:
        yield _parsed(FrameRecord, line, path=path)


class StoredFrames(Mapping[int, FrameRecord]):
    """The records of a clip by the numbers of their frames, each read when it is asked for.

    Raises `InputError` for a file that is missing or damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        self._starts: dict[int, int] = {}
        start = 0
        for place, line in enumerate(_lines(path)):
            if place > 0:
                self._starts[_parsed(FrameRecord, line, path=path).frame] = start
            start += len(line)

    def __getitem__(self, frame: int) -> FrameRecord:
        start = self._starts[frame]
        try:
            with self.path.open("rb") as stream:
                stream.seek(start)
                line = stream.readline()
        except OSError as error:
            raise _unreadable(self.path, error) from None
        return _parsed(FrameRecord, line, path=self.path)

    def __iter__(self) -> Iterator[int]:
        return iter(self._starts)

    def __len__(self) -> int:
        return len(self._starts)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            yield from (line for line in stream if line.endswith(b"\n"))
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot be read ({error.strerror})", remedy="predict this clip again", path=path)


def _parsed(kind: type[Record], line: bytes, *, path: Path) -> Record:
    try:
        return from_mapping(kind, json.loads(line), where="frame")
    except ValueError:
        raise InputError("has a damaged line", remedy="predict this clip again", path=path) from None
    except InputError as error:
        error.path = path
        raise
