"""All that is kept of a person, or of one case, as one archive to hand over."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Sequence

from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.core.files import compact_json
from bustle.webapp.access import Person
from bustle.webapp.account_messages import AuditLine
from bustle.webapp.archive_response import archive_of
from bustle.webapp.audit_trail import note
from bustle.webapp.case_detail import detail, reading_info
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.tables import AuditEvent, Case, DroppedFile


def personal_data(session: Session, cases: Sequence[Case], person: Person, *, data: DataFolder) -> FileResponse:
    """A ZIP archive with a folder for each case, and the dropped files that show nobody else."""
    for case in cases:
        note(session, person.name, "personal data exported", case=case.id, version=case.version)
    session.flush()

    def write(archive: zipfile.ZipFile) -> None:
        for case in cases:
            _add_case(archive, session, case, data=data)
        for file in _own_files(session, cases):
            stored = data.upload(file.drop_id, file.stored)
            if stored.is_file():
                archive.write(stored, f"dropped/{file.stored}")

    return archive_of(write, name="bustle-data.zip")


def _add_case(archive: zipfile.ZipFile, session: Session, case: Case, *, data: DataFolder) -> None:
    place = f"cases/{case.id}"
    told = detail(case, data, measured=None)
    readings = [reading_info(one).model_dump(mode="json") for one in case.readings]
    lines = select(AuditEvent).where(AuditEvent.case_id == case.id).order_by(AuditEvent.id)
    audit = [AuditLine.of(one).model_dump(mode="json") for one in session.scalars(lines)]
    archive.writestr(f"{place}/case.json", told.model_dump_json(indent=1))
    archive.writestr(f"{place}/readings.json", compact_json(readings))
    archive.writestr(f"{place}/audit.json", compact_json(audit))
    root = data.case(case.id).path
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        archive.write(file, f"{place}/{file.relative_to(root).as_posix()}")


def _own_files(session: Session, cases: Sequence[Case]) -> list[DroppedFile]:
    """Those that hold these cases and nothing else: an archive may show several people.

    What of a file is not read yet, or was deleted, may be anybody's.
    """
    counts = Counter(case.file_id for case in cases if case.frame is None)
    files = session.scalars(select(DroppedFile).where(DroppedFile.id.in_(counts)))
    return [file for file in files if file.expected == counts[file.id] and not file.deleted]
