"""Deleting cases: their rows in one transaction, and their files once no row tells of them any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bustle.jobs.ledger import Jobs
from bustle.webapp.access import Person
from bustle.webapp.audit_trail import note
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.dropped_file import is_spent
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.roles import covers
from bustle.webapp.tables import Case, DroppedFile


@dataclass(frozen=True)
class Deleted:
    """Of `cases` and dropped `files` (drop, stored name) there are no rows any more."""

    cases: tuple[str, ...]
    files: tuple[tuple[str, str], ...]

    def remove_files(self, data: DataFolder) -> None:
        """To be called when the transaction is done: a failure before leaves the cases whole."""
        for case in self.cases:
            data.remove_case(case)
        for drop, stored in self.files:
            data.remove_upload(drop, stored)


def delete_rows(session: Session, cases: Sequence[Case], person: Person, *, jobs: Jobs) -> Deleted:
    """Raises `Refusal` 403 for a signed case, unless an admin asks; 409 while its drop is still being read."""
    files: dict[str, DroppedFile] = {}
    for case in cases:
        is_signed = any(reading.signed is not None for reading in case.readings)
        if is_signed and not covers(person.role, "admin"):
            raise Refusal(Why.ADMIN_DELETES)
        job = jobs.state(case.drop_id)
        if job is not None and job.state in ("waiting", "running"):
            raise Refusal(Why.BEING_READ)
        # Two who delete cases of one file at once wait for each other: it remembers both.
        file = session.get_one(DroppedFile, case.file_id, with_for_update=True)
        note(session, person.name, "case deleted", case=case.id, version=case.version, signed=is_signed)
        session.delete(case)
        if case.frame is None:
            file.deleted = [*file.deleted, case.id]
        files[file.id] = file
    session.flush()
    spent = [file for file in files.values() if is_spent(session, file)]
    for file in spent:
        session.delete(file)
    return Deleted(cases=tuple(case.id for case in cases), files=tuple((file.drop_id, file.stored) for file in spent))
