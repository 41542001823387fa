"""Answers about clips and studies in one line for people."""

from __future__ import annotations

from bustle.reading.clip_answer import ClipAnswer
from bustle.reading.study_answer import StudyAnswer
from bustle.reading.verdict import Verdict


def told_of_clip(answer: ClipAnswer) -> str:
    """Such as `malignant 0.87 (at most 0.95), lesion 1 in 34 of 120 frames, best in frame 12; 2 lesions`."""
    words = ["no answer" if answer.verdict is None else _told(answer.verdict)]
    lesion = next((lesion for lesion in answer.lesions if lesion.number == answer.decided_by), None)
    if lesion is not None:
        seen = f"lesion {lesion.number} in {len(lesion.sightings)} of {answer.frames} frames"
        words.append(f"{seen}, best in frame {lesion.best.frame}")
    count = len(answer.lesions)
    line = ", ".join(words) + (f"; {count} lesions" if count > 1 else "")
    return line + (f"; {len(answer.unread)} of {answer.frames} frames unread" if answer.unread else "")


def told_of_study(answer: StudyAnswer) -> str:
    """Such as `study 1.2: refer, as 1 of 3 say (left: refer, a lesion in 2 of 2; right: benign, a lesion in 1 of 1)`.

    A study without a name is a patient's. Of one part, and of sides that nothing tells, less is said.
    """
    name = f"study {answer.study}" if answer.study is not None else f"patient {answer.patient}"
    if answer.answer is None:
        return f"{name}: no answer"
    said = "" if len(answer.parts) == 1 else f", as {answer.answer.said_by} of {len(answer.parts)} say"
    sides = [
        f"{side.side or 'unknown side'}: {side.answer.verdict.decision}, a lesion in {side.seen_in} of {side.parts}"
        for side in answer.sides
        if side.answer is not None
    ]
    is_told = any(side.side is not None for side in answer.sides)
    return f"{name}: {answer.answer.verdict.decision}{said}" + (f" ({'; '.join(sides)})" if is_told else "")


def _told(verdict: Verdict) -> str:
    if verdict.malignant_median is None or verdict.malignant_maximum is None:
        return verdict.decision
    median, maximum = verdict.malignant_median, verdict.malignant_maximum
    if verdict.decision == "malignant":
        return f"malignant {median:.2f} (at most {maximum:.2f})"
    return f"{verdict.decision} (malignant {median:.2f}, at most {maximum:.2f})"
