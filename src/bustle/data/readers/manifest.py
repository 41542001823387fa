"""A table with one row per image: for data that lie anywhere and have labels of any completeness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.paths import is_file
from bustle.core.types import Collection
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_boxes, parse_id, parse_label, parse_spacing
from bustle.data.readers._folders import named
from bustle.data.readers._lesions import NumberedMask, UnitedMasks
from bustle.data.readers._mask_sizes import OTHER_SIZES, other_size_of
from bustle.data.sources import ReaderDescription
from bustle.io.names import file_below, normal_form
from bustle.io.tables import Row, Table, read_table
from bustle.io.volume import is_volume, volume_stem

DESCRIPTION = ReaderDescription(
    title="Manifest (CSV or Parquet)",
    layout="""
manifest.csv or manifest.parquet, one row per image; paths are relative to the manifest's folder:
  image        path of the image or volume (the only column that must exist)
  mask         path of the lesion mask: 0/255, or 1..n = the lesions by number
  gland        path of the gland mask
  label        benign, malignant or normal
  patient_id   all images of a patient stay in one part of a split
  case_id      name of the case; the image's name without ending where absent
  spacing_mm   pixel size in mm, one number or "rows columns"; a volume's file holds its own
  box          "y0 x0 y1 x1" in pixels, stops exclusive; several separated by ;
  …            any other column is kept as metadata
""",
    licence="Your data's own",
    citation="",
    obtain="Write the table with a spreadsheet or pandas",
    options=OTHER_SIZES,
)

_OPTIONAL = ("mask", "gland", "label", "patient_id", "case_id", "spacing_mm", "box")


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `manifest/<case_id>`. Empty cells are absent annotations; files that do not exist are findings."""
    table = read_table(_manifest_file(path), required=("image",), optional=_OPTIONAL)
    builder = CollectionBuilder(name, other_size=other_size_of(options))
    builder.note_table(table)
    absent_images: list[Path] = []
    absent_masks: list[str] = []
    for row in table.rows:
        with table.telling_line_of(row):
            image = _image(row, table)
        if not is_file(image):
            absent_images.append(Path(str(row["image"])))
            continue
        stem = parse_id(row.get("case_id", "")) or normal_form(volume_stem(image))
        mask, gland = _file(row, "mask", table), _file(row, "gland", table)
        if any(file is not None and not is_file(file) for file in (mask, gland)):
            absent_masks.append(stem)
        with table.telling_line_of(row):
            _add(builder, stem, image, row, table=table.path, mask=_existing(mask), gland=_existing(gland))
    builder.note_files("row-without-image", "images in the manifest do not exist", absent_images)
    builder.note_cases("image-without-mask", "masks in the manifest do not exist, of the cases", absent_masks)
    collection = builder.collection()
    if not collection.cases:
        what = f"{table.doubt}none of its images exist ({named(absent_images, shown=1)})"
        raise InputError(
            what if table.rows else "has no rows",
            remedy="write paths that are relative to the manifest's folder",
            path=table.path,
        )
    return collection


def _add(
    builder: CollectionBuilder,
    stem: str,
    image: Path,
    row: Row,
    *,
    table: Path,
    mask: Path | None,
    gland: Path | None,
) -> None:
    label = parse_label(row.get("label", ""), path=table)
    boxes = parse_boxes(row.get("box", ""), path=table)
    if boxes is not None and is_volume(image):
        raise InputError(f"'{stem}' is a volume with a box", remedy="boxes are for images, give a mask", path=table)
    no_lesion = UnitedMasks((), label) if label == "normal" else None
    builder.add(
        stem,
        image=image,
        annotations=Annotations(
            lesions=no_lesion if mask is None else NumberedMask(mask, label),
            label=label,
            boxes=boxes,
            gland_mask=gland,
        ),
        origin=Origin(
            patient_id=parse_id(row.get("patient_id", "")),
            metadata={key: value for key, value in row.items() if key not in ("image", *_OPTIONAL)},
            tables=(table,),
        ),
        spacing=None if is_volume(image) else parse_spacing(row.get("spacing_mm", ""), path=table),
    )


def _manifest_file(path: Path | None) -> Path:
    if path is None:
        raise InputError(
            "the reader manifest needs a file", remedy="write manifest:FILE.csv or manifest:FILE.parquet"
        )
    if path.is_dir():
        raise InputError("is a folder", remedy="give the manifest file itself, a .csv or .parquet", path=path)
    return path


def _image(row: Row, table: Table) -> Path:
    image = _file(row, "image", table)
    if image is None:
        raise InputError("has no image", remedy="fill in its path or remove the row", path=table.path)
    return image


def _file(row: Row, column: str, table: Table) -> Path | None:
    text = str(row.get(column, ""))
    return file_below(table.path.parent, text) if text else None


def _existing(file: Path | None) -> Path | None:
    return file if file is not None and is_file(file) else None
