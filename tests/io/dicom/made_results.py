"""Results of a made-up study: a clip with two lesions, the second suspected in two of three frames, and an image."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.io.dicom.made_ultrasound import ultrasound, write_ultrasound

from bustle.io.dicom.result_content import Algorithm, ReportedAnswer, ReportedImage, ReportedLesion
from bustle.io.dicom.result_identity import write_object
from bustle.io.dicom.source import SourceImage
from bustle.io.dicom.wrap import Marks, wrap_key_image, wrap_page
from bustle.io.dicom.write_seg import LesionSegmentation, segment_lesions
from bustle.io.dicom.write_sr import report_measurements

CREATED = datetime.datetime(2026, 2, 3, 12, 30, 5)
ALGORITHM = Algorithm(name="Made-up modèle", version="0.1.0", answers_sha256="ab12" * 16)
SIZE = (61, 75)
CLIP = np.random.default_rng(7).integers(0, 256, (3, *SIZE), dtype=np.uint8)
PDF = b"%PDF-1.7 made up, of an odd number of bytes"


def _blob(row: int, column: int, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.indices(SIZE)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


FIRST = ReportedLesion(
    number=1,
    masks={1: _blob(20, 20, 8), 2: _blob(21, 22, 9.5), 3: _blob(22, 24, 9)},
    measured_frame=2,
    certainty=0.8125,
    suspected=False,
    touches_edge=False,
    unit="mm",
    measured={
        "longest_diameter": 12.25,
        "perpendicular_diameter": 1 / 3,
        "area": 7.5,
        "lobes": 2,
        "fat_contrast": None,
    },
    words={"shape": "oval", "margin": "not circumscribed", "orientation": "parallel", "echo_pattern": None},
)
SECOND = replace(
    FIRST,
    number=2,
    masks={2: _blob(45, 60, 5), 3: _blob(46, 61, 4)},
    suspected=True,
    touches_edge=True,
    unit="px",
    words={"shape": "irregular", "posterior_features": "shadowing"},
)
ANSWER = ReportedAnswer(
    frame=2,
    decision="refer",
    probabilities={"benign": 0.4, "malignant": 0.5, "normal": 0.1},
    calibrated=True,
    possible=("benign", "malignant"),
    moved_by=("taller than wide +0.12",),
    remarks=("two frames?",),
)


@dataclass(frozen=True)
class MadeResults:
    images: tuple[ReportedImage, ...]
    segmentations: dict[str, LesionSegmentation]


def made_results(algorithm: Algorithm = ALGORITHM) -> MadeResults:
    clip = ReportedImage(source=SourceImage(ultrasound(CLIP)), answer=ANSWER, lesions=(FIRST, SECOND))
    single = replace(FIRST, masks={1: FIRST.masks[2]}, measured_frame=1)
    image = ReportedImage(
        source=SourceImage(ultrasound(CLIP[1], number=2)), answer=replace(ANSWER, frame=1), lesions=(single,)
    )
    found = {}
    for number, each in enumerate((clip, image), start=1):
        made = segment_lesions(each, algorithm=algorithm, number=number, created=CREATED)
        assert made is not None
        found[each.source.sop_instance] = made
    return MadeResults((clip, image), found)


def write_results(folder: Path) -> list[Path]:
    """Every kind of object, and what they refer to, as files of `folder`."""
    made = made_results()
    write_ultrasound(folder / "clip.dcm", CLIP)
    write_ultrasound(folder / "image.dcm", CLIP[1], number=2)
    objects = {f"seg{number}": each.dataset for number, each in enumerate(made.segmentations.values())}
    objects["sr"] = report_measurements(made.images, made.segmentations, algorithm=ALGORITHM, created=CREATED)
    marks = [Marks("Outline", FIRST.masks[2]), Marks("Answer", SECOND.masks[2])]
    for name, channels in (("grey", 1), ("colour", 3)):
        objects[f"key_{name}"] = wrap_key_image(
            np.repeat(CLIP[1][None], channels, axis=0),
            made.images[0].source,
            frame=2,
            marks=marks,
            caption="refer: malignant 0.50",
            algorithm=ALGORITHM,
            created=CREATED,
        )
    of_unknown_side = SourceImage(ultrasound(CLIP[1], number=3, changes={"Laterality": None}))
    objects["key_unknown_side"] = wrap_key_image(
        CLIP[1][None],
        of_unknown_side,
        frame=1,
        marks=marks,
        caption="refer: malignant 0.50",
        algorithm=ALGORITHM,
        created=CREATED,
    )
    sources = [each.source for each in made.images]
    objects["page"] = wrap_page(PDF, sources, title="AI result page", algorithm=ALGORITHM, created=CREATED)
    for name, each in objects.items():
        write_object(folder / f"{name}.dcm", each)
    return sorted(folder / f"{name}.dcm" for name in objects)
