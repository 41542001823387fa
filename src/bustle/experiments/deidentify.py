"""Studies without their patients: every DICOM file cleaned, checked again, and reported on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.errors import InputError
from bustle.core.files import write_json
from bustle.core.own_names import OwnNames
from bustle.core.progress import announce, progress
from bustle.data.archives import is_archive, unpacked
from bustle.data.audit.marks import marks_in
from bustle.data.relations.beside_tissue import shown_beside_tissue
from bustle.data.relations.frame_features import to_grey
from bustle.io.dicom.deidentify import CleanedFile, deidentify
from bustle.io.dicom.image import DicomImage
from bustle.io.dicom.pictures import read_study
from bustle.io.dicom.recognition import DICOMDIR, dicom_files

RECORD = "deidentified.json"

_INSTANCES = OwnNames(files=("2.25.*.dcm",))
_SERIES = OwnNames(folders={"2.25.*": _INSTANCES})
CLEANED = OutputKind(
    "data deidentify", "de-identified studies", OwnNames((RECORD,), {"2.25.*": _SERIES}, signed_by=(RECORD,))
)

LIMITS = (
    "Only listed elements are kept, of free text only the maker and the model. Outside of stated B-mode regions "
    "everything is blank; without regions, what can be seen beside the tissue is. Marks on tissue are reported where "
    "they are found. Nothing proves that a picture shows no name: look at the pictures before you hand them on."
)


@dataclass(frozen=True)
class CleanedStudy:
    """The files that were written, and why others were not."""

    files: tuple[CleanedFile, ...]
    failures: tuple[InputError, ...]


def deidentify_into(out: Path, *, sources: Sequence[Path]) -> CleanedStudy:
    """Write the DICOM files of folders, archives and single files without their patients, and `deidentified.json`.

    Raises `InputError` where there are none, and for a folder that holds anything but an earlier call's output.
    """
    files = [file for source in sources for file in _dicom_files(source)]
    if not files:
        raise InputError("holds no DICOM files", remedy="check the path", path=sources[0])
    cleaned: list[CleanedFile] = []
    failures: list[InputError] = []

    def failed(error: InputError) -> None:
        failures.append(error)
        announce(f"bustle: left out: {error}")

    with claim_folder(out, CLEANED) as claim:
        claim.refuse_inputs(files)
        claim.refuse_foreign()
        claim.begin(clear=True)
        for _, found in progress(read_study(files), description="deidentify", total=len(files), unit="file"):
            if isinstance(found, InputError):
                failed(found)
            elif isinstance(found, DicomImage):
                try:
                    cleaned.append(deidentify(found, out, beside_tissue=_beside_tissue, marks=_marks))
                except InputError as error:
                    failed(error)
        write_json(out / RECORD, _record(cleaned, failures, out=out))
    return CleanedStudy(tuple(cleaned), tuple(failures))


def _beside_tissue(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return shown_beside_tissue(to_grey(image))


def _marks(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Marks in `C H W`, also in its corners, where names stand and the probe's mark is usually passed over."""
    grey = to_grey(image)
    rows, columns = (length // 8 for length in grey.shape)
    wider = cv2.copyMakeBorder(grey, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=0)
    return marks_in(np.asarray(wider, np.uint8))[rows : rows + grey.shape[0], columns : columns + grey.shape[1]]


def _dicom_files(source: Path) -> list[Path]:
    if is_archive(source):
        source = unpacked(source)
    if not source.exists():
        raise InputError("does not exist", remedy="check the path", path=source)
    if source.is_file() and source.name.upper() != DICOMDIR:
        return [source]
    return dicom_files(source if source.is_dir() else source.parent)


def _record(cleaned: Sequence[CleanedFile], failures: Sequence[InputError], *, out: Path) -> dict[str, object]:
    """What is written of it; a file's former name may be a patient's and is not."""
    return {
        "limits": LIMITS,
        "files": [
            {
                "file": file.path.relative_to(out).as_posix(),
                "frames": file.frames,
                "blanked_outside_of_regions": file.regions_stated,
                "share_blanked": round(file.blanked, 4),
                "frames_with_marks_left": list(file.marked_frames),
                "elements_dropped_for_naming_the_patient": file.dropped,
            }
            for file in cleaned
        ],
        "left_out": [f"{error.problem}; {error.remedy}" for error in failures],
    }
