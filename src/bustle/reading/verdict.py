"""One answer from the answers about many frames.

The frame with the median probability of malignant speaks: its answer is one that the model gave, so that decision,
probabilities and possible classes agree, and no single frame moves it. Two rules stand above it. What would not be
malignant is to be referred where a fifth of the frames are decided malignant, because a sweep shows a sign of
malignancy in a part of its frames only. A lesion that hardly any frame shows is a possible one, because speckle
changes from frame to frame and tissue stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bustle.core.answer import LEFT_POSSIBLE
from bustle.inference.decision import BENIGN, MALIGNANT, NORMAL
from bustle.reading.frame_record import FrameRecord

NO_ULTRASOUND = "no breast ultrasound"

MALIGNANT_SHARE = 0.2
"""From this share of malignant frames on, a case is malignant or to be referred."""

FEWEST_SEEN, FROM_FRAMES = 3, 6
"""A lesion of fewer frames is only a possible one, in clips of so many frames or more."""

URGENCY = (MALIGNANT, "refer", "lesion possible", BENIGN, "no lesion", NORMAL, NO_ULTRASOUND)
"""The decisions, the one that a reader must see first at the beginning."""

ChangedBy = Literal["malignant frames", "few frames"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One answer about a lesion, a clip, a side or a study.

    `frame` is the frame that speaks, whose are `probabilities` and, but for what `changed_by` names, `decision` and
    `possible`; `frames` have been asked. `malignant_median` and `malignant_maximum` are over these. All but the
    decision are None or empty of what is no breast ultrasound.
    """

    decision: str
    probabilities: Mapping[str, float]
    possible: tuple[str, ...]
    malignant_median: float | None
    malignant_maximum: float | None
    frame: int | None
    frames: int
    changed_by: ChangedBy | None

    def __post_init__(self) -> None:
        if self.decision == NO_ULTRASOUND:
            if self.probabilities or self.possible or self.malignant_median is not None:
                raise ValueError("of what is no breast ultrasound nothing can be said")
            return
        median, maximum = self.malignant_median, self.malignant_maximum
        if median is None or maximum is None or not 0 <= median <= maximum <= 1:
            raise ValueError("the median probability must lie between 0 and the maximum, which is at most 1")
        if self.probabilities.get(MALIGNANT) != median:
            raise ValueError("the median must be the probability of the frame that speaks")
        left_possible = {str(decision): sets for decision, sets in LEFT_POSSIBLE.items()}
        if self.possible and set(self.possible) not in left_possible.get(self.decision, ()):
            raise ValueError(f"{self.decision} is decided, and {', '.join(self.possible)} possible")

    @property
    def urgency(self) -> tuple[float, float]:
        """The greatest of several is what a reader must see first.

        What only a few frames show comes after every lesion that stays.
        """
        place = URGENCY.index(self.decision) if self.decision in URGENCY else len(URGENCY)
        if self.changed_by == "few frames":
            place = URGENCY.index(BENIGN) + 0.5
        return -place, self.malignant_median or 0.0


def nothing_seen(frames: int) -> Verdict:
    """Of frames that show no breast ultrasound."""
    return Verdict(
        decision=NO_ULTRASOUND,
        probabilities={},
        possible=(),
        malignant_median=None,
        malignant_maximum=None,
        frame=None,
        frames=frames,
        changed_by=None,
    )


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What one frame says, where it can speak of benign and malignant."""

    frame: int
    decision: str
    probabilities: Mapping[str, float]
    possible: tuple[str, ...]

    @classmethod
    def of(cls, record: FrameRecord) -> Opinion | None:
        """None of a frame without an answer, of a model that does not know malignant, and of no breast ultrasound."""
        if record.decision is None or MALIGNANT not in record.probabilities:
            return None
        possible = () if record.answer is None else record.answer.possible
        return cls(
            frame=record.frame, decision=record.decision, probabilities=record.probabilities, possible=possible
        )

    @property
    def malignant(self) -> float:
        return self.probabilities[MALIGNANT]


def verdict_of(opinions: Sequence[Opinion], *, seen: int | None = None, clip_frames: int = 1) -> Verdict | None:
    """The answer that these frames give together; None of no frames.

    Of a lesion, `seen` counts the frames that show it, of all `clip_frames`. Of an even number of frames, the one
    nearer to malignant speaks.
    """
    if not opinions:
        return None
    ranked = sorted(opinions, key=lambda opinion: (opinion.malignant, opinion.frame))
    speaking = ranked[len(ranked) // 2]
    decision, possible, changed_by = speaking.decision, set(speaking.possible), None
    share = sum(opinion.decision == MALIGNANT for opinion in opinions) / len(opinions)
    if decision not in (MALIGNANT, "refer") and share >= MALIGNANT_SHARE:
        decision, possible, changed_by = "refer", {BENIGN, MALIGNANT}, "malignant frames"
    if seen is not None and seen < FEWEST_SEEN and clip_frames >= FROM_FRAMES and decision != "lesion possible":
        decision, changed_by = "lesion possible", "few frames"
        possible = possible | {NORMAL} if possible else possible  # without a rule no frame says what is possible
    return Verdict(
        decision=decision,
        probabilities=dict(speaking.probabilities),
        possible=tuple(name for name in speaking.probabilities if name in possible),
        malignant_median=speaking.malignant,
        malignant_maximum=ranked[-1].malignant,
        frame=speaking.frame,
        frames=len(opinions),
        changed_by=changed_by,
    )
