"""Regions of an ultrasound picture: where the B-mode lies, and how large its pixels are (PS3.3 C.8.5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from bustle.core.types import Box
from bustle.io.dicom.header import items, number, whole

TISSUE = "B-mode tissue"

_FORMATS = {2: "M-mode", 3: "spectral Doppler", 4: "a wave form", 5: "graphics"}
_DATA_TYPES = {
    1: TISSUE,
    2: "colour flow",
    3: "spectral Doppler",
    4: "spectral Doppler",
    5: "a Doppler trace",
    6: "a Doppler trace",
    7: "a Doppler trace",
    8: "a volume trace",
    0xA: "an ECG",
    0xB: "a pulse wave",
    0xC: "a phonocardiogram",
    0xD: "a grey bar",
    0xE: "a colour bar",
    0xF: "integrated backscatter",
}
_TWO_DIMENSIONAL = 1
_CENTIMETRES = 3
_MM = 10.0
PLAUSIBLE_MM = (1e-3, 10.0)
"""Pixels outside of it are a mistake, or of no ultrasound."""

_SAME_FIELD = 0.5
"""Two regions of which the smaller lies to this share in the larger show one field."""

CROPPED = "a region reaches beyond the picture, which was cropped"

_CORNERS = ("RegionLocationMinY0", "RegionLocationMinX0", "RegionLocationMaxY1", "RegionLocationMaxX1")


@dataclass(frozen=True)
class Region:
    """One region: `content` for people, where it lies in the picture, and its pixels' (row, column) size in mm.

    `box` is None where it has no size. `ignored` says why nothing is looked at there; None where something is.
    """

    content: str
    box: Box | None
    spacing: tuple[float, float] | None
    ignored: str | None


@dataclass(frozen=True)
class StatedRegions:
    """The regions that a file states, and what was noticed."""

    regions: tuple[Region, ...]
    remarks: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[Region, ...]:
        """The regions that are looked at, from left to right and from top to bottom."""
        kept = [region for region in self.regions if region.ignored is None and region.box is not None]
        return tuple(sorted(kept, key=_place))


def _place(region: Region) -> tuple[int, int]:
    assert region.box is not None
    return region.box.x_start, region.box.y_start


def regions_of(dataset: Dataset, *, size: tuple[int, int]) -> StatedRegions:
    """The regions of a picture of `size` (rows, columns), those of its first frame's group where only it has some."""
    stated = items(dataset, "SequenceOfUltrasoundRegions") or _of_functional_groups(dataset)
    corners = [_corners(item) for item in stated]
    known = [found for found in corners if found is not None]
    if any(y_stop > size[0] + 1 and x_stop > size[1] + 1 for _, _, y_stop, x_stop in known):
        return StatedRegions((), ("its regions are of a larger picture, of which this is a smaller copy",))
    found = [_region(item, place, size=size) for item, place in zip(stated, corners, strict=True)]
    cut = any(
        place is not None and region.ignored is None and (place[2] > size[0] + 1 or place[3] > size[1] + 1)
        for region, place in zip(found, corners, strict=True)
    )
    remarks = (CROPPED,) if cut else ()
    return StatedRegions(tuple(_one_each(found)), remarks)


def _of_functional_groups(dataset: Dataset) -> tuple[Dataset, ...]:
    groups = items(dataset, "SharedFunctionalGroupsSequence") + items(dataset, "PerFrameFunctionalGroupsSequence")[:1]
    for group in groups:
        for element in group:
            if element.VR == "SQ":
                for item in element.value:
                    if found := items(item, "SequenceOfUltrasoundRegions"):
                        return found
    return ()


def _corners(item: Dataset) -> tuple[int, int, int, int] | None:
    """Top, left, bottom and right, stops exclusive; reversed corners are put in order."""
    top, left, bottom, right = (whole(item, keyword) for keyword in _CORNERS)
    if top is None or left is None or bottom is None or right is None:
        return None
    rows, columns = sorted((top, bottom)), sorted((left, right))
    return rows[0], columns[0], rows[1] + 1, columns[1] + 1


def _region(item: Dataset, corners: tuple[int, int, int, int] | None, *, size: tuple[int, int]) -> Region:
    layout, kind = whole(item, "RegionSpatialFormat"), whole(item, "RegionDataType")
    content = _FORMATS.get(layout or 0) or _DATA_TYPES.get(kind or 0, "nothing that is stated")
    box = None if corners is None else _within(corners, size)
    ignored = None
    if layout != _TWO_DIMENSIONAL or content != TISSUE:
        ignored = f"it shows {content}"
    elif box is None:
        ignored = "it has no size"
    return Region(content, box, _spacing(item), ignored)


def _within(corners: tuple[int, int, int, int], size: tuple[int, int]) -> Box | None:
    """The part of the region that the picture holds; a corner beside another (one pixel) is no size."""
    top, left, bottom, right = corners
    if bottom - top < 2 or right - left < 2:
        return None
    box = Box(max(0, top), max(0, left), min(size[0], bottom), min(size[1], right))
    return box if box.y_stop - box.y_start > 1 and box.x_stop - box.x_start > 1 else None


def _spacing(item: Dataset) -> tuple[float, float] | None:
    """(row, column) in mm; axes may run the other way, which a negative step says."""
    units = whole(item, "PhysicalUnitsYDirection"), whole(item, "PhysicalUnitsXDirection")
    steps = number(item, "PhysicalDeltaY"), number(item, "PhysicalDeltaX")
    if units != (_CENTIMETRES, _CENTIMETRES) or steps[0] is None or steps[1] is None:
        return None
    return plausible(abs(steps[0]) * _MM, abs(steps[1]) * _MM)


def plausible(row: float, column: float) -> tuple[float, float] | None:
    """The two sizes, or None where one of them can be none of a pixel."""
    least, most = PLAUSIBLE_MM
    return (row, column) if least <= row <= most and least <= column <= most else None


def _one_each(regions: Sequence[Region]) -> list[Region]:
    """Of several regions of one field, the largest is kept, with the first spacing that any of them has."""
    order = sorted(
        (number for number, region in enumerate(regions) if region.ignored is None),
        key=lambda number: -_area(regions[number].box),
    )
    result, kept = list(regions), list[int]()
    for place in order:
        same = next((other for other in kept if _overlap(result[other].box, result[place].box) >= _SAME_FIELD), None)
        if same is None:
            kept.append(place)
            continue
        result[same] = replace(result[same], spacing=result[same].spacing or result[place].spacing)
        result[place] = replace(result[place], ignored="it lies in another region of tissue")
    return result


def _area(box: Box | None) -> int:
    return 0 if box is None else (box.y_stop - box.y_start) * (box.x_stop - box.x_start)


def _overlap(one: Box | None, other: Box | None) -> float:
    """The share of `other` that lies in `one`."""
    if one is None or other is None:
        return 0.0
    height = min(one.y_stop, other.y_stop) - max(one.y_start, other.y_start)
    width = min(one.x_stop, other.x_stop) - max(one.x_start, other.x_start)
    return max(0, height) * max(0, width) / _area(other)
