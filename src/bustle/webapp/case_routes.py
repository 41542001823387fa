"""The part of the API about cases: the worklist, one case, its pictures, its readings and what is taken along."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from bustle.io.raster import as_png
from bustle.webapp.access import AtLeast, CurrentPerson
from bustle.webapp.after_signing import add_addendum, add_second_reading
from bustle.webapp.archive_response import ARCHIVE
from bustle.webapp.audit_trail import note
from bustle.webapp.case_detail import (
    detail,
    explanation_layer,
    is_answered,
    measured_info,
    predicted_image,
    spread_layer,
    summary,
)
from bustle.webapp.deletion import delete_rows
from bustle.webapp.exports import export
from bustle.webapp.messages import (
    CaseDetail,
    CaseSummary,
    ExportFormat,
    Measured,
    NewAddendum,
    NewReading,
    NewSecondReading,
    OutlinesToMeasure,
    Problem,
    Responses,
    Signature,
)
from bustle.webapp.personal_data import personal_data
from bustle.webapp.readings import add_reading, redrawn_by_reader, redrawn_of, sign
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, CurrentSession, NamedCase, Server, named_case
from bustle.webapp.tables import Case, Drop, DroppedFile, Reading, SecondReading

router = APIRouter(
    prefix="/api/cases",
    tags=["cases"],
    responses={code: {"model": Problem} for code in (401, 403, 404, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)
CONFLICT: Responses = {409: {"model": Problem}}
PICTURE: Responses = {200: {"content": {"image/png": {}}}}


@router.get("")
def list_cases(session: CurrentSession, order: Literal["newest", "uncertain"] = "newest") -> list[CaseSummary]:
    """The worklist, what was dropped last first; or `uncertain` first: unsigned cases, the nearest to an even chance.

    Whoever corrects in that order teaches the next model most.
    """
    shown = (Reading.version, Reading.verdict, Reading.birads, Reading.signed)  # and no outlines
    newest = select(Case).join(Drop).options(selectinload(Case.readings).load_only(*shown, raiseload=True))
    newest = newest.options(selectinload(Case.second_readings).load_only(SecondReading.id, raiseload=True))
    newest = newest.order_by(Drop.made.desc(), Drop.id, Case.number, Case.frame.nulls_first())
    cases = list(session.scalars(newest))
    if order == "uncertain":
        cases.sort(key=_certainty)
    return [summary(case) for case in cases]


@router.get("/{case_id}")
def show_case(case: NamedCase, server: CurrentServer) -> CaseDetail:
    """All about one case."""
    return _detail(case, server)


@router.delete("/{case_id}", status_code=204, responses=CONFLICT)
def delete_case(case_id: str, server: CurrentServer, person: CurrentPerson) -> None:
    """Delete a case with its readings and files; its dropped file goes with the last case of it.

    403 for a signed case, unless an admin asks; 409 while its drop is still being read.
    """
    with server.sessions.begin() as session:
        deleted = delete_rows(session, [named_case(case_id, session)], person, jobs=server.jobs)
    deleted.remove_files(server.data)


@router.get("/{case_id}/data", response_class=FileResponse, responses=ARCHIVE)
def take_data(case: NamedCase, session: CurrentSession, server: CurrentServer, person: CurrentPerson) -> FileResponse:
    """All that is kept of a case, as a ZIP archive: its files, every reading, and its lines of the audit trail."""
    return personal_data(session, [case], person, data=server.data)


@router.get("/{case_id}/picture", response_class=FileResponse, responses=PICTURE)
def show_picture(case: NamedCase, server: CurrentServer) -> FileResponse:
    """The picture that was predicted, or the frames of a clip, as PNG."""
    return _picture(case, server.data.case(case.id).picture)


@router.get("/{case_id}/thumbnail", response_class=FileResponse, responses=PICTURE)
def show_thumbnail(case: NamedCase, server: CurrentServer) -> FileResponse:
    return _picture(case, server.data.case(case.id).thumbnail)


@router.get("/{case_id}/explanations/{number}", response_class=Response, responses=PICTURE)
def show_explanation(case: NamedCase, number: int, server: CurrentServer) -> Response:
    """An explanation's colours as PNG with transparency, to be laid over the picture."""
    layer = explanation_layer(server.data.case(case.id), case, number) if case.kind == "image" else None
    if layer is None:
        raise Refusal(Why.NO_EXPLANATION)
    return Response(as_png(layer), media_type="image/png")


