"""The part of the API about clips: their frames, and a frame that becomes a case of its own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from bustle.io.raster import as_png
from bustle.reading.clip import Clip
from bustle.webapp.access import AtLeast
from bustle.webapp.case_detail import summary
from bustle.webapp.case_routes import PICTURE
from bustle.webapp.clip_frames import clip_info, frame_case
from bustle.webapp.clip_messages import ClipInfo
from bustle.webapp.messages import CaseSummary, Problem
from bustle.webapp.read_drop import DropReader
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, CurrentSession, NamedCase
from bustle.webapp.tables import Case, DroppedFile

router = APIRouter(
    prefix="/api/cases/{case_id}",
    tags=["clips"],
    responses={code: {"model": Problem} for code in (401, 403, 404, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)


def named_clip(case: NamedCase, session: CurrentSession, server: CurrentServer) -> Clip:
    """Raises `Refusal` 404 for what is no clip."""
    if case.kind != "clip":
        raise Refusal(Why.NO_CLIP)
    file = session.get_one(DroppedFile, case.file_id)
    return server.clips.clip(case, server.data.upload(file.drop_id, file.stored))


NamedClip = Annotated[Clip, Depends(named_clip)]


@router.get("/clip")
def show_clip(case: NamedCase, clip: NamedClip, session: CurrentSession, server: CurrentServer) -> ClipInfo:
    """Its frames with what the model says of each, and its lesions with the frame that shows each best."""
    return clip_info(case, clip, server.data, session)


@router.get("/frames/{number}/picture", response_class=Response, responses=PICTURE)
def show_frame(clip: NamedClip, number: int) -> Response:
    """One frame as PNG."""
    _check(clip, number)
    return Response(as_png(clip.frame(number)[0]), media_type="image/png")


@router.post("/frames/{number}/case", status_code=201)
def read_frame(
    case: NamedCase, clip: NamedClip, number: int, session: CurrentSession, server: CurrentServer
) -> CaseSummary:
    """Make a case of one frame, or find the one that was made: it is corrected, signed and exported like an image."""
    _check(clip, number)
    file = session.get_one(DroppedFile, case.file_id)
    reader = DropReader(server.sessions, server.data, server.model.predictor)
    made = frame_case(case, number, clip=clip, file=file, reader=reader, locks=server.frames)
    return summary(session.get_one(Case, made.id))


def _check(clip: Clip, number: int) -> None:
    if number not in clip.numbers:
        raise Refusal(Why.NO_FRAME)
