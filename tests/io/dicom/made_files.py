"""DICOM files of every kind that a scanner may write, made with pydicom; no patient in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
US_CLIP = "1.2.840.10008.5.1.4.1.1.3.1"

TISSUE = {"RegionSpatialFormat": 1, "RegionDataType": 1}


def region(box: tuple[int, int, int, int], step_cm: tuple[float, float] = (0.01, 0.01), **changes: Any) -> Dataset:
    """A region of tissue; `box` is top, left, bottom, right, all inclusive, `step_cm` down and across."""
    item = Dataset()
    top, left, bottom, right = box
    values: dict[str, Any] = {
        **TISSUE,
        "RegionFlags": 0,
        "RegionLocationMinX0": left,
        "RegionLocationMinY0": top,
        "RegionLocationMaxX1": right,
        "RegionLocationMaxY1": bottom,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": step_cm[1],
        "PhysicalDeltaY": step_cm[0],
    }
    for keyword, value in (values | changes).items():
        setattr(item, keyword, value)
    return item


def data_set(
    pixels: NDArray[Any],
    *,
    photometric: str = "MONOCHROME2",
    syntax: str = ExplicitVRLittleEndian,
    frames: int | None = None,
    packed: Sequence[bytes] | None = None,
    regions: Sequence[Dataset] = (),
    **elements: Any,
) -> Dataset:
    """A data set with pixels `H W`, `H W 3`, with `frames` also `N H W` or `N H W 3`; `packed` are encoded frames."""
    shape = pixels.shape if frames is None else pixels.shape[1:]
    bits = 8 * pixels.dtype.itemsize
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID = US_IMAGE if frames is None else US_CLIP
    made.SOPInstanceUID = generate_uid(
        entropy_srcs=[pixels.tobytes().hex()[:200], photometric, syntax, str(elements)]
    )
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    made.PatientID, made.PatientName = "4711", "Planted^Name"
    made.Modality = "US"
    made.Rows, made.Columns = shape[:2]
    made.SamplesPerPixel = 3 if len(shape) == 3 else 1
    if made.SamplesPerPixel == 3:
        made.PlanarConfiguration = 0
    made.PhotometricInterpretation = photometric
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits, bits - 1, 0
    if frames is not None:
        made.NumberOfFrames = frames
    if regions:
        made.SequenceOfUltrasoundRegions = list(regions)
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    made.PixelData = pixels.tobytes() if packed is None else encapsulate(list(packed))
    if len(made.PixelData) % 2:
        made.PixelData += b"\0"
    made["PixelData"].VR = "OB" if packed is not None or bits == 8 else "OW"
    return made


def as_lossless_jpeg(path: Path) -> Path:
    """The file stored anew by GDCM as JPEG Lossless (process 14, selection value 1), beside it."""
    reader, writer, change = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    target = path.with_name(f"lossless-{path.name}")
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


def _element_of_syntax(syntax: str) -> bytes:
    """Transfer Syntax UID (0002,0010) as it stands in a file."""
    padded = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\x02\0\x10\0UI" + len(padded).to_bytes(2, "little") + padded


def written(folder: Path, made: Dataset, name: str = "a.dcm") -> Path:
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID", US_IMAGE)
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "1.2.3.9")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    syntax = made.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax:
        made.save_as(path, enforce_file_format=True)
        return path
    made.file_meta.TransferSyntaxUID = UID(JPEG2000Lossless)  # pydicom writes no syntax that it does not know
    made.save_as(path, enforce_file_format=True)
    whole, old = path.read_bytes(), _element_of_syntax(JPEG2000Lossless)
    new = _element_of_syntax(syntax)
    length = int.from_bytes(whole[140:144], "little") + len(new) - len(old)
    path.write_bytes(whole[:140] + length.to_bytes(4, "little") + whole[144:].replace(old, new, 1))
    return path


def scan(height: int = 60, width: int = 80, *, seed: int = 0, channels: int = 1) -> NDArray[np.uint8]:
    """Smooth speckle with every grey level, `H W` or `H W 3`."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width, dtype=np.float64)[None, :, None]
    noise = rng.integers(0, 56, (height, width, channels))
    picture = (ramp + noise).astype(np.uint8)
    return picture[..., 0] if channels == 1 else picture
