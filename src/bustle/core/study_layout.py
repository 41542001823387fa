"""Where the reading of studies and clips stands in the `--out` folder of `bustle predict`.

`OUT/{summary.json, frames.csv, contact_sheet.png}` are of all that was read, and `OUT/<clip>/{frames.jsonl,
clip.json, contact_sheet.png, outlines.webp}` of one clip; still images have the folders of predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bustle.core.run_layout import SUMMARY

FRAMES_TABLE = "frames.csv"
CONTACT_SHEET = "contact_sheet.png"
FRAME_RECORDS, CLIP_ANSWER, FILM = "frames.jsonl", "clip.json", "outlines.webp"

STUDY_FILES = (SUMMARY, FRAMES_TABLE, CONTACT_SHEET)
CLIP_FILES = (FRAME_RECORDS, CLIP_ANSWER, CONTACT_SHEET, FILM)
CLIP_SIGNED_BY = (FRAME_RECORDS,)
"""The file of a clip that is written first."""


@dataclass(frozen=True)
class ClipLayout:
    """The folder of one clip. `answer` is written last: where it stands, the other files are complete."""

    path: Path

    @property
    def records(self) -> Path:
        """A line for each frame."""
        return self.path / FRAME_RECORDS

    @property
    def answer(self) -> Path:
        return self.path / CLIP_ANSWER

    @property
    def contact_sheet(self) -> Path:
        return self.path / CONTACT_SHEET

    @property
    def film(self) -> Path:
        """The frames in motion with their outlines."""
        return self.path / FILM


@dataclass(frozen=True)
class StudyLayout:
    """The `--out` folder."""

    path: Path

    @property
    def summary(self) -> Path:
        return self.path / SUMMARY

    @property
    def frames(self) -> Path:
        """A row for each frame of every clip and for each still image of a study."""
        return self.path / FRAMES_TABLE

    @property
    def contact_sheet(self) -> Path:
        return self.path / CONTACT_SHEET
