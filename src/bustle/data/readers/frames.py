"""Video frames: a class per video, lesion boxes on some frames only (as LA-Net's private videos, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError, unknown_name
from bustle.core.types import Box, Collection, Label
from bustle.data.readers._annotations import Annotations, Origin
from bustle.data.readers._cases import CollectionBuilder
from bustle.data.readers._fields import parse_boxes, parse_id, parse_label, parse_spacing
from bustle.data.readers._folders import image_files, no_images
from bustle.data.readers._lesions import UnitedMasks
from bustle.data.sources import ReaderDescription
from bustle.data.video_sizes import video_sizes
from bustle.io.names import file_below
from bustle.io.raster import image_size, read_image
from bustle.io.tables import Row, Table, read_table
from bustle.io.video import VIDEO_SUFFIXES, VideoSize, is_video, read_video_frame

DESCRIPTION = ReaderDescription(
    title="Video frames",
    layout="""
PATH is a table as below, or a single video without a class: a video file or a folder of frames
videos.csv or videos.parquet, one row per video; paths are relative to the table's folder:
  video        path of a video file (AVI, MP4, MOV, MKV, WebM, MPEG, WMV) or of a folder of frames
               (PNG, JPEG, BMP, TIFF, …); the only column that must exist
  label        benign, malignant or normal: the class of every frame
  patient_id   all videos of a patient stay in one part of a split; a video without one stands alone
  video_id     name of the video; the file's name without ending, or the folder's, where absent
  spacing_mm   pixel size in mm, one number or "rows columns"
  …            any other column is kept as metadata
boxes.csv or boxes.parquet, optional, one row per lesion box; frames without a row have no known location:
  video        name of the video, or its path as in the first table
  frame        number of the frame: in a video file from 0; in a folder the last number in the file's name
  y_start, x_start, y_stop, x_stop    in pixels from 0, stops exclusive
""",
    licence="Your data's own",
    citation="",
    obtain="Write the tables with a spreadsheet or pandas; `bustle data phantom --cine 8` writes an example",
    options={
        "boxes": "the table of boxes, relative to the first table's folder; default: boxes.csv there, if it exists",
        "every": "take every Nth frame only, from the first on; frames with a box are always taken (default 1)",
    },
)

_OPTIONAL = ("video_id", "label", "patient_id", "spacing_mm")
_CORNERS = ("y_start", "x_start", "y_stop", "x_stop")


@dataclass(frozen=True)
class _BoxRow:
    """A box and its line in the table."""

    box: Box
    line: int


Boxes = Mapping[int, Sequence[_BoxRow]]
"""The boxes of a video by frame number."""


@dataclass(frozen=True)
class _Video:
    """One row of the table; `place` is a video file or a folder of frames."""

    name: str
    place: Path
    label: Label | None
    patient_id: str | None
    spacing: tuple[float, float] | None
    metadata: Mapping[str, Any]


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `frames/<video>#<frame>`, in the order of the table and of the frames.

    Raises `InputError` for a video that is missing or damaged and for a box of an unknown video, of a frame that does
    not exist or beyond its frame's edge: a wrong number would put it on another picture.
    """
    every = _every(options.get("every", "1"))
    if path is not None and (path.is_dir() or is_video(path)):
        return _one_video(path, name=name, every=every, options=options)
    table = _table_file(path)
    boxes_table = _boxes_table(table, options)
    content = read_table(table, required=("video",), optional=_OPTIONAL)
    videos = _read_videos(content)
    boxes = {} if boxes_table is None else _read_boxes(boxes_table, videos, table=table)
    sizes = video_sizes([video.place for video in videos if video.place.is_file()])
    tables = (table,) if boxes_table is None else (table, boxes_table)
    builder = CollectionBuilder(name)
    builder.note_table(content)
    for video in videos:
        _add_frames(
            builder, video, boxes.get(video.name, {}), every=every, size=sizes.get(video.place), tables=tables
        )
    return builder.collection()


def _one_video(path: Path, *, name: str, every: int, options: Mapping[str, str]) -> Collection:
    if "boxes" in options:
        raise InputError("boxes= is for a table of videos", remedy="write a table with a row for this one", path=path)
    size = None if path.is_dir() else video_sizes([path])[path]
    title = path.resolve().name if size is None else path.stem
    builder = CollectionBuilder(name)
    video = _Video(name=title, place=path, label=None, patient_id=None, spacing=None, metadata={})
    _add_frames(builder, video, {}, every=every, size=size, tables=())
    return builder.collection()


def _add_frames(
    builder: CollectionBuilder,
    video: _Video,
    boxes: Boxes,
    *,
    every: int,
    size: VideoSize | None,
    tables: tuple[Path, ...],
) -> None:
    """Add the frames of one video; `size` is None for a folder."""
    files = _numbered_files(video.place) if size is None else dict.fromkeys(range(size.frames), video.place)
    if boxes:
        _check_boxes(video, boxes, files, size=size, table=tables[-1])
    for position, (number, file) in enumerate(files.items()):
        if position % every and number not in boxes:
            continue
        builder.add(
            f"{video.name}#{number}",
            image=file,
            annotations=Annotations(
                lesions=UnitedMasks((), video.label) if video.label == "normal" else None,
                label=video.label,
                boxes=tuple(row.box for row in boxes[number]) if number in boxes else None,
            ),
            origin=Origin(
                patient_id=video.patient_id,
                video=video.name,
                frame=number,
                metadata=video.metadata,
                tables=tables,
            ),
            spacing=video.spacing,
            decode=read_image if size is None else partial(read_video_frame, number=number),
        )


