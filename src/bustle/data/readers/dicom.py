"""DICOM files: the pictures of studies, frame by frame, told by their content."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Finding, Sample
from bustle.data.case_ids import check_case_id
from bustle.data.sources import ReaderDescription
from bustle.io.dicom.recognition import DICOMDIR, dicom_files

if TYPE_CHECKING:
    from bustle.io.dicom.image import DicomImage
    from bustle.io.dicom.pictures import DicomPicture

DESCRIPTION = ReaderDescription(
    title="DICOM files",
    layout="""
PATH is a folder, a DICOMDIR, a single file or a ZIP archive of a study; files may have any name, or none, and lie in
folders below:
  ultrasound images, clips and volumes, and secondary captures
  each frame is a case, <SOPInstanceUID>#<frame>, counted from 1; a volume is a case, <SOPInstanceUID>
  a picture with two B-mode regions is two cases, …#<frame>-1 and -2, from the left
The B-mode region of a frame is cut out, and says the size of its pixels in mm; without regions PixelSpacing or
ImagerPixelSpacing does. Doppler, M-mode and colour are left out. A patient is a salted hash of the PatientID, where
there is none of the study; names and birth dates are never read.
""",
    licence="Your data's own",
    citation="",
    obtain="Export studies from the archive (PACS) or the scanner; `pip install 'bustle[dicom]'` reads them",
    options={"every": "take every Nth frame of a clip only, from the first on (default 1)"},
)


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `dicom/<SOPInstanceUID>#<frame>` in the order of the files' paths and of the frames.

    A file that cannot be read, or shows no B-mode, is a finding. Raises `InputError` where no other is left.
    """
    from bustle.io.dicom.pictures import pictures_of, read_study

    files = _files(path)
    every = _every(options.get("every", "1"))
    cases: list[Case] = []
    findings: list[Finding] = []
    first: InputError | None = None
    for place, (_, found) in enumerate(read_study(files), start=1):
        if isinstance(found, InputError):
            first = first or found
            said = InputError(found.problem, remedy=found.remedy)  # the file's name may be a patient's
            where = f"file {place} of {len(files)} in the order of their paths"
            findings.append(Finding("unread-dicom", (), f"{name}: left out: {where} {said}"))
        elif found is not None:
            frames = (picture for picture in pictures_of(found) if ((picture.frame or 1) - 1) % every == 0)
            own = [_case(found, picture, name=name) for picture in frames]
            cases += own
            findings += _findings(found, own, name=name)
    if not cases:
        raise first or InputError("holds no DICOM files", remedy="check the path", path=path)
    return Collection(tuple(cases), tuple(findings))


def _files(path: Path | None) -> list[Path]:
    if path is None:
        raise InputError("the reader dicom needs a path", remedy="write dicom:FOLDER or dicom:FILE")
    if path.is_file() and path.name.upper() != DICOMDIR:
        return [path]
    return dicom_files(path if path.is_dir() else path.parent)


def _case(image: DicomImage, picture: DicomPicture, *, name: str) -> Case:
    from bustle.io.dicom.volume import volume_geometry

    case_id = check_case_id(f"{name}/{picture.name}", path=image.path)
    volume = volume_geometry(image.path) if image.is_volume else None
    is_clip = image.frames > 1 and volume is None
    return Case(
        case_id=case_id,
        source=name,
        load=partial(load_sample, picture, case_id=case_id, source=name, patient_id=image.patient),
        files=(image.path,),
        patient_id=image.patient,
        spacing=picture.field.spacing if volume is None else volume.spacing,
        video=image.sop_uid if is_clip else None,
        frame=picture.frame if is_clip else None,
        metadata=_metadata(image, picture),
    )


def _metadata(image: DicomImage, picture: DicomPicture) -> dict[str, Any]:
    told = {
        "study": image.study_uid,
        "series": image.series_uid,
        "laterality": image.laterality,
        "device": image.device,
        "spacing_source": picture.field.spacing_source,
        "field": " ".join(map(str, picture.field.box)),
    }
    return {key: value for key, value in told.items() if value}


def _findings(image: DicomImage, cases: list[Case], *, name: str) -> list[Finding]:
    """What the reader should know of one file; a name of a file may be a patient's, so its identifier stands here."""
    ids = tuple(case.case_id for case in cases)
    remarks = [
        *image.remarks,
        *(() if image.patient_known else ("it has no PatientID: the pictures of its study count as one patient's",)),
    ]
    return [Finding("dicom-remark", ids, f"{name}: {image.sop_uid}: {remark}") for remark in remarks]


def _every(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise InputError(f"'{value}' is no number of frames for every=", remedy="write, say, every=5")
    return int(value)


def load_sample(picture: DicomPicture, *, case_id: str, source: str, patient_id: str) -> Sample:
    """Decode one picture. Raises `InputError`, with its identifier, for a damaged frame."""
    from bustle.io.dicom.pictures import read_picture

    try:
        image, geometry = read_picture(picture)
    except InputError as error:
        raise InputError(error.problem, remedy=error.remedy, path=picture.name) from None
    return Sample(
        case_id=case_id,
        source=source,
        image=image,
        geometry=geometry,
        patient_id=patient_id,
        provenance={"image": picture.name, "masks": []},
    )
