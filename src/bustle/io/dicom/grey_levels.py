"""From stored values to what is shown: one table a file, so that a frame costs a look-up.

Modality and values-of-interest transformations are those of DICOM PS3.3 C.11.1 and C.11.2, palettes C.7.6.3.1.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from bustle.io.dicom.header import items, number, text, whole


def grey_table(dataset: Dataset, *, bits: int, signed: bool) -> NDArray[np.uint8]:
    """The grey level 0..255, 0 is black, of each stored value of so many bits, by the value's bits as a number.

    Without a window or a table of the values of interest, the whole range of the modality's values is shown.
    """
    stored = stored_values(bits, signed=signed)
    values = _modality_values(stored, dataset)
    window = _window(dataset)
    if items(dataset, "VOILUTSequence"):
        found = apply_voi_lut(values.astype(np.int64), dataset, prefer_lut=True).astype(np.float64)
        shown = found / _most_of_lut(items(dataset, "VOILUTSequence")[0], found)
    elif window is not None:
        shown = _windowed(values, *window, function=text(dataset, "VOILUTFunction") or "LINEAR")
    else:
        shown = (values - values.min()) / max(float(values.max() - values.min()), 1.0)
    inverse = text(dataset, "PresentationLUTShape") == "INVERSE"
    if inverse or text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        shown = 1.0 - shown
    return np.round(255.0 * np.clip(shown, 0.0, 1.0)).astype(np.uint8)


def stored_values(bits: int, *, signed: bool) -> NDArray[np.int64]:
    """The value of each pattern of bits."""
    values = np.arange(1 << bits, dtype=np.int64)
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values) if signed else values


def _modality_values(stored: NDArray[np.int64], dataset: Dataset) -> NDArray[np.float64]:
    if items(dataset, "ModalityLUTSequence"):
        return apply_modality_lut(stored, dataset).astype(np.float64)
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    return stored.astype(np.float64) * np.float64(slope) + np.float64(intercept)


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Centre and width of the first window that has any."""
    centre, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    return None if centre is None or width is None or width <= 0 else (centre, width)


def _windowed(values: NDArray[np.float64], centre: float, width: float, *, function: str) -> NDArray[np.float64]:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, of 0..1."""
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if width <= 1:
        return (values > centre - 0.5).astype(np.float64)
    return (values - (centre - 0.5)) / (width - 1.0) + 0.5


def _most_of_lut(table: Dataset, found: NDArray[np.float64]) -> float:
    """The largest value that the table's entries may have."""
    descriptor = table.get("LUTDescriptor")
    bits = int(descriptor[2]) if descriptor is not None and len(descriptor) == 3 else 16
    return float(max((1 << min(max(bits, 1), 16)) - 1, found.max()))


def palette_table(dataset: Dataset, *, bits: int, signed: bool) -> NDArray[np.uint8]:
    """The colour, uint8 `2^bits 3` (RGB), of each stored value; segmented tables are expanded.

    Entries of 16 bits keep their upper byte, unless none needs it.
    """
    colours = apply_color_lut(stored_values(bits, signed=signed), dataset)[:, :3]
    if colours.shape[1] != 3:
        raise ValueError("a table of the palette is missing")
    if colours.dtype != np.uint8 and colours.max() > 255:
        colours = colours >> 8
    return colours.astype(np.uint8)


def bits_of(dataset: Dataset) -> tuple[int, int, int] | None:
    """Bits allocated, bits stored, and by how many bits the stored ones are shifted; None where they do not fit."""
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    if allocated is None:
        return None
    stored = allocated if stored is None else stored
    high = whole(dataset, "HighBit")
    shift = 0 if high is None else high + 1 - stored
    fits = allocated in (8, 16) and 1 <= stored <= allocated and 0 <= shift <= allocated - stored
    return (allocated, stored, shift) if fits else None
