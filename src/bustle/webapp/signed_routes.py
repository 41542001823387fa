"""The part of the API that gives all signed cases: to train with, to look at elsewhere."""

from __future__ import annotations

import zipfile

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from bustle.webapp.access import AtLeast, CurrentPerson
from bustle.webapp.archive_response import ARCHIVE, archive_of
from bustle.webapp.audit_trail import note
from bustle.webapp.messages import Problem
from bustle.webapp.server import CurrentServer, CurrentSession
from bustle.webapp.signed_cases import SignedExport, write_signed

router = APIRouter(
    prefix="/api/signed",
    tags=["signed cases"],
    responses={code: {"model": Problem} for code in (401, 403, 422)},
    dependencies=[Depends(AtLeast("reviewer"))],
)


@router.get("/{kind}", response_class=FileResponse, responses=ARCHIVE)
def export_signed(
    kind: SignedExport, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> FileResponse:
    """All signed images with what their readers say, as a ZIP archive.

    `manifest`: pictures, masks and a table, as `bustle train --data app:FOLDER` takes them; `coco`: pictures and
    annotations.json; `seg`: DICOM Segmentations of the DICOM images. No name of a file or a patient is in them.
    `left_out.csv` names the cases whose files are damaged, where there are any.
    """

    def write(archive: zipfile.ZipFile) -> None:
        done = write_signed(archive, kind, session, server.data)
        note(session, person.name, "signed cases exported", kind=kind, cases=done.cases, left_out=list(done.left_out))

    return archive_of(write, name=f"bustle-signed-{kind}.zip")
