"""What readers say of cases: kept one after another, each knowing which one it follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from bustle.reading.redrawn_outline import Outline, PredictedImage, Redrawn, mask_of_outlines, outlines_digest
from bustle.webapp import audit_trail
from bustle.webapp.access import Person
from bustle.webapp.audit_trail import Deed
from bustle.webapp.case_detail import algorithm_of_answer, answer_info, is_answered, kept_answer, predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.messages import NewReading, Signature
from bustle.webapp.model_in_use import ModelInUse
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.tables import Case, Reading, Verdict, now

KEPT = ("verdict", "outlines", "birads", "note", "side", "clock", "nipple_mm", "answer", "model")
"""What a signature takes over from the reading that it is under."""


def redrawn_of(image: PredictedImage, outlines: Sequence[Outline], *, model: ModelInUse) -> Redrawn:
    """What a reader's outlines make of a case. Raises `InputError` for outlines that are none.

    Only the model that made the case's answer is asked again.
    """
    rule = model.predictor.rule if model.made(image.record()) else None
    return image.redrawn(mask_of(image, outlines), rule=rule)


def redrawn_by_reader(case: Case, data: DataFolder) -> Redrawn | None:
    """What the newest reading's outlines make of it, with the answer of that time; None where there are no such."""
    reading = case.reading
    if reading is None or reading.outlines is None:
        return None
    image = predicted_image(case, data)
    measured = image.redrawn(mask_of(image, as_outlines(reading.outlines)), rule=None)
    return dataclasses.replace(measured, answer=None if reading.answer is None else kept_answer(reading.answer))


def mask_of(image: PredictedImage, outlines: Sequence[Outline]) -> NDArray[np.bool_]:
    """Of the size of the image. Raises `InputError` for outlines that are none."""
    height, width = image.picture.geometry.original_size
    return mask_of_outlines(outlines, size=(height, width))


def as_outlines(stored: Sequence[Sequence[Sequence[float]]]) -> list[list[tuple[float, float]]]:
    return [[(float(x), float(y)) for x, y in outline] for outline in stored]


def add_reading(
    session: Session, case: Case, new: NewReading, person: Person, *, data: DataFolder, model: ModelInUse
) -> Redrawn | None:
    """Returns what its outlines make of the case, where it has any.

    Raises `Refusal` 409 where another reading came between, or the case is signed.
    """
    _check(case, new.version)
    check_outlines(case, new.verdict, new.outlines)
    redrawn = None if new.outlines is None else redrawn_of(predicted_image(case, data), new.outlines, model=model)
    answer = None if redrawn is None else redrawn.answer
    before = case.reading
    _add(
        session,
        case,
        Reading(
            version=new.version + 1,
            person=person.name,
            verdict=new.verdict,
            outlines=None if new.outlines is None else [[list(point) for point in line] for line in new.outlines],
            birads=new.birads,
            note=new.note,
            side=new.side,
            clock=new.clock,
            nipple_mm=new.nipple_mm,
            answer=None if answer is None else answer_info(answer).model_dump(),
            model=algorithm_of_answer(case, data).answers_sha256,
        ),
    )
    _note(session, case, before, person, "case read")
    return redrawn


def sign(session: Session, case: Case, signature: Signature, person: Person) -> None:
    """The newest reading once more, with a name under it. Raises `Refusal` 409 as `add_reading` does."""
    _check(case, signature.version)
    last = case.reading
    assert last is not None  # a signature's version is at least 1
    kept = {name: getattr(last, name) for name in KEPT}
    signed = {"reader": name_under(signature.reader, person), "signed": now()}
    _add(session, case, Reading(version=signature.version + 1, person=person.name, **kept, **signed))
    _note(session, case, last, person, "reading signed")


def check_outlines(case: Case, verdict: Verdict, outlines: Sequence[Outline] | None) -> None:
    if case.kind == "volume" and verdict == "corrected":
        raise Refusal(Why.VOLUME_OUTLINES)
    if (verdict == "corrected") != (outlines is not None):
        raise Refusal(Why.OUTLINES_OR_NONE)


def name_under(written: str | None, person: Person) -> str:
    """Whoever has an account signs with its name, and only the owner with one that is written."""
    if person.full_name is not None:
        if written not in (None, person.full_name):
            raise Refusal(Why.OTHER_NAME, name=person.full_name)
        return person.full_name
    if written is None:
        raise Refusal(Why.NAME_MISSING)
    return written.strip()


def _note(session: Session, case: Case, before: Reading | None, person: Person, deed: Deed) -> None:
    """What a reading was before and is after, without its words, which may name a patient."""
    after = case.reading
    assert after is not None
    audit_trail.note(
        session, person.name, deed, case=case.id, model=after.model, before=_told(before), after=_told(after)
    )


def _told(reading: Reading | None) -> dict[str, object] | None:
    if reading is None:
        return None
    lines = reading.outlines
    return {
        "version": reading.version,
        "verdict": reading.verdict,
        "birads": reading.birads,
        "location": [reading.side, reading.clock, reading.nipple_mm],
        "outlines": None if lines is None else outlines_digest(as_outlines(lines)),
        "decision": None if reading.answer is None else reading.answer.get("decision"),
    }


def _check(case: Case, version: int) -> None:
    if not is_answered(case):
        raise Refusal(Why.NOT_FOR_READING)
    if case.version != version:
        raise Refusal(Why.CHANGED)
    if case.reading is not None and case.reading.signed is not None:
        raise Refusal(Why.SIGNED)


def _add(session: Session, case: Case, reading: Reading) -> None:
    """The database refuses a second reading of one version, and one of a deleted case, whoever was faster."""
    reading.made = now()
    case.readings.append(reading)
    case.version = reading.version
    try:
        session.flush()
    except (IntegrityError, StaleDataError):
        session.rollback()
        raise Refusal(Why.CHANGED) from None
