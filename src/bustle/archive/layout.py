"""Where the answers of an archive stand: tables in Parquet, in parts that are each written at once.

`OUT/archive.json` tells of which model they are and into how many parts they are divided; `contents/` holds the
manifest's rows with the digests of their files, `answers/` a row for each lesion, or frame without one, and `masks/`
the outlined pictures. `summary.json` is written last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.claimed_output import OutputKind
from bustle.core.own_names import OwnNames
from bustle.core.run_layout import SUMMARY

SETTINGS = "archive.json"
CONTENTS, ANSWERS, MASKS = "contents", "answers", "masks"
_FILES = "part-*.parquet"
_PARTS = OwnNames(files=(_FILES,))

ARCHIVE = OutputKind(
    "predict manifest:",
    "an archive's answers",
    OwnNames((SETTINGS, SUMMARY), {CONTENTS: _PARTS, ANSWERS: _PARTS, MASKS: _PARTS}, (SETTINGS,)),
)


@dataclass(frozen=True)
class ArchiveLayout:
    path: Path

    @property
    def settings(self) -> Path:
        """Written first."""
        return self.path / SETTINGS

    @property
    def summary(self) -> Path:
        """Written last: where it stands, every part is done."""
        return self.path / SUMMARY

    def contents(self, part: int) -> Path:
        """Rows of the manifest and the digests of their files, by the rows' order."""
        return self.path / CONTENTS / _name(part)

    def content_files(self) -> list[Path]:
        """All that are there, by number.

        A list is right at once, while a network disk may go on for a while to say of a name that nothing is there.
        """
        return sorted((self.path / CONTENTS).glob(_FILES))

    def answers(self, part: int) -> Path:
        """What was said of the contents whose digests belong to this part; written after their masks."""
        return self.path / ANSWERS / _name(part)

    def answer_files(self) -> list[Path]:
        """As `content_files`."""
        return sorted((self.path / ANSWERS).glob(_FILES))

    def masks(self, part: int) -> Path:
        return self.path / MASKS / _name(part)


def digests_of(sha256: Iterable[str]) -> NDArray[np.uint8]:
    """The bytes `n 32` of digests in hexadecimal digits."""
    return np.frombuffer(bytes.fromhex("".join(sha256)), dtype=np.uint8).reshape(-1, 32)


def parts_of(digests: NDArray[np.uint8], parts: int) -> NDArray[np.integer[Any]]:
    """Where the answers about contents with the digests `n 32` stand, which depends on each alone."""
    return np.ascontiguousarray(digests[:, :4]).view(">u4")[:, 0] % np.uint32(parts)


def _name(part: int) -> str:
    return f"part-{part:06d}.parquet"
