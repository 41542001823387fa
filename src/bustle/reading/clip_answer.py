"""From the records of a clip's frames to its lesions and its one answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bustle.inference.decision import MALIGNANT
from bustle.reading.frame_record import FrameRecord, SeenLesion
from bustle.reading.tracking import LesionTracker, Tracking
from bustle.reading.verdict import NO_ULTRASOUND, Opinion, Verdict, nothing_seen, verdict_of


@dataclass(frozen=True, kw_only=True)
class LesionSighting:
    """A lesion in one frame; `malignant` is the frame's probability, None of a model that has none."""

    frame: int
    area: float
    malignant: float | None


@dataclass(frozen=True, kw_only=True)
class BestFrame:
    """The frame that shows a lesion best, `why`, and how large the lesion is there."""

    frame: int
    why: str
    area: float
    long_axis: float
    short_axis: float


@dataclass(frozen=True, kw_only=True)
class ClipLesion:
    """A lesion along a clip.

    `verdict` is of the frames in which it is the largest lesion, or of all its frames where it never is
    (`verdict_shared`): a model answers about a frame, and looks at the largest lesion there. It is None for a model
    that does not tell benign from malignant. `sightings` are its frames in their order.
    """

    number: int
    verdict: Verdict | None
    verdict_shared: bool
    best: BestFrame
    median_area: float
    maximum_area: float
    sightings: tuple[LesionSighting, ...]


@dataclass(frozen=True, kw_only=True)
class UnreadFrame:
    frame: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class ClipAnswer:
    """One answer about a clip of `frames` frames, and what it comes from.

    `verdict` is that of the most urgent lesion, `decided_by`; of a clip without lesions that of its frames, where
    `decided_by` is None. Areas are in the square of `unit`. `other_frames` show no breast ultrasound.
    """

    name: str
    frames: int
    unit: Literal["mm", "px"]
    verdict: Verdict | None
    decided_by: int | None
    lesions: tuple[ClipLesion, ...]
    other_frames: int
    unread: tuple[UnreadFrame, ...]

    def __post_init__(self) -> None:
        if self.decided_by is None:
            return
        deciding = next((lesion for lesion in self.lesions if lesion.number == self.decided_by), None)
        if deciding is None or deciding.verdict != self.verdict:
            raise ValueError("the clip's verdict must be that of the lesion which decides it")


class _Following:
    """What is kept of one lesion while its clip is read: a few numbers a frame."""

    def __init__(self) -> None:
        self.sightings: list[LesionSighting] = []
        self.opinions: list[Opinion] = []
        self.own_opinions: list[Opinion] = []
        self._best: tuple[bool, float] | None = None
        self._best_frame = 0
        self._best_lesion: SeenLesion | None = None

    def see(self, record: FrameRecord, lesion: SeenLesion, *, is_largest: bool) -> None:
        opinion = Opinion.of(record)
        malignant = record.probabilities.get(MALIGNANT)
        self.sightings.append(LesionSighting(frame=record.frame, area=lesion.area, malignant=malignant))
        if opinion is not None:
            self.opinions.append(opinion)
            if is_largest:
                self.own_opinions.append(opinion)
        quality = (not lesion.at_edge, lesion.area)
        if self._best is None or quality > self._best:
            self._best, self._best_frame, self._best_lesion = quality, record.frame, lesion

    def lesion(self, number: int, *, clip_frames: int) -> ClipLesion:
        asked = self.own_opinions or self.opinions
        areas = [sighting.area for sighting in self.sightings]
        return ClipLesion(
            number=number,
            verdict=verdict_of(asked, seen=len(self.sightings), clip_frames=clip_frames),
            verdict_shared=bool(self.opinions) and not self.own_opinions,
            best=self._best_of_all(),
            median_area=median(areas),
            maximum_area=max(areas),
            sightings=tuple(self.sightings),
        )

    def _best_of_all(self) -> BestFrame:
        lesion = self._best_lesion
        assert lesion is not None
        whole = "its largest outline that is not cut off by the edge"
        cut_off = "its largest outline; the edge cuts it off in every frame"
        return BestFrame(
            frame=self._best_frame,
            why=cut_off if lesion.at_edge else whole,
            area=lesion.area,
            long_axis=lesion.long_axis,
            short_axis=lesion.short_axis,
        )


def follow_lesions(
    records: Iterable[FrameRecord],
    *,
    tracking: Tracking = Tracking(),  # noqa: B008  (it is frozen)
) -> Iterator[tuple[FrameRecord, tuple[int, ...]]]:
    """Each record, in the order of the frames, and the numbers of its lesions."""
    tracker = LesionTracker(tracking)
    for record in records:
        unread = record.problem is not None
        yield record, () if unread else tracker.follow(record.frame, [lesion.mask for lesion in record.lesions])


def answer_clip(
    records: Iterable[FrameRecord],
    *,
    name: str,
    unit: Literal["mm", "px"],
    tracking: Tracking = Tracking(),  # noqa: B008  (it is frozen)
) -> ClipAnswer:
    """Follow the lesions through the records, which come in the order of the frames and are read once."""
    followed: dict[int, _Following] = {}
    unread: list[UnreadFrame] = []
    without: list[Opinion] = []
    frames = others = 0
    for record, numbers in follow_lesions(records, tracking=tracking):
        frames += 1
        if record.problem is not None:
            unread.append(UnreadFrame(frame=record.frame, problem=record.problem))
            continue
        others += record.decision == NO_ULTRASOUND
        for place, (number, lesion) in enumerate(zip(numbers, record.lesions, strict=True)):
            followed.setdefault(number, _Following()).see(record, lesion, is_largest=place == 0)
        opinion = Opinion.of(record)
        if opinion is not None and not record.lesions:
            without.append(opinion)
    lesions = tuple(following.lesion(number, clip_frames=frames) for number, following in sorted(followed.items()))
    deciding = max((lesion for lesion in lesions if lesion.verdict is not None), key=_urgency_of_lesion, default=None)
    if deciding is not None:
        verdict = deciding.verdict
    elif others > len(without):
        verdict = nothing_seen(others)
    else:
        verdict = None if lesions else verdict_of(without)
    return ClipAnswer(
        name=name,
        frames=frames,
        unit=unit,
        verdict=verdict,
        decided_by=None if deciding is None else deciding.number,
        lesions=lesions,
        other_frames=others,
        unread=tuple(unread),
    )


def _urgency_of_lesion(lesion: ClipLesion) -> tuple[tuple[float, float], int]:
    assert lesion.verdict is not None
    return lesion.verdict.urgency, -lesion.number
