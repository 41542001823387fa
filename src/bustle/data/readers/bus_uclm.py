"""BUS-UCLM: frames of 38 patients; the colour of a lesion in the mask is its class."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bustle.core.errors import InputError
from bustle.core.types import Collection, Label
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_label
from bustle.data.readers._folders import by_stem, data_folder, folders_with_images, image_files, no_images, subfolder
from bustle.data.readers._lesions import Lesions, paint_instances
from bustle.data.readers._mask_sizes import OtherSize, fitted
from bustle.data.readers._rows import rows_of_stems
from bustle.data.sources import ReaderDescription
from bustle.io.raster import read_colours
from bustle.io.tables import Row, read_table

DESCRIPTION = ReaderDescription(
    title="BUS-UCLM",
    layout="""
images/ALWI_000.png     the part before _ is the patient
masks/ALWI_000.png      black normal, green benign, red malignant
INFO.csv                Image; Label; … (separated by semicolons)
""",
    licence="The licence on the data set's page",
    citation=(
        "Vallez N, Bueno G, Deniz O, Rienda MA, Pastor C. BUS-UCLM: Breast ultrasound lesion segmentation dataset. "
        "Scientific Data 12, 242 (2025). doi:10.1038/s41597-025-04562-3"
    ),
    obtain="Mendeley Data, doi:10.17632/7fvgj4jsp7",
    options={},
)

_TABLE = "INFO.csv"
_COLOURS: tuple[tuple[Label, int], ...] = (("benign", 1), ("malignant", 0))
"""The class that a dominant green or red channel means."""


@dataclass(frozen=True)
class ColouredMask:
    """One mask file whose colours are classes; every connected region of one colour is a lesion."""

    file: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    def read(self, size: tuple[int, ...], *, other: OtherSize = "refuse") -> Lesions:
        colours = fitted(read_colours(self.file), size, other=other, path=self.file)
        masks: list[NDArray[np.bool_]] = []
        labels: list[Label] = []
        for label, region in _regions(colours, file=self.file).items():
            numbered, count = ndimage.label(region, structure=np.ones((3, 3)))  # type: ignore[misc]
            masks += [numbered == number for number in range(1, count + 1)]
            labels.extend(itertools.repeat(label, count))
        instances, kept = paint_instances(masks, size=size)
        return instances, tuple(labels[index] for index in kept)


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `bus-uclm/ALWI_000`; a frame with any red is malignant. Masks are resized to smaller images."""
    root = data_folder(path, reader="bus-uclm")
    images = by_stem(image_files(subfolder(root, "images", reader="bus-uclm")))
    masks = by_stem(image_files(subfolder(root, "masks", reader="bus-uclm")))
    if not images:
        raise no_images(root / "images", reader="bus-uclm")
    table = root / _TABLE
    builder = CollectionBuilder(name, other_size="resize")  # a few images are published smaller than their masks
    rows, surplus = {}, []
    if table.is_file():
        content = read_table(table, required=("Image",), optional=("Label",))
        rows, surplus = rows_of_stems(content, column="Image", stems=images)
        builder.note_table(content)

    without_mask, without_row = [], []
    for stem, image in images.items():
        mask = masks.pop(stem, None)
        row = rows.get(stem, {})
        if mask is None:
            without_mask.append(stem)
        if not row:
            without_row.append(stem)
        builder.add(
            stem,
            image=image,
            annotations=Annotations(
                lesions=None if mask is None else ColouredMask(mask),
                label=_label(row, mask, table),
            ),
            origin=Origin(
                patient_id=stem.partition("_")[0],
                metadata={key.lower(): value for key, value in row.items() if key not in ("Image", "Label")},
                tables=(table,) if table.is_file() else (),
            ),
        )
    builder.note_cases("image-without-mask", "images have no mask", without_mask)
    builder.note_files("mask-without-image", "masks belong to no image", list(masks.values()))
    if table.is_file():
        builder.note_cases("image-without-row", f"images are not in {_TABLE}", without_row)
        builder.note_files("row-without-image", f"rows of {_TABLE} have no image", [Path(stem) for stem in surplus])
    else:
        builder.note(
            "missing-table", f"{name}: {root.name} has no {_TABLE}; the colours of the masks are the classes"
        )
    builder.note_unread(folders_with_images(root, besides=("images", "masks")))
    return builder.collection()


def _label(row: Row, mask: Path | None, table: Path) -> Label | None:
    """The class that INFO.csv gives; the colours of the mask, which must then be decoded, where it gives none."""
    label = parse_label(row.get("Label", ""), path=table)
    if label is not None or mask is None:
        return label
    present = list(_regions(read_colours(mask), file=mask))
    return present[-1] if present else "normal"


def _regions(colours: NDArray[np.uint8], *, file: Path) -> dict[Label, NDArray[np.bool_]]:
    """The classes present in a mask `H W 3`, benign first, with their pixels: those bright in the class's channel.

    Raises `InputError` for a mask that is mostly grey or white, which tells no class.
    """
    strongest = colours.argmax(axis=2)
    painted = colours.max(axis=2) >= 128
    grey = painted & (np.ptp(colours, axis=2) < 64)
    if 2 * grey.sum() > painted.sum():
        raise InputError(
            "is neither green nor red where it is painted",
            remedy="BUS-UCLM's masks have colours; read masks without them with folder:",
            path=file,
        )
    regions: dict[Label, NDArray[np.bool_]] = {}
    for label, channel in _COLOURS:
        region = painted & (strongest == channel)
        if region.any():
            regions[label] = region
    return regions
