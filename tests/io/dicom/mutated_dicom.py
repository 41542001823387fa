"""DICOM files of every kind to be damaged by `tests.io.mutated_files`, also element by element, and read."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import openjpeg
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate
from tests.io.dicom.made_files import as_lossless_jpeg, data_set, region, scan, written

from bustle.io.dicom.frames import open_frames
from bustle.io.dicom.image import read_dicom
from bustle.io.dicom.pictures import pictures_of, read_picture
from bustle.io.dicom.recognition import is_dicom

VALUES = (0, 1, 2, 3, 7, 255, 4096, 32767, 65535)
WORDS = (
    "",
    "-1",
    "0",
    "1e300",
    "nan",
    "99999999",
    "\\",
    "MONOCHROME1",
    "RGB",
    "YBR_FULL_422",
    "PALETTE COLOR",
    "x" * 99,
)


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def dicom_files_of_every_kind(folder: Path) -> None:
    """Write them into `folder`."""
    grey, colour = scan(24, 32), scan(24, 32, channels=3)
    clip = np.stack([scan(24, 32, seed=seed) for seed in range(3)])
    regions = [region((2, 2, 20, 12)), region((2, 14, 20, 30))]
    written(folder, data_set(grey, regions=regions, WindowCenter=100, WindowWidth=200), "grey.dcm")
    written(folder, data_set(clip, frames=3, syntax=uid.ImplicitVRLittleEndian), "clip.dcm")
    written(folder, data_set(clip, frames=3, PixelSpacing=[1, 1], SpacingBetweenSlices=1), "volume.dcm")
    written(folder, data_set(colour, photometric="RGB", syntax=uid.ExplicitVRBigEndian), "big.dcm")
    written(
        folder, data_set(colour, photometric="YBR_FULL", syntax=uid.DeflatedExplicitVRLittleEndian), "deflated.dcm"
    )
    deep = written(folder, data_set(scan(24, 32).astype(np.uint16) * 16, BitsStored=12, HighBit=11), "deep.dcm")
    as_lossless_jpeg(deep)
    as_lossless_jpeg(folder / "grey.dcm")
    palette = data_set(grey, photometric="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        segments = np.array([0, 4, 0, 0, 0, 0, 1, 252, 0xFF00], "<u2")
        palette.add_new(f"Segmented{name}PaletteColorLookupTableData", "OW", segments.tobytes())
    written(folder, palette, "palette.dcm")
    for name, syntax in (("rle", uid.RLELossless), ("jpegls", uid.JPEGLSLossless)):
        made = data_set(clip, frames=3)
        made.compress(syntax, generate_instance_uid=False)
        written(folder, made, f"{name}.dcm")
    packed = [_jpeg(frame) for frame in clip]
    made = data_set(clip, frames=3, syntax=uid.JPEGBaseline8Bit, packed=packed)
    made.PixelData = encapsulate(packed, fragments_per_frame=2)
    written(folder, made, "jpeg.dcm")
    packed = [_jpeg(colour)]
    written(
        folder, data_set(colour, photometric="YBR_FULL_422", syntax=uid.JPEGBaseline8Bit, packed=packed), "ybr.dcm"
    )
    for name, syntax in (("j2k", uid.JPEG2000Lossless), ("htj2k", uid.HTJ2KLossless)):
        packed = [bytes(openjpeg.encode(scan(), photometric_interpretation=2))]
        written(folder, data_set(scan(), syntax=syntax, packed=packed), f"{name}.dcm")


def with_other_element(content: bytes, rng: np.random.Generator) -> bytes:
    """One element of the data set, or of an item of a sequence, with another value, or removed; as it is if not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(content), force=True)
            place = dataset
            elements = list(place)
            element = elements[int(rng.integers(0, len(elements)))]
            while element.VR == "SQ" and len(element.value) and rng.random() < 0.9:
                place = element.value[0]
                elements = list(place)
                element = elements[int(rng.integers(0, len(elements)))]
            if rng.random() < 0.3:
                del place[element.tag]
            elif element.VR in ("US", "SS", "UL", "SL"):
                element.value = VALUES[int(rng.integers(0, len(VALUES)))]
            elif element.VR in ("OB", "OW"):
                element.value = bytes(element.value)[: int(rng.integers(0, len(element.value) + 1))]
            elif element.VR in ("FD", "FL"):
                element.value = (0.0, -1.0, 1e300, float("nan"), float("inf"))[int(rng.integers(0, 5))]
            else:
                place[element.tag] = pydicom.DataElement(
                    element.tag, element.VR, WORDS[int(rng.integers(0, len(WORDS)))], validation_mode=0
                )
            changed = io.BytesIO()
            dataset.save_as(changed, enforce_file_format=False)
            return changed.getvalue()
        except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, struct.error, OverflowError):
            return content


def look_at_dicom(path: Path) -> None:
    """All that is read of a DICOM file."""
    is_dicom(path)
    image = read_dicom(path)
    for picture in pictures_of(image):
        read_picture(picture)
    open_frames(path).picture(1)
