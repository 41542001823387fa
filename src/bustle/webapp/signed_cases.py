"""Signed readings as annotated cases: what a next model is trained with."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.core.errors import InputError
from bustle.data.readers.app import LEFT_OUT
from bustle.data.relations.duplicates import connected_groups
from bustle.io.raster import as_png
from bustle.webapp.case_detail import detail, predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.exports import export
from bustle.webapp.read_drop import told
from bustle.webapp.readings import as_outlines, mask_of, redrawn_by_reader
from bustle.webapp.tables import Case, DroppedFile

SignedExport = Literal["manifest", "coco", "seg"]
LABELS = {"1": "normal", "2": "benign", "3": "benign", "5": "malignant", "6": "malignant"}
"""By the reader's BI-RADS category. In 4 both are likely, 0 says nothing: their outlines alone are learned from."""

COLUMNS = ("image", "mask", "label", "patient_id", "case_id", "spacing_mm", "birads", "verdict")
VOLUME = "a volume, of which only Segmentations are handed on"

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


@dataclass(frozen=True)
class Written:
    """How many `cases` an archive holds; `left_out` tells by a case's id what is wrong with its files."""

    cases: int
    left_out: Mapping[str, str]


def write_signed(archive: zipfile.ZipFile, kind: SignedExport, session: Session, data: DataFolder) -> Written:
    """Write every signed image of which the reader says where the lesion is, or what it is; the first reading counts.

    Volumes have Segmentations alone. They, and cases whose files are damaged, are named in the table LEFT_OUT, and
    hold up no other.
    """
    groups = _groups(session)
    left_out: dict[str, str] = {}
    cases: list[SignedCase] = []
    volumes: list[Case] = []
    chosen = select(Case).where(Case.version > 0).order_by(Case.made, Case.number, Case.id)
    for case in session.scalars(chosen):
        if case.kind == "volume":
            if case.reading is not None and case.reading.signed is not None:
                volumes.append(case)
            continue
        data.case(case.id)  # fetched here: a storage that is away is no damage of the case
        try:
            one = _signed_case(case, data, group=groups[case.id])
        except InputError as error:
            left_out[case.id] = told(error)
            continue
        if one is not None:
            cases.append(one)
    count = len(cases)
    if kind == "seg":
        outlined = [one.case for one in cases if one.mask is not None]
        accepted = [case for case in volumes if case.reading is not None and case.reading.verdict == "accepted"]
        count = _write_objects(archive, [*outlined, *accepted], session, data, left_out=left_out)
    else:
        left_out |= {case.id: VOLUME for case in volumes}
        for one in cases:
            archive.write(data.case(one.case.id).picture, _image(one), zipfile.ZIP_STORED)
        if kind == "coco":
            _add(archive, "annotations.json", json.dumps(_coco(cases)))
        else:
            _write_manifest(archive, cases)
    if left_out:
        _add(archive, LEFT_OUT, _table(("case_id", "problem"), left_out.items()))
    return Written(count, left_out)


def _groups(session: Session) -> dict[str, str]:
    """Of every case the id of the first that may be of the same person: of one patient, or of one dropped file."""
    asked = select(Case.id, Case.file_id, Case.patient).order_by(Case.made, Case.number, Case.id)
    cases = session.execute(asked).all()
    first: dict[tuple[str, str], str] = {}
    links = []
    for case, file, patient in cases:
        names = [("file", file)] if patient is None else [("file", file), ("patient", patient)]
        links += [(first.setdefault(name, case), case) for name in names]
    ids = [case for case, _, _ in cases]
    joined = {case: group[0] for group in connected_groups(ids, links) for case in group}
    return {case: joined.get(case, case) for case in ids}


def _signed_case(case: Case, data: DataFolder, *, group: str) -> SignedCase | None:
    """None where its reading is not signed, or says nothing to learn from. Raises `InputError` for damaged files."""
    reading = case.reading
    if reading is None or reading.signed is None:
        return None
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
        return None
    return SignedCase(case, mask, label, image.picture.geometry.spacing, group)


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    """Without the time: the same cases are the same archive, which is unpacked once."""
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _image(one: SignedCase) -> str:
    return f"images/{one.case.id}.png"


def _write_manifest(archive: zipfile.ZipFile, cases: Sequence[SignedCase]) -> None:
    """As the reader `manifest` takes it."""
    rows = []
    for one in cases:
        reading = one.case.reading
        assert reading is not None
        mask = ""
        if one.mask is not None:
            mask = f"masks/{one.case.id}.png"
            _add(archive, mask, as_png((one.mask * np.uint8(255))[np.newaxis]))
        spacing = "" if one.spacing is None else " ".join(map(str, one.spacing))
        rows.append((_image(one), mask, one.label, one.group, one.case.id, spacing, reading.birads, reading.verdict))
    _add(archive, "manifest.csv", _table(COLUMNS, rows))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """As CSV."""
    table = io.StringIO()
    csv.writer(table).writerows([columns, *rows])
    return table.getvalue()


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


def _write_objects(
    archive: zipfile.ZipFile,
    cases: Sequence[Case],
    session: Session,
    data: DataFolder,
    *,
    left_out: dict[str, str],
) -> int:
    """DICOM Segmentations of those that are DICOM files; what cannot be made is told in `left_out`."""
    count = 0
    for case in cases:
        if not case.is_dicom:
            continue
        stored = session.get_one(DroppedFile, case.file_id).stored
        try:
            redrawn = redrawn_by_reader(case, data)
            shown = detail(case, data, measured=redrawn)
            made = export(case, shown, "seg", stored=stored, redrawn=redrawn, data=data)
        except InputError as error:
            left_out[case.id] = told(error)
            continue
        archive.writestr(f"seg/{case.id}.dcm", made.content)
        count += 1
    return count
