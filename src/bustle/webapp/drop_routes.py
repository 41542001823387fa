"""The part of the API that takes files and tells how far their reading is."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from bustle.webapp.access import AtLeast, CurrentPerson
from bustle.webapp.audit_trail import note
from bustle.webapp.messages import DropInfo, DroppedFileInfo, DropState, NewDrop, Problem
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import MOST_FILES, CurrentServer, CurrentSession, Server
from bustle.webapp.tables import Case, Drop, DroppedFile, now
from bustle.webapp.uploads import Stored, own_name, store, stored_name

LONGEST_SILENCE = 15.0
"""Seconds after which a stream of events says that it is still there: what stands between may close silent ones."""

BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""Of a route that takes a file's bytes, in the description of the API."""

router = APIRouter(
    prefix="/api/drops",
    tags=["drops"],
    responses={code: {"model": Problem} for code in (401, 403, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)


@router.post("", status_code=201)
def make_drop(session: CurrentSession) -> NewDrop:
    """Begin a drop: send its files, then ask for its reading."""
    drop = Drop(id=secrets.token_hex(8), made=now(), begun=False)
    session.add(drop)
    return NewDrop(id=drop.id)


@router.post(
    "/{drop_id}/files",
    status_code=201,
    responses={404: {"model": Problem}, 409: {"model": Problem}, 413: {"model": Problem}},
    openapi_extra={
        "parameters": [
            {
                "name": "X-Filename",
                "in": "header",
                "description": "the file's own name, percent-encoded",
                "schema": {"type": "string"},
                "example": "scan%201.png",
            }
        ],
        **BINARY,
    },
)
async def add_file(drop_id: str, request: Request, server: CurrentServer) -> DroppedFileInfo:
    """Send one file as the body: an image, a DICOM file, a video, a volume or a ZIP archive of these."""
    with server.sessions() as session:
        number = len(open_drop(session, drop_id).files)
    name = own_name(unquote(request.headers.get("x-filename", "")))
    stored = stored_name(name, number=number)
    file_id = secrets.token_hex(8)
    path = server.data.drop(drop_id) / f"{file_id}-{stored}"
    done = await store(request.stream(), path, most_bytes=server.settings.most_bytes)
    try:
        await run_in_threadpool(server.data.keep, path)
        with server.sessions.begin() as session:
            file = add_row(open_drop(session, drop_id), file_id, name=name, stored=path.name, done=done)
            return file_info(file)
    except BaseException:
        path.unlink(missing_ok=True)  # no row tells of it
        raise


@router.post("/{drop_id}/read", status_code=202, responses={404: {"model": Problem}, 409: {"model": Problem}})
def read_drop(drop_id: str, server: CurrentServer, person: CurrentPerson) -> DropInfo:
    """Begin the reading of a drop whose files are all here; asked twice, it is done once."""
    with server.sessions.begin() as session:
        drop = _drop(session, drop_id)
        if not drop.files:
            raise Refusal(Why.NO_FILES)
        if not drop.begun:
            note(session, person.name, "scan dropped", drop=drop_id, sha256=[file.sha256 for file in drop.files])
        drop.begun = True
    shutil.rmtree(server.data.parts(drop_id), ignore_errors=True)
    server.jobs.submit(drop_id, {"drop": drop_id})
    return _info_of(drop_id, server)


@router.post("/{drop_id}/retry", status_code=202, responses={404: {"model": Problem}, 422: {"model": Problem}})
def retry_drop(drop_id: str, session: CurrentSession, server: CurrentServer) -> DropInfo:
    """Read a drop again whose reading has failed; what was read is kept."""
    drop = _drop(session, drop_id)
    server.jobs.retry(drop_id)
    return _info(session, drop, server)


@router.get("/{drop_id}", responses={404: {"model": Problem}})
def show_drop(drop_id: str, session: CurrentSession, server: CurrentServer) -> DropInfo:
    """How far it is, and what could not be read."""
    return _info(session, _drop(session, drop_id), server)


@router.get(
    "/{drop_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 404: {"model": Problem}},
)
def follow_drop(drop_id: str, session: CurrentSession, server: CurrentServer) -> StreamingResponse:
    """How far it is, as server-sent events: one for every change, each a `DropInfo`, the last when it has ended."""
    first = _info(session, _drop(session, drop_id), server)
    headers = {"X-Accel-Buffering": "no"}  # a proxy before this server hands on every event at once
    return StreamingResponse(_events(first, server), media_type="text/event-stream", headers=headers)


async def _events(first: DropInfo, server: Server) -> AsyncIterator[str]:
    told, info, silent_since = None, first, time.monotonic()
    while True:
        if info != told:
            yield f"data: {info.model_dump_json()}\n\n"
            told, silent_since = info, time.monotonic()
        elif time.monotonic() - silent_since > LONGEST_SILENCE:
            yield ": still there\n\n"
            silent_since = time.monotonic()
        if info.state in ("done", "failed"):
            return
        await asyncio.sleep(server.settings.poll)
        info = await run_in_threadpool(_info_of, first.id, server)


def _info_of(drop_id: str, server: Server) -> DropInfo:
    with server.sessions() as session:
        return _info(session, _drop(session, drop_id), server)


def _drop(session: Session, drop_id: str) -> Drop:
    drop = session.get(Drop, drop_id)
    if drop is None:
        raise Refusal(Why.NO_DROP)
    return drop


def open_drop(session: Session, drop_id: str) -> Drop:
    drop = _drop(session, drop_id)
    if drop.begun:
        raise Refusal(Why.DROP_BEGUN)
    if len(drop.files) >= MOST_FILES:
        raise Refusal(Why.TOO_MANY_FILES, most=MOST_FILES)
    return drop


def _info(session: Session, drop: Drop, server: Server) -> DropInfo:
    state: DropState = "open"
    reason = None
    if drop.begun:
        job = server.jobs.state(drop.id)
        state, reason = ("waiting", None) if job is None else (job.state, job.reason)
    counts = [file.expected for file in drop.files]
    read = select(func.count()).select_from(Case).where(Case.drop_id == drop.id, Case.frame.is_(None))
    cases = session.scalar(read) or 0
    return DropInfo(
        id=drop.id,
        state=state,
        done=cases + sum(len(file.deleted) for file in drop.files),
        total=None if None in counts else sum(count or 0 for count in counts),
        reason=reason,
        files=[file_info(file) for file in drop.files],
    )


def add_row(drop: Drop, file_id: str, *, name: str, stored: str, done: Stored) -> DroppedFile:
    """The row of a file that has arrived."""
    file = DroppedFile(
        id=file_id,
        number=len(drop.files),
        name=name,
        stored=stored,
        size=done.size,
        sha256=done.sha256,
        remarks=[],
        deleted=[],
    )
    drop.files.append(file)
    return file


def file_info(file: DroppedFile) -> DroppedFileInfo:
    return DroppedFileInfo(
        id=file.id, name=file.name, size=file.size, problem=file.problem, remarks=file.remarks or []
    )
