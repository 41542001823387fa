"""Frames of a DICOM clip, decoded and predicted one by one, against pydicom's plain loop in the same run.

The plain loop is `pydicom.pixels.iter_pixels`, with `apply_color_lut` where there is a palette; for one frame of a
clip it is `pixel_array(index=…)`, and `Dataset.pixel_array`, which decodes the whole clip. Both sides give the same
8-bit pictures of whole frames, compared before anything is timed; bustle also puts colours into planes, which takes
as long as reading an uncompressed frame, and tells grey from colour.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, iter_pixels, pixel_array
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from benchmarks._row import Ratio, Row
from bustle.io.dicom.frames import Frames
from bustle.io.dicom.header import read_header

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Size:
    """`frames` of `edge` x `edge` pixels in each clip."""

    frames: int
    edge: int
    repeats: int


FULL = Size(frames=24, edge=512, repeats=3)
TINY = Size(frames=2, edge=48, repeats=1)


def run(size: Size) -> list[Row]:
    """For each way of packing a row for all frames and two for the last one; at last a row with the prediction."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in CLIPS.items():
            path = Path(folder) / f"{name.split()[0]}.dcm"
            make(size).save_as(path, enforce_file_format=True)
            rows += list(_rows(name, path, size))
        rows.append(_with_prediction(Path(folder) / "JPEG.dcm", size))
    return rows


def _rows(name: str, path: Path, size: Size) -> Iterator[Row]:
    for own, peer in zip(all_of_bustle(path), plain_loop(path), strict=True):
        np.testing.assert_array_equal(own, peer)
    goal = f"{size.frames} frames of {size.edge} x {size.edge}, {name}"
    yield _row(f"all of {goal}", "pydicom's plain loop", all_of_bustle, plain_loop, path, size)
    yield _row(f"the last of {goal}", "pydicom's pixel_array(index=)", last_of_bustle, last_by_index, path, size)
    yield _row(f"the last of {goal}", "pydicom's Dataset.pixel_array", last_of_bustle, last_of_all, path, size)


def _row(
    goal: str,
    peer: str,
    own: Callable[[Path], Iterator[Picture]],
    other: Callable[[Path], Iterator[Picture]],
    path: Path,
    size: Size,
) -> Row:
    ratios = [_seconds(other, path) / _seconds(own, path) for _ in range(size.repeats)]
    return Row(goal=goal, peer=peer, ratio=Ratio.over(ratios))


def _seconds(frames: Callable[[Path], Iterator[Picture]], path: Path) -> float:
    start = time.process_time()
    for _ in frames(path):
        pass
    return time.process_time() - start


def all_of_bustle(path: Path) -> Iterator[Picture]:
    frames = Frames(read_header(path))
    for number in range(1, frames.count + 1):
        yield _in_colour(frames.picture(number).transpose(1, 2, 0))


def plain_loop(path: Path) -> Iterator[Picture]:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for frame in iter_pixels(path):
        yield _shown(frame, header)


def last_of_bustle(path: Path) -> Iterator[Picture]:
    frames = Frames(read_header(path))
    yield _in_colour(frames.picture(frames.count).transpose(1, 2, 0))


def last_by_index(path: Path) -> Iterator[Picture]:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    yield _shown(pixel_array(path, index=int(header.NumberOfFrames) - 1), header)


def last_of_all(path: Path) -> Iterator[Picture]:
    whole = pydicom.dcmread(path)
    yield _shown(whole.pixel_array[-1], whole)


def _shown(frame: NDArray[Any], header: Dataset) -> Picture:
    if header.PhotometricInterpretation == "PALETTE COLOR":
        return (apply_color_lut(frame, header) >> 8).astype(np.uint8)
    return _in_colour(frame if frame.ndim == 3 else frame[..., None])


def _in_colour(picture: Picture) -> Picture:
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _with_prediction(path: Path, size: Size) -> Row:
    from bustle.inference.predictor import Item, Predictor
    from bustle.inference.shipped import REFERENCE, shipped_package

    predictor = Predictor.open(shipped_package(REFERENCE))

    def predicted(frames: Callable[[Path], Iterator[Picture]]) -> Callable[[Path], Iterator[Any]]:
        def all_predicted(path: Path) -> Iterator[Any]:
            from bustle.core.types import Geometry

            pictures = (np.ascontiguousarray(picture.transpose(2, 0, 1)) for picture in frames(path))
            items = (Item(str(n), picture, Geometry(picture.shape[1:])) for n, picture in enumerate(pictures))
            return predictor.predict_many(items)

        return all_predicted

    goal = f"{size.frames} frames of {size.edge} x {size.edge}, JPEG, decoded and predicted by the reference model"
    peer = "pydicom's plain loop and the same model"
    return _row(goal, peer, predicted(all_of_bustle), predicted(plain_loop), path, size)


def _speckle(size: Size, *, channels: int) -> NDArray[np.uint8]:
    """Frames `N H W C` that pack about as well as a scanner's: a black rim, and grain that is smooth along a row."""
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (size.frames, size.edge, size.edge // 4, channels), np.uint8).repeat(4, axis=2)
    rim = size.edge // 8
    grain[:, :rim], grain[:, :, :rim] = 0, 0
    return grain


def _data_set(size: Size, *, channels: int, photometric: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Rows = made.Columns = size.edge
    made.NumberOfFrames, made.SamplesPerPixel, made.PhotometricInterpretation = size.frames, channels, photometric
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    if channels == 3:
        made.PlanarConfiguration = 0
    made.PixelData = _speckle(size, channels=channels).tobytes()
    made["PixelData"].VR = "OB"
    return made


def _palette_in_run_lengths(size: Size) -> Dataset:
    made = _data_set(size, channels=1, photometric="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        made.add_new(f"{name}PaletteColorLookupTableData", "OW", (np.arange(256) * 257).astype("<u2").tobytes())
    made.compress(RLELossless, generate_instance_uid=False)
    return made


def _jpeg(size: Size) -> Dataset:
    made = _data_set(size, channels=3, photometric="YBR_FULL_422")
    packed = []
    for frame in _speckle(size, channels=3):
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=90, subsampling="4:2:2")
        packed.append(stream.getvalue())
    made.PixelData = encapsulate(packed, has_bot=False)
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return made


def _jpeg_ls(size: Size) -> Dataset:
    made = _data_set(size, channels=1, photometric="MONOCHROME2")
    made.compress(JPEGLSLossless, generate_instance_uid=False)
    return made


def _plain(size: Size) -> Dataset:
    return _data_set(size, channels=3, photometric="RGB")


CLIPS: dict[str, Callable[[Size], Dataset]] = {
    "JPEG in colour": _jpeg,
    "RLE with a palette": _palette_in_run_lengths,
    "JPEG-LS": _jpeg_ls,
    "uncompressed RGB": _plain,
}
"""Clips as scanners store them."""
