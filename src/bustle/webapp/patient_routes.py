"""The part of the API about patients: finding all of a person's cases, handing them over, and deleting them."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.io.dicom.pseudonyms import pseudonym, salted_with
from bustle.webapp.access import AtLeast, CurrentPerson
from bustle.webapp.archive_response import ARCHIVE
from bustle.webapp.audit_trail import note
from bustle.webapp.deletion import delete_rows
from bustle.webapp.messages import PatientCases, PatientNumber, Problem
from bustle.webapp.personal_data import personal_data
from bustle.webapp.pseudonym_salt import page_salt
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, CurrentSession
from bustle.webapp.tables import Case

router = APIRouter(
    prefix="/api/patients",
    tags=["patients"],
    responses={code: {"model": Problem} for code in (401, 403, 404, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)


@router.post("/find")
def find_patient(asked: PatientNumber, session: CurrentSession, server: CurrentServer) -> PatientCases:
    """Whose number it is. It stands in the body, because addresses end in logs."""
    with salted_with(page_salt(server.data)):
        patient = pseudonym(asked.number.strip(), kind="patient")
    return PatientCases(patient=patient, cases=[case.id for case in _cases_of(session, patient)])


@router.get("/{patient}/data", response_class=FileResponse, responses=ARCHIVE)
def take_patients_data(
    patient: str, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> FileResponse:
    """All that is kept of a person, as a ZIP archive; an archive that also shows others is left out of it."""
    return personal_data(session, _cases_of(session, patient), person, data=server.data)


@router.delete(
    "/{patient}", status_code=204, responses={409: {"model": Problem}}, dependencies=[Depends(AtLeast("admin"))]
)
def delete_patient(patient: str, server: CurrentServer, person: CurrentPerson) -> None:
    """Delete all cases of a person, signed ones too, with their readings and files: all of them or none.

    409 while a drop with one of them is still being read.
    """
    with server.sessions.begin() as session:
        deleted = delete_rows(session, _cases_of(session, patient), person, jobs=server.jobs)
        note(session, person.name, "patient deleted", cases=list(deleted.cases))
    deleted.remove_files(server.data)


def _cases_of(session: Session, patient: str) -> list[Case]:
    cases = list(session.scalars(select(Case).where(Case.patient == patient).order_by(Case.made, Case.id)))
    if not cases:
        raise Refusal(Why.NO_PATIENT)
    return cases
