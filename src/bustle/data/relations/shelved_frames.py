"""Features of many frames in a temporary file: those of ten thousand frames are 2.5 GB."""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bustle.core.errors import InputError
from bustle.core.files import write_error
from bustle.data.relations.frame_features import FrameFeatures


class Frames(Protocol):
    """Frames by number, such as a list of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> FrameFeatures: ...
    def __iter__(self) -> Iterator[FrameFeatures]: ...


class ShelvedFrames:
    """Frames by case id, in a file that goes with this object; `of` gives some of them by number. Threads may read.

    Only this process reads what it wrote, so that pickles are safe here.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (open for as long as this object is there)
        self._lock = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0

    def put(self, case_id: str, frame: FrameFeatures) -> None:
        """Raises `InputError` where the temporary folder is full."""
        packed = pickle.dumps(frame, protocol=5)
        with self._lock:
            try:
                self._file.seek(self._end)
                self._file.write(packed)
                self._file.flush()
            except OSError as error:
                told = write_error(Path(tempfile.gettempdir()), error)
                raise InputError(
                    told.problem, remedy=f"{told.remedy}; TMPDIR names another folder", path=told.path
                ) from error
            self._places[case_id] = (self._end, len(packed))
            self._end += len(packed)

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._places

    def get(self, case_id: str) -> FrameFeatures:
        start, length = self._places[case_id]
        with self._lock:
            self._file.seek(start)
            packed = self._file.read(length)
        return pickle.loads(packed)

    def of(self, case_ids: list[str]) -> Frames:
        """The frames of these cases in their order, read anew each time."""
        return _ChosenFrames(self, case_ids)


class _ChosenFrames:
    def __init__(self, shelf: ShelvedFrames, case_ids: list[str]) -> None:
        self._shelf, self._case_ids = shelf, case_ids

    def __len__(self) -> int:
        return len(self._case_ids)

    def __getitem__(self, number: int, /) -> FrameFeatures:
        return self._shelf.get(self._case_ids[number])

    def __iter__(self) -> Iterator[FrameFeatures]:
        return map(self._shelf.get, self._case_ids)
