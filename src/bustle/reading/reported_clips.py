"""What result objects say about a clip: its one answer, and its lesions as they were followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import Box
from bustle.data.relations.frame_features import to_grey
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.io.dicom.result_content import ReportedAnswer, ReportedImage, ReportedLesion
from bustle.io.dicom.source import SourceImage
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer, ClipLesion, follow_lesions
from bustle.reading.frame_log import StoredFrames, read_frames
from bustle.reading.frame_record import FrameRecord
from bustle.reading.reported_images import MOST_LESIONS
from bustle.reading.verdict import NO_ULTRASOUND, Verdict

if TYPE_CHECKING:
    from bustle.io.dicom.pictures import DicomPicture

_CHANGED_BY = {
    "malignant frames": "Referred because a fifth or more of the frames are decided malignant",
    "few frames": "Only possible because hardly any frame shows it",
}


@dataclass(frozen=True, kw_only=True)
class ReadClip:
    """A clip, its answer, and the file of its frames' records."""

    clip: Clip
    answer: ClipAnswer
    records: Path

    @property
    def picture(self) -> DicomPicture:
        """The first of its pictures, of the same field of the same file as the others."""
        assert self.clip.dicom is not None
        return self.clip.dicom


@dataclass(frozen=True)
class FollowedMasks(Mapping[int, NDArray[np.bool_]]):
    """A lesion's masks `H W` of the full frames, by frame; a clip's do not fit in memory and are read when asked for.

    `places` say which of its frames' lesions it is; `box` is where the field lies in a frame of this `size`.
    """

    frames: StoredFrames = field(repr=False)
    places: Mapping[int, int]
    box: Box
    size: tuple[int, int]

    def __getitem__(self, frame: int) -> NDArray[np.bool_]:
        whole = np.zeros(self.size, bool)
        canvas = whole[self.box.y_start : self.box.y_stop, self.box.x_start : self.box.x_stop]
        self.frames[frame].lesions[self.places[frame]].mask.draw(canvas)
        return whole

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def reported_clip(source: SourceImage, clips: Sequence[ReadClip]) -> ReportedImage:
    """All that the clips of one file's fields say of it; the most urgent of their answers is the file's.

    Lesions bear the numbers that they have in `clip.json`; of many, the most urgent and largest are kept. Raises
    `InputError` where no frame could be read, or the file has gone meanwhile.
    """
    frames = {each.clip.name: StoredFrames(each.records) for each in clips}
    ranked = sorted(
        ((_rank(lesion), each, lesion) for each in clips for lesion in each.answer.lesions),
        key=lambda found: found[0],
        reverse=True,
    )
    kept: dict[str, list[ClipLesion]] = {}
    for _, each, lesion in ranked[:MOST_LESIONS]:
        kept.setdefault(each.clip.name, []).append(lesion)
    lesions = [
        made
        for each in clips
        for made in _lesions(each, kept.get(each.clip.name, []), frames[each.clip.name], size=source.size)
    ]
    deciding = max(clips, key=lambda each: (-99, 0.0) if each.answer.verdict is None else each.answer.verdict.urgency)
    answer = reported_answer(deciding, frames[deciding.clip.name])
    if len(clips) > 1:
        told = f"This is the answer about field {deciding.picture.field.number}, the more urgent one"
        answer = replace(answer, remarks=(*answer.remarks, told))
    return ReportedImage(source=source, answer=answer, lesions=tuple(lesions))


def _rank(lesion: ClipLesion) -> tuple[tuple[float, float], float]:
    return ((-99, 0.0) if lesion.verdict is None else lesion.verdict.urgency), lesion.maximum_area


def _lesions(
    read: ReadClip, kept: Sequence[ClipLesion], frames: StoredFrames, *, size: tuple[int, int]
) -> Iterator[ReportedLesion]:
    places: dict[int, dict[int, int]] = {}
    for record, numbers in follow_lesions(read_frames(read.records)):
        for place, number in enumerate(numbers):
            places.setdefault(number, {})[record.frame] = place
    picture = read.picture
    for lesion in sorted(kept, key=lambda lesion: lesion.number):
        best, of_frames = lesion.best.frame, places[lesion.number]
        described = _described(read.clip, frames[best], place=of_frames[best])
        yield ReportedLesion(
            number=lesion.number,
            field=picture.field.number if picture.fields > 1 else None,
            masks=FollowedMasks(frames, of_frames, picture.field.box, size),
            measured_frame=best,
            certainty=frames[best].lesions[of_frames[best]].probability,
            suspected=lesion.verdict is not None and lesion.verdict.decision == "lesion possible",
            touches_edge=described.touches_edge,
            unit=read.clip.unit,
            measured=described.values(),
            words=described.words.by_name(),
        )


def _described(clip: Clip, record: FrameRecord, *, place: int) -> LesionDescriptors:
    """A frame's lesion measured on the pixels; the order is that of the record, the largest first."""
    image, _ = clip.frame(record.frame)
    parts = np.zeros(image.shape[1:], np.int32)
    for number, lesion in enumerate(record.lesions, start=1):
        canvas = np.zeros(parts.shape, bool)
        lesion.mask.draw(canvas)
        parts[canvas] = number
    return describe_lesions(to_grey(image), parts, spacing=clip.spacing)[place]


def reported_answer(read: ReadClip, frames: StoredFrames) -> ReportedAnswer:
    """The one answer about a clip, and the frame that speaks for it. Raises `InputError` where none could be read."""
    verdict = read.answer.verdict
    record = frames[_speaking_frame(read, frames)]
    answer = record.answer
    return ReportedAnswer(
        frame=record.frame,
        decision=record.decision if verdict is None else verdict.decision,
        probabilities=record.probabilities if verdict is None else verdict.probabilities,
        calibrated=answer is not None,
        possible=() if verdict is None else verdict.possible,
        moved_by=() if answer is None else tuple(str(moved) for moved in answer.moved_by),
        remarks=(*record.remarks, *_about_the_clip(read.answer)),
    )


def _speaking_frame(read: ReadClip, frames: StoredFrames) -> int:
    """The verdict's frame; where it has none, the first of its kind or the best of the largest lesion."""
    verdict = read.answer.verdict
    if verdict is not None and verdict.frame is not None:
        return verdict.frame
    if read.answer.lesions:
        return max(read.answer.lesions, key=lambda lesion: lesion.maximum_area).best.frame
    decision = NO_ULTRASOUND if verdict is not None else None
    for number, record in frames.items():
        if record.problem is None and decision in (None, record.decision):
            return number
    raise InputError(
        "holds no frame that can be read, so that no result object tells of it",
        remedy="fetch it again from where it is kept, or leave it out",
        path=read.clip.at_fault,
    )


def _about_the_clip(answer: ClipAnswer) -> Iterator[str]:
    verdict = answer.verdict
    if verdict is not None and verdict.frame is not None:
        yield _told(verdict, lesion=answer.decided_by)
        if verdict.changed_by is not None:
            yield _CHANGED_BY[verdict.changed_by]
    if answer.unread:
        yield f"{len(answer.unread)} of {answer.frames} frames could not be read"


def _told(verdict: Verdict, *, lesion: int | None) -> str:
    shown = "" if lesion is None else f" that show lesion {lesion}"
    return (
        f"Frame {verdict.frame} has the median probability of malignant of {verdict.frames} frames{shown}; "
        f"at most {verdict.malignant_maximum:.2f} in a frame"
    )
