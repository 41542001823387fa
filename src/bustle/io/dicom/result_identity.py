"""What all result objects share: the source's patient and study, a series of their own, and UIDs that repeat.

A UID is made of the source, the model and the kind of object (UUID version 5 below 2.25): a repeated run gives the
same objects, which an archive keeps once.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.files import atomic_path
from bustle.io.dicom.own_results import PRODUCT, RESEARCH
from bustle.io.dicom.result_content import Algorithm
from bustle.io.dicom.source import SourceImage

if TYPE_CHECKING:
    from pydicom import Dataset

MANUFACTURER = "bustle developers"
NOT_FOR_DIAGNOSIS = "AI generated. Research only, not for diagnosis."
_NAMESPACE = uuid.UUID("5a3f8f52-7d0e-4a0f-9d34-2f6f2f0b7c11")

NEEDED_OF_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Present in every object, empty where the source does not say them (type 1 and 2)."""

_KEPT_OF_PATIENT_AND_STUDY = (
    "SpecificCharacterSet",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence",
    "PatientBirthTime",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
)
"""Present where the source has them; the text of the objects themselves is ASCII in any of its character sets."""


@dataclass(frozen=True, kw_only=True)
class SeriesKind:
    """A series that results form in a study. `number` is far above those of acquired series.

    `of_its_own`: every object is a series, counted on from `number`, because viewers show the first Segmentation of
    a series alone.
    """

    key: str
    modality: str
    number: int
    description: str
    of_its_own: bool = False


OUTLINES = SeriesKind(
    key="seg", modality="SEG", number=9910, description="AI lesion outlines, research", of_its_own=True
)
REPORT = SeriesKind(key="sr", modality="SR", number=9902, description="AI lesion measurements, research")
KEY_IMAGES = SeriesKind(key="key", modality="OT", number=9903, description="AI key images, not for diagnosis")
PAGE = SeriesKind(key="pdf", modality="DOC", number=9904, description="AI result page, research")


def result_uid(*parts: str) -> str:
    """The UID that always stands for these parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(parts)).int}"


def object_uid(kind: SeriesKind, sources: Sequence[SourceImage], algorithm: Algorithm) -> str:
    """That of the object of this kind about these images."""
    return result_uid(kind.key, algorithm.key, *sorted(source.sop_instance for source in sources))


def tracking_uid(sop_instance: str, *, field: int | None, number: int, algorithm: Algorithm) -> str:
    """That of the lesion of this number in an image, or in this field of it; the same in all objects and records."""
    of_field = () if field is None else (f"field {field}",)
    return result_uid("lesion", algorithm.key, sop_instance, *of_field, str(number))


def new_object(
    kind: SeriesKind,
    sources: Sequence[SourceImage],
    *,
    algorithm: Algorithm,
    sop_class: str,
    number: int,
    created: datetime.datetime,
) -> Dataset:
    """An object with all that the modules of patient, study, series, equipment and SOP Common ask for.

    It belongs to the study of the first of the `sources`; `number` is its place among those of its kind, from 1.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    made = Dataset()
    header = sources[0].header
    for name in _KEPT_OF_PATIENT_AND_STUDY:
        if name in header:
            made[name] = header[name]
    for name in NEEDED_OF_PATIENT_AND_STUDY:
        if name in header:
            made[name] = header[name]
        else:
            setattr(made, name, None)
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = object_uid(kind, sources, algorithm)
    made.InstanceNumber = 1 if kind.of_its_own else number
    made.ContentQualification = RESEARCH
    made.Modality = kind.modality
    made.SeriesInstanceUID = result_uid(
        "series", kind.key, algorithm.key, sources[0].sop_instance if kind.of_its_own else sources[0].study
    )
    made.SeriesNumber = kind.number + (number if kind.of_its_own else 0)
    made.SeriesDescription = kind.description + (f", image {number}" if kind.of_its_own else "")
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = PRODUCT
    made.DeviceSerialNumber = algorithm.answers_sha256[:16]
    made.SoftwareVersions = algorithm.full_version
    date, time = created.strftime("%Y%m%d"), created.strftime("%H%M%S")
    made.InstanceCreationDate = made.ContentDate = made.SeriesDate = date
    made.InstanceCreationTime = made.ContentTime = made.SeriesTime = time
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def keep_of_picture(made: Dataset, source: SourceImage) -> None:
    """Set what an object made of the source's pixels says as the source does of what they have lost."""
    header = source.header
    made.PatientOrientation = None
    made.LossyImageCompression = header.get("LossyImageCompression") or "00"
    for name in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if made.LossyImageCompression == "01" and name in header:
            made[name] = header[name]


def write_object(path: Path, made: Dataset) -> None:
    """Write an object as a DICOM file; raises `InputError` where that is not possible."""
    with atomic_path(path) as temporary:
        made.save_as(temporary, enforce_file_format=True)
