"""The second pass over an archive: what a model says of each different content, once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.archive.layout import ArchiveLayout
from bustle.archive.places import check_packages, local_copy, unexpected
from bustle.archive.rows import (
    Kind,
    answers_schema,
    masks_schema,
    row_of_clip,
    row_of_problem,
    rows_of_picture,
)
from bustle.archive.tables import read_rows, write_columns
from bustle.core.errors import InputError
from bustle.core.extras import naming_the_extra
from bustle.core.files import sha256_of_file
from bustle.core.progress import heard_by
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.archives import is_archive
from bustle.data.relations.frame_features import to_grey
from bustle.experiments.pictures import DESCRIBED_LESIONS, read_input
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.predictor import Item, Predictor
from bustle.io.raster import as_png
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import answer_clip
from bustle.reading.frame_record import FrameRecord
from bustle.reading.picking import pick

BATCH_SIZE = 8


@dataclass(frozen=True)
class AnsweredPart:
    """The contents of one part: the digest and one of the places of each."""

    number: int
    contents: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AnswersOfPart:
    """Predicts the contents of a part that have no answer yet; runs on any machine that sees files and model.

    `base` is the manifest's folder. A task that is run twice writes the same file. Raises `InputError` where a
    package is missing that files of some kind need.
    """

    out: Path
    base: Path
    predictor: Predictor

    @naming_the_extra()
    def __call__(self, part: AnsweredPart) -> None:
        check_packages(place for _, place in part.contents)
        layout = ArchiveLayout(self.out)
        answers, masks = layout.answers(part.number), layout.masks(part.number)
        done = answered_contents(answers)
        rows, pictures = ([row for row in read_rows(path) if row["sha256"] in done] for path in (answers, masks))
        work = _Work(self.predictor, self.base, [each for each in part.contents if each[0] not in done])
        with heard_by(lambda text: None):  # what is said of a file names it
            work.run()
        self._write(masks, pictures + work.masks, masks_schema())
        self._write(answers, rows + work.rows, answers_schema(self.predictor.data.classes))

    def _write(self, path: Path, rows: list[dict[str, Any]], schema: Any) -> None:
        ordered = sorted(rows, key=lambda row: row["sha256"])
        columns = {name: [row.get(name) for row in ordered] for name in schema.names}
        write_columns(path, columns, schema, made_by=self.predictor.provenance)


def answered_contents(path: Path) -> set[str]:
    """The digests of those that a part's file has an answer to: what failed is tried again."""
    rows = read_rows(path, ["sha256", "frame", "problem"])
    failed = {row["sha256"] for row in rows if row["problem"] is not None and row["frame"] is None}
    return {row["sha256"] for row in rows} - failed


class _Asked(NamedTuple):
    """A picture that is at the model."""

    sha256: str
    kind: Kind
    frame: int | None
    field: int | None
    image: NDArray[np.uint8]


class _Film(NamedTuple):
    """The frames of a clip, until all have been answered."""

    sha256: str
    field: int | None
    clip: Clip
    frames: list[FrameRecord]


class _Work:
    """One pass over some contents; a batch of pictures is in memory at a time."""

    def __init__(self, predictor: Predictor, base: Path, contents: list[tuple[str, str]]):
        self.predictor = predictor
        self.base = base
        self.contents = contents
        self.rows: list[dict[str, Any]] = []
        self.masks: list[dict[str, Any]] = []
        self.waiting: deque[_Asked] = deque()
        self.films: dict[tuple[str, int | None], _Film] = {}

    def run(self) -> None:
        for prediction in self.predictor.predict_many(self._items(), batch_size=BATCH_SIZE):
            self._take(prediction, self.waiting.popleft())
        for film in self.films.values():
            frames = sorted(film.frames, key=lambda record: record.frame)
            answer = answer_clip(frames, name=film.sha256, unit=film.clip.unit)
            if len(answer.unread) == answer.frames:
                self._fail(film.sha256, "no frame of the clip can be read; restore the file")
            else:
                self.rows.append(row_of_clip(answer, sha256=film.sha256, field=film.field))

    def _items(self) -> Iterator[Item]:
        for sha256, place in self.contents:
            try:
                with local_copy(place, base=self.base) as path:
                    yield from self._pictures(sha256, path)
            except InputError as error:
                self._fail(sha256, f"{error.problem}; {error.remedy}")
            except ModuleNotFoundError:
                raise  # all files of this kind need it
            except Exception as error:  # of one file, which must not cost the others their answers
                self._fail(sha256, unexpected(error))

    def _pictures(self, sha256: str, path: Path) -> Iterator[Item]:
        if is_archive(path):
            raise InputError("is an archive of files", remedy="unpack it and list its files")
        if sha256_of_file(path) != sha256:
            raise InputError("has changed since it was listed", remedy="remove --out/contents and use --resume")
        picked = pick([str(path)])
        for unread in picked.unread:
            raise unread.problem or InputError("cannot be read", remedy="check the file")
        for image in picked.images:
            picture = read_input(image)
            dicom = image.dicom
            number = dicom.field.number if dicom is not None and dicom.fields > 1 else None
            yield self._item(_Asked(sha256, "image", None, number, picture.image), picture.geometry)
        for clip in picked.clips:
            dicom = clip.dicom
            number = dicom.field.number if dicom is not None and dicom.fields > 1 else None
            film = self.films[sha256, number] = _Film(sha256, number, clip, [])
            for frame in clip.numbers:
                try:
                    image, geometry = clip.frame(frame)
                    item = self._item(_Asked(sha256, "frame", frame, number, image), geometry)
                except InputError as error:
                    problem = f"{error.problem}; {error.remedy}"
                    film.frames.append(FrameRecord(frame=frame, problem=problem))
                    self._fail(sha256, problem, frame=frame)
                    continue
                yield item

    def _item(self, asked: _Asked, geometry: Geometry) -> Item:
        self.predictor.check(geometry)
        self.waiting.append(asked)
        return Item(asked.sha256, asked.image, geometry)

    def _take(self, prediction: Prediction, asked: _Asked) -> None:
        drawn = prediction.segmentation
        assert drawn is None or isinstance(drawn, ImageSegmentation)  # the model takes images
        mask = None if drawn is None or not drawn.mask.any() else drawn.mask
        descriptors = ()
        if asked.kind == "image" and mask is not None:
            spacing = prediction.geometry.spacing
            descriptors = describe_lesions(to_grey(asked.image), mask, spacing=spacing, at_most=DESCRIBED_LESIONS)
        place = {"sha256": asked.sha256, "frame": asked.frame, "field": asked.field}
        self.rows += rows_of_picture(prediction, kind=asked.kind, descriptors=descriptors, **place)
        if mask is not None:
            self.masks.append({**place, "png": as_png(mask)})
        if asked.frame is not None:
            self.films[asked.sha256, asked.field].frames.append(FrameRecord.of(prediction, frame=asked.frame))

    def _fail(self, sha256: str, problem: str, *, frame: int | None = None) -> None:
        self.rows.append(row_of_problem(sha256, problem, frame=frame))