@router.get("/{case_id}/spread", response_class=Response, responses={**PICTURE, **CONFLICT})
def show_spread(case: NamedCase, server: CurrentServer) -> Response:
    """How far the outline moves over flipped and smaller views, as PNG with transparency to be laid over the picture.

    409 where the model in use is not the one that made the answer, or draws nothing.
    """
    _check_image(case)
    image = predicted_image(case, server.data)
    if not server.model.made(image.record()) or not server.model.predictor.outlines:
        raise Refusal(Why.OTHER_MODEL)
    return Response(as_png(spread_layer(image, server.model.predictor)), media_type="image/png")


@router.post("/{case_id}/measure", responses=CONFLICT)
def measure(case: NamedCase, new: OutlinesToMeasure, server: CurrentServer) -> Measured:
    """What other outlines would make of measurements and answer; nothing is kept."""
    _check_image(case)
    redrawn = redrawn_of(predicted_image(case, server.data), new.outlines, model=server.model)
    return measured_info(redrawn)


@router.put("/{case_id}/reading", responses=CONFLICT)
def save_reading(
    case: NamedCase, new: NewReading, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> CaseDetail:
    """Keep what a reader says. 409 where another reading came between, or the case is signed."""
    redrawn = add_reading(session, case, new, person, data=server.data, model=server.model)
    return detail(case, server.data, measured=redrawn)


@router.post("/{case_id}/sign", responses=CONFLICT)
def sign_reading(
    case: NamedCase, signature: Signature, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> CaseDetail:
    """Sign the newest reading, which then is not changed any more."""
    sign(session, case, signature, person)
    return _detail(case, server)


@router.post("/{case_id}/addenda", responses=CONFLICT)
def write_addendum(
    case: NamedCase, new: NewAddendum, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> CaseDetail:
    """Add to what is signed. 409 for a case that is not."""
    add_addendum(session, case, new, person)
    return _detail(case, server)


@router.post("/{case_id}/second", responses=CONFLICT, dependencies=[Depends(AtLeast("reviewer"))])
def read_again(
    case: NamedCase, new: NewSecondReading, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> CaseDetail:
    """A second reading of a signed case, signed at once. 409 for whoever has read it already."""
    add_second_reading(session, case, new, person, data=server.data)
    return _detail(case, server)


@router.get("/{case_id}/export/{kind}", response_class=Response, responses=CONFLICT)
def take_along(
    case: NamedCase, kind: ExportFormat, session: CurrentSession, server: CurrentServer, person: CurrentPerson
) -> Response:
    """The newest reading, and without one the model's answer, as a file."""
    if not is_answered(case):
        raise Refusal(Why.NO_EXPORT)
    redrawn = redrawn_by_reader(case, server.data)
    told = detail(case, server.data, measured=redrawn)
    if kind not in told.exports:
        raise Refusal(Why.NO_OBJECT)
    stored = session.get_one(DroppedFile, case.file_id).stored
    made = export(case, told, kind, stored=stored, redrawn=redrawn, data=server.data)
    note(session, person.name, "case exported", case=case.id, version=case.version, kind=kind)
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.content, media_type=made.media_type, headers=headers)


def _certainty(case: Case) -> tuple[bool, float]:
    """What is signed is last, and before it what has no probability."""
    is_signed = case.reading is not None and case.reading.signed is not None
    return is_signed, 1.0 if case.malignant is None else abs(2 * case.malignant - 1)


def _detail(case: Case, server: Server) -> CaseDetail:
    return detail(case, server.data, measured=redrawn_by_reader(case, server.data))


def _picture(case: Case, path: Path) -> FileResponse:
    if case.kind == "unread":
        raise Refusal(Why.NOT_READ)
    return FileResponse(path, media_type="image/png")


def _check_image(case: Case) -> None:
    if case.kind != "image":
        raise Refusal(Why.NO_IMAGE)