def _check_boxes(
    video: _Video, boxes: Boxes, files: Mapping[int, Path], *, size: VideoSize | None, table: Path
) -> None:
    for number, found in boxes.items():
        line = f"line {found[0].line}"
        if video.label == "normal":
            raise InputError(
                f"{line}: the video '{video.name}' is normal, yet has a box", remedy="correct a table", path=table
            )
        if number not in files:
            raise InputError(
                f"{line}: video '{video.name}' has no frame {number}, its frames are {min(files)} to {max(files)}",
                remedy="correct the column frame" + ("" if size is None else "; a video's first frame is 0"),
                path=table,
            )
        height, width = _frame_size(files[number]) if size is None else (size.height, size.width)
        for row in found:
            box = row.box
            if box.y_stop > height or box.x_stop > width:
                raise InputError(
                    f"line {row.line}: a box of frame {number} of video '{video.name}' ends at row {box.y_stop}, "
                    f"column {box.x_stop}, yet the frame has {height} rows and {width} columns",
                    remedy="correct the box; stops are exclusive",
                    path=table,
                )


def _frame_size(file: Path) -> tuple[float, float]:
    try:
        return image_size(file)
    except InputError:  # loading the case says what is wrong with the file
        return float("inf"), float("inf")


def _numbered_files(folder: Path) -> dict[int, Path]:
    """The images of a folder by the last number in their names, in its order."""
    numbered: dict[int, Path] = {}
    for file in image_files(folder):
        numbers = re.findall(r"\d+", file.stem)
        if not numbers:
            raise InputError(
                "has no number in its name", remedy="number the frames of a video, such as frame-007.png", path=file
            )
        other = numbered.setdefault(int(numbers[-1]), file)
        if other is not file:
            raise InputError(
                f"'{other.name}' and '{file.name}' have the same frame number",
                remedy="give every frame a number of its own at the end of its name",
                path=folder,
            )
    if not numbered:
        raise no_images(folder, reader="frames")
    return dict(sorted(numbered.items()))


def _read_videos(content: Table) -> list[_Video]:
    table = content.path
    videos: dict[str, _Video] = {}
    for row in content.rows:
        with content.telling_line_of(row):
            video = _read_video(row, table=table)
            if video.name in videos:
                raise InputError(
                    f"two videos have the name '{video.name}'",
                    remedy="name them apart in a column video_id",
                    path=table,
                )
        videos[video.name] = video
    if not videos:
        raise InputError("has no rows", remedy="write one row per video", path=table)
    return list(videos.values())


def _read_video(row: Row, *, table: Path) -> _Video:
    cell = str(row["video"])
    if not cell:
        raise InputError("has no video", remedy="fill in its path or remove the row", path=table)
    place = file_below(table.parent, cell)
    if not place.exists():
        raise InputError(
            f"there is no '{cell}'", remedy="correct the path, which is relative to the table's folder", path=table
        )
    if not place.is_dir() and place.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(
            f"'{cell}' is neither a folder of frames nor a video by its ending",
            remedy=f"give a folder or one of: {', '.join(sorted(VIDEO_SUFFIXES))}",
            path=table,
        )
    return _Video(
        name=parse_id(row.get("video_id", "")) or (place.name if place.is_dir() else place.stem),
        place=place,
        label=parse_label(row.get("label", ""), path=table),
        patient_id=parse_id(row.get("patient_id", "")),
        spacing=parse_spacing(row.get("spacing_mm", ""), path=table),
        metadata={key: value for key, value in row.items() if key not in ("video", *_OPTIONAL)},
    )


def _read_boxes(path: Path, videos: Sequence[_Video], *, table: Path) -> dict[str, dict[int, list[_BoxRow]]]:
    """Boxes by video name and frame number."""
    name_of = {video.place: video.name for video in videos}
    known = {video.name for video in videos}
    boxes: dict[str, dict[int, list[_BoxRow]]] = {}
    content = read_table(path, required=("video", "frame", *_CORNERS), blank_missing=False)
    for row, line in zip(content.rows, content.lines, strict=True):
        with content.telling_line_of(row):
            cell = parse_id(row["video"]) or ""
            name = cell if cell in known else name_of.get(file_below(table.parent, cell))
            if name is None:
                raise unknown_name("video", cell, known, path=path)
            found = parse_boxes(" ".join(str(row[corner]) for corner in _CORNERS), path=path)
            if found is None:
                raise InputError("has no box", remedy="fill it in or remove the row", path=path)
            number = _frame_number(row["frame"], path=path)
        boxes.setdefault(name, {}).setdefault(number, []).extend(_BoxRow(box, line) for box in found)
    return boxes


def _frame_number(value: Any, *, path: Path) -> int:
    text = parse_id(value) or ""
    if not text.isdecimal():
        raise InputError(f"'{text}' is no frame number", remedy="write a whole number", path=path)
    return int(text)


def _table_file(path: Path | None) -> Path:
    if path is None:
        raise InputError("the reader frames needs a file", remedy="write frames:VIDEOS.csv or frames:VIDEOS.parquet")
    return path


def _boxes_table(table: Path, options: Mapping[str, str]) -> Path | None:
    if "boxes" in options:
        return table.parent / options["boxes"]
    beside = table.parent / "boxes.csv"
    return beside if beside.is_file() else None


def _every(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise InputError(f"'{value}' is no number of frames for every=", remedy="write, say, every=5")
    return int(value)
