"""What may follow a signature: an addendum by anybody who reads, and a reading of a second person."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bustle.webapp import audit_trail
from bustle.webapp.access import Person
from bustle.webapp.case_detail import predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.messages import NewAddendum, NewSecondReading
from bustle.webapp.readings import check_outlines, mask_of, name_under
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.tables import Addendum, Case, Reading, SecondReading, now


def add_addendum(session: Session, case: Case, new: NewAddendum, person: Person) -> None:
    """Raises `Refusal` 409 for a case that is not signed: its reading may still be changed."""
    _signed_reading(case)
    case.addenda.append(
        Addendum(made=now(), person=person.name, reader=name_under(new.reader, person), text=new.text.strip())
    )
    audit_trail.note(session, person.name, "addendum written", case=case.id, number=len(case.addenda))
    session.flush()


def add_second_reading(
    session: Session, case: Case, new: NewSecondReading, person: Person, *, data: DataFolder
) -> None:
    """Raises `Refusal` 409 for a case that is not signed, and for whoever has read it already."""
    first = _signed_reading(case)
    name = name_under(new.reader, person)
    if name == first.reader or (person.account is not None and person.name == first.person):
        raise Refusal(Why.FIRST_READER)
    check_outlines(case, new.verdict, new.outlines)
    if new.outlines is not None:
        mask_of(predicted_image(case, data), new.outlines)  # refuses what is no outline
    case.second_readings.append(
        SecondReading(
            made=now(),
            person=person.name,
            reader=name,
            verdict=new.verdict,
            outlines=None if new.outlines is None else [[list(point) for point in line] for line in new.outlines],
            birads=new.birads,
            note=new.note,
        )
    )
    audit_trail.note(
        session, person.name, "second reading signed", case=case.id, verdict=new.verdict, birads=new.birads
    )
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        raise Refusal(Why.READ_ALREADY) from None


def _signed_reading(case: Case) -> Reading:
    reading = case.reading
    if reading is None or reading.signed is None:
        raise Refusal(Why.NOT_SIGNED)
    return reading
