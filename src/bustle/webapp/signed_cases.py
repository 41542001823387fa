"""Signed readings as annotated cases: what a next model is trained with."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.core.errors import InputError
from bustle.io.raster import as_png
from bustle.webapp.case_detail import detail, predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.exports import export
from bustle.webapp.readings import as_outlines, mask_of, redrawn_by_reader
from bustle.webapp.tables import Case, DroppedFile

SignedExport = Literal["manifest", "coco", "seg"]
LABELS = {"1": "normal", "2": "benign", "3": "benign", "5": "malignant", "6": "malignant"}
"""By the reader's BI-RADS category. In 4 both are likely, 0 says nothing: their outlines alone are learned from."""

COLUMNS = ("image", "mask", "label", "patient_id", "case_id", "spacing_mm", "birads", "verdict")
CATEGORIES = ("benign", "malignant", "lesion")
"""Of COCO; `lesion` is one without a class."""


@dataclass(frozen=True)
class SignedCase:
    """`mask` bool `H W` is None where nobody has said where the lesion is; empty where there is none.

    `group` is the same for all cases that may be one person's.
    """

    case: Case
    mask: NDArray[np.bool_] | None
    label: str | None
    spacing: tuple[float, ...] | None
    group: str


def signed_cases(session: Session, data: DataFolder) -> Iterator[SignedCase]:
    """Every signed image of which the reader says where the lesion is, or what it is; the first reading counts."""
    chosen = select(Case).where(Case.kind == "image", Case.version > 0).order_by(Case.made, Case.number, Case.id)
    groups: dict[str, str] = {}
    for case in session.scalars(chosen):
        reading = case.reading
        if reading is None or reading.signed is None:
            continue
        image = predicted_image(case, data)
        label = LABELS.get(reading.birads or "")
        mask = None
        if reading.outlines is not None:
            mask = mask_of(image, as_outlines(reading.outlines))
        elif reading.verdict == "accepted":
            mask = image.mask()
        if mask is not None and mask.any() == (label == "normal"):
            # A lesion in what is called normal, or none in what is not: one of the two is no annotation.
            mask, label = (mask, None) if mask.any() else (None, label)
        if mask is None and label is None:
            continue
        group = groups.setdefault(case.patient or case.file_id, case.file_id)
        yield SignedCase(case, mask, label, image.picture.geometry.spacing, group)


def write_signed(archive: zipfile.ZipFile, kind: SignedExport, session: Session, data: DataFolder) -> int:
    """Write all signed cases, and return how many they are."""
    cases = list(signed_cases(session, data))
    if kind == "seg":
        return _write_objects(archive, cases, session, data)
    for one in cases:
        archive.write(data.case(one.case.id).picture, _image(one), zipfile.ZIP_STORED)
    if kind == "coco":
        _add(archive, "annotations.json", json.dumps(_coco(cases)))
    else:
        _write_manifest(archive, cases)
    return len(cases)


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    """Without the time: the same cases are the same archive, which is unpacked once."""
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _image(one: SignedCase) -> str:
    return f"images/{one.case.id}.png"


def _write_manifest(archive: zipfile.ZipFile, cases: Sequence[SignedCase]) -> None:
    """As the reader `manifest` takes it."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for one in cases:
        reading = one.case.reading
        assert reading is not None
        mask = ""
        if one.mask is not None:
            mask = f"masks/{one.case.id}.png"
            _add(archive, mask, as_png((one.mask * np.uint8(255))[np.newaxis]))
        spacing = "" if one.spacing is None else " ".join(map(str, one.spacing))
        writer.writerow(
            (_image(one), mask, one.label, one.group, one.case.id, spacing, reading.birads, reading.verdict)
        )
    _add(archive, "manifest.csv", table.getvalue())


def _coco(cases: Sequence[SignedCase]) -> dict[str, Any]:
    """Of those whose outline is known; each lesion that touches no other is an annotation."""
    images, annotations = [], []
    for one in cases:
        if one.mask is None and one.label != "normal":
            continue
        entry = {"id": len(images) + 1, "file_name": _image(one), "patient_id": one.group}
        images.append(entry | {"width": one.case.width, "height": one.case.height})
        if one.mask is None:
            continue
        count, lesions = cv2.connectedComponents(one.mask.astype(np.uint8), connectivity=8)
        for number in range(1, count):
            annotation = _annotation(lesions == number, one.label)
            annotations.append(annotation | {"id": len(annotations) + 1, "image_id": entry["id"]})
    categories = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotation(lesion: NDArray[np.bool_], label: str | None) -> dict[str, Any]:
    rows, columns = np.flatnonzero(lesion.any(axis=1)), np.flatnonzero(lesion.any(axis=0))
    box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
    flat = np.concatenate([[False], lesion.ravel(order="F"), [False]])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], turns, [lesion.size]]))
    return {
        "category_id": CATEGORIES.index(label or "lesion") + 1,
        "bbox": [int(value) for value in box],
        "area": int(lesion.sum()),
        "segmentation": {"size": list(lesion.shape), "counts": [int(run) for run in runs]},
        "iscrowd": 0,
    }


def _write_objects(archive: zipfile.ZipFile, cases: Sequence[SignedCase], session: Session, data: DataFolder) -> int:
    """DICOM Segmentations of the DICOM images with an outline."""
    count = 0
    for one in cases:
        if not one.case.is_dicom or one.mask is None:
            continue
        redrawn = redrawn_by_reader(one.case, data)
        told = detail(one.case, data, measured=redrawn)
        stored = session.get_one(DroppedFile, one.case.file_id).stored
        try:
            made = export(one.case, told, "seg", stored=stored, redrawn=redrawn, data=data)
        except InputError:
            continue  # the dropped file is gone
        archive.writestr(f"seg/{one.case.id}.dcm", made.content)
        count += 1
    return count
