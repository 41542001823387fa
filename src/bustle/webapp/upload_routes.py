"""The part of the API that takes large files in parts: after a lost connection a sender goes on where it was."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from bustle.webapp.access import AtLeast
from bustle.webapp.drop_routes import BINARY, add_row, file_info, open_drop
from bustle.webapp.messages import NewUpload, Problem, UploadInfo
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.resumable import PartialFile
from bustle.webapp.server import CurrentServer, Server
from bustle.webapp.tables import DroppedFile
from bustle.webapp.uploads import own_name

router = APIRouter(
    prefix="/api/drops/{drop_id}/uploads",
    tags=["drops"],
    responses={code: {"model": Problem} for code in (401, 403, 404, 409, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)


@router.post("", status_code=201, responses={413: {"model": Problem}})
def begin_upload(drop_id: str, new: NewUpload, server: CurrentServer) -> UploadInfo:
    """Announce a file; then send its bytes, in as many requests as it takes."""
    with server.sessions() as session:
        open_drop(session, drop_id)
    if new.size > server.settings.most_bytes:
        raise Refusal(Why.TOO_LARGE, most=round(server.settings.most_bytes / 1e6))
    begun = PartialFile.begin(
        server.data.parts(drop_id), secrets.token_hex(8), name=own_name(new.name), size=new.size
    )
    return UploadInfo(id=begun.id, size=begun.size, sent=0, file=None)


@router.get("/{upload_id}")
def show_upload(drop_id: str, upload_id: str, server: CurrentServer) -> UploadInfo:
    """How much of it has arrived."""
    with server.sessions() as session:
        file = _finished(session, drop_id, upload_id)
        if file is not None:
            return _info(file)
    begun = PartialFile.find(server.data.parts(drop_id), upload_id)
    return UploadInfo(id=upload_id, size=begun.size, sent=begun.sent, file=None)


@router.patch("/{upload_id}", openapi_extra=BINARY, responses={413: {"model": Problem}})
async def go_on(
    drop_id: str,
    upload_id: str,
    request: Request,
    server: CurrentServer,
    offset: Annotated[int, Header(alias="Upload-Offset", ge=0, le=2**53)],
) -> UploadInfo:
    """Send what follows the first `Upload-Offset` bytes; with the last one the file is there.

    409 where another number has arrived, which the answer's header `Upload-Offset` tells, or the drop is being read.
    """
    with server.sessions() as session:
        file = _finished(session, drop_id, upload_id)
        if file is not None:
            return _info(file)
        open_drop(session, drop_id)
    begun = PartialFile.find(server.data.parts(drop_id), upload_id)
    await begun.append(request.stream(), offset=offset)
    if begun.sent < begun.size:
        return UploadInfo(id=upload_id, size=begun.size, sent=begun.sent, file=None)
    return await run_in_threadpool(_finish, begun, drop_id, server)


def _finish(begun: PartialFile, drop_id: str, server: Server) -> UploadInfo:
    done = begun.finish()
    server.data.keep(begun.place)
    with server.sessions.begin() as session:
        file = session.get(DroppedFile, begun.id)
        if file is None:
            drop = open_drop(session, drop_id)
            file = add_row(drop, begun.id, name=begun.name, stored=begun.place.name, done=done)
        info = _info(file)
    begun.forget()
    return info


def _finished(session: Session, drop_id: str, upload_id: str) -> DroppedFile | None:
    file = session.get(DroppedFile, upload_id)
    return file if file is not None and file.drop_id == drop_id else None


def _info(file: DroppedFile) -> UploadInfo:
    return UploadInfo(id=file.id, size=file.size, sent=file.size, file=file_info(file))
