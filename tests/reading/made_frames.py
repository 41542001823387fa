"""Records of frames made by hand."""

from __future__ import annotations

from bustle.core.answer import Answer
from bustle.inference.prediction_record import BoxRecord
from bustle.reading.frame_record import FrameRecord, SeenLesion


def lesion(area: int = 40, *, left: int = 20, at_edge: bool = False, probability: float = 0.9) -> SeenLesion:
    """A bar ten pixels high, `area` // 10 wide."""
    box = BoxRecord(10, left, 20, left + area // 10)
    size = {"area": float(area), "long_axis": 10.0, "short_axis": area / 10}
    return SeenLesion(**size, probability=probability, at_edge=at_edge, box=box, runs=(0, area))


def frame(number: int, malignant: float | None, *lesions: SeenLesion, normal: float = 0.0) -> FrameRecord:
    """What a rule that is sure from 0.7 on says; None is no breast ultrasound."""
    if malignant is None:
        answer = Answer(decision="no breast ultrasound", probabilities={}, possible=())
        return FrameRecord(frame=number, decision=answer.decision, answer=answer)
    probabilities = {"benign": 1 - malignant - normal, "malignant": malignant, "normal": normal}
    if normal > 0.7:
        answer = Answer(decision="no lesion", probabilities=probabilities, possible=("normal",))
    else:
        classes = ("benign",) * (malignant < 0.7) + ("malignant",) * (malignant > 0.3)
        word = classes[0] if len(classes) == 1 else "refer"
        answer = Answer(decision=word, probabilities=probabilities, possible=classes)  # type: ignore[arg-type]
    return FrameRecord(frame=number, decision=answer.decision, answer=answer, lesions=lesions)
