"""The part of the API about volumes: their voxels, and the places in them where a lesion may be."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from bustle.io.raster import as_png
from bustle.webapp.access import AtLeast
from bustle.webapp.case_routes import PICTURE
from bustle.webapp.data_folder import CaseFolder, VolumePart
from bustle.webapp.messages import Problem
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, NamedCase
from bustle.webapp.shown_volume import slice_picture, volume_info
from bustle.webapp.volume_messages import VolumeInfo

NIFTI = "application/octet-stream"

router = APIRouter(
    prefix="/api/cases/{case_id}/volume",
    tags=["volumes"],
    responses={code: {"model": Problem} for code in (401, 403, 404, 422)},
    dependencies=[Depends(AtLeast("reader"))],
)


def named_volume(case: NamedCase, server: CurrentServer) -> CaseFolder:
    """Raises `Refusal` 404 for what is no volume."""
    if case.kind != "volume":
        raise Refusal(Why.NO_VOLUME)
    return server.data.case(case.id)


NamedVolume = Annotated[CaseFolder, Depends(named_volume)]


@router.get("")
def show_volume(case: NamedCase, folder: NamedVolume) -> VolumeInfo:
    """Its size, and the places where a lesion may be."""
    return volume_info(folder, case.folder)


@router.get("/slices/{number}", response_class=Response, responses=PICTURE)
def show_slice(folder: NamedVolume, number: int) -> Response:
    """One slice (from 0) in full as PNG, of square pixels whose side is the smaller one of row and column."""
    shown = slice_picture(folder, number)
    if shown is None:
        raise Refusal(Why.NO_SLICE)
    return Response(as_png(shown), media_type="image/png")


@router.get("/{part}", response_class=FileResponse, responses={200: {"content": {NIFTI: {}}}})
def show_voxels(folder: NamedVolume, part: VolumePart) -> FileResponse:
    """A copy of at most 8 million voxels, a coarser one, or what is outlined, as NIfTI; the mask is packed."""
    path = folder.volume(part)
    if not path.exists():
        raise Refusal(Why.NO_OUTLINE)
    return FileResponse(path, media_type=NIFTI)
