"""One input of a prediction: read from its file, known again by its digest, and drawn and written with its answer."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bustle.core.errors import ArrayError, InputError
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.blank_pictures import nothing_in
from bustle.data.prepared.orientation import Orientation
from bustle.data.relations.frame_features import to_grey
from bustle.drawing.heat import draw_explanation
from bustle.drawing.prediction_picture import draw_prediction
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.inputs import InputImage, spacing_per_axis
from bustle.inference.prediction_files import prediction_folder, write_prediction
from bustle.io.bit_depth import to_8_bit
from bustle.io.raster import image_of_pixels, read_image
from bustle.io.volume import is_volume, read_volume

DESCRIBED_LESIONS = 10
"""Of the lesions of one image or volume, the largest first: a map of noise has hundreds of parts."""


class Picture(NamedTuple):
    """What is needed of one input: name, image uint8 `C *S`, geometry, the true mask where it is known.

    `file` is the image's, None where it was generated. `centre` says where a volume's lesion is, for a prediction
    that is told.
    """

    name: str
    image: NDArray[np.uint8]
    geometry: Geometry
    file: Path | None
    truth: NDArray[np.bool_] | None = None
    centre: tuple[float, ...] | None = None

    def digest(self) -> str:
        """Stands for the pixels and what is known of their size."""
        digest = hashlib.sha256(np.ascontiguousarray(self.image).data)
        digest.update(repr((self.image.shape, self.geometry.spacing)).encode())
        return digest.hexdigest()


def read_picture(
    path: Path, *, name: str, spacing: tuple[float, ...] | None = None, centre: tuple[float, ...] | None = None
) -> Picture:
    """Decode an image or a volume. `spacing` (mm, one number or one per axis) replaces what the file says.

    An EXIF orientation is applied. Raises `InputError` for a file that cannot be read or shows nothing, and for a
    spacing of other axes.
    """
    if is_volume(path):
        voxels, geometry = read_volume(path, spacing=spacing and spacing_per_axis(spacing, dims=3, path=path))
        return _checked(Picture(name, voxels[None], geometry, path, centre=centre))
    image = read_image(path, upright=True)
    geometry = Geometry(image.shape[1:], spacing=spacing and spacing_per_axis(spacing, dims=2, path=path))
    return _checked(Picture(name, image, geometry, path, centre=centre))


def read_input(
    image: InputImage, *, spacing: tuple[float, ...] | None = None, centre: tuple[float, ...] | None = None
) -> Picture:
    """Decode one input of a command as `read_picture` does, or its picture of a DICOM file."""
    if image.problem is not None:
        raise image.problem
    if image.dicom is None:
        return read_picture(image.path, name=image.name, spacing=spacing, centre=centre)
    from bustle.io.dicom.pictures import read_picture as read_dicom_picture

    pixels, geometry = read_dicom_picture(image.dicom)
    if spacing is not None:
        own = spacing_per_axis(spacing, dims=geometry.dims, path=image.path)
        geometry = dataclasses.replace(geometry, spacing=own)
    return _checked(Picture(image.name, pixels, geometry, image.path, centre=centre if geometry.dims == 3 else None))


def picture_of_array(
    values: ArrayLike,
    *,
    name: str,
    dims: int,
    spacing: tuple[float, ...] | None = None,
    centre: tuple[float, ...] | None = None,
) -> Picture:
    """A picture of an array: with `dims` 2 of `H W`, `H W 1`, `H W 3` (RGB) or `H W 4` (RGBA), with 3 of `D H W`.

    Raises `ArrayError` for another shape and for values that are not whole numbers of 8 to 16 bits, and `InputError`
    where they show nothing.
    """
    array = _array_of_numbers(values)
    if dims == 2 and array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    fits = array.ndim == dims or (dims == 2 and array.ndim == 3 and array.shape[2] in (3, 4))
    if not fits or not array.size:
        raise ArrayError(
            f"the array has the shape {' x '.join(map(str, array.shape)) or 'of one number'}",
            remedy="give an image H W or H W 3" if dims == 2 else "give a volume D H W",
        )
    try:
        image = image_of_pixels(array) if dims == 2 else to_8_bit(array, path=None)[None]
    except InputError as error:
        raise ArrayError(error.problem, remedy=error.remedy) from None
    geometry = Geometry(image.shape[1:], spacing=spacing and spacing_per_axis(spacing, dims=dims))
    return _checked(Picture(name, image, geometry, None, centre=centre))


def _array_of_numbers(values: ArrayLike) -> NDArray[Any]:
    """Raises `ArrayError` for what holds no numbers, and for fractions, which 0..1 are however they are stored."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise ArrayError(f"is no array ({error})", remedy="give one image as one array") from None
    if array.dtype.kind not in "uif":
        raise ArrayError(
            f"the array holds values of the type {array.dtype}", remedy="give whole numbers of 8 to 16 bits"
        )
    if array.dtype.kind == "f" and array.size and 0 < array.max() <= 1:
        raise ArrayError(
            "the array holds neither 8-bit nor 16-bit values but fractions of 1",
            remedy="give (255 * array).round().astype('uint8')",
        )
    return array


def _checked(picture: Picture) -> Picture:
    """Raises `InputError` for a picture about which nothing can be said."""
    reason = nothing_in(picture.image)
    if reason is not None:
        raise InputError(f"holds no ultrasound: {reason}", remedy="leave it out", path=picture.file)
    return picture


def write_files(
    prediction: Prediction, picture: Picture, out: Path, *, save_probability: bool = False, describe: bool = True
) -> Path:
    """Write `out/<case_id>` with the masks, the record and the overlay, and return that folder.

    `describe` the lesions for a reader, which takes longer than the prediction; scoring asks for none of it. Raises
    `InputError` where that fails.
    """
    folder = prediction_folder(out, prediction.case_id)
    write_prediction(
        prediction,
        folder,
        overlay=draw_prediction(picture.image, prediction, truth=picture.truth),
        explanation_pictures=[draw_explanation(picture.image, prediction, one) for one in prediction.explanations],
        save_probability=save_probability,
        input_sha256=picture.digest(),
        descriptors=_descriptors(prediction, picture) if describe else (),
    )
    return folder


def _descriptors(prediction: Prediction, picture: Picture) -> tuple[LesionDescriptors, ...]:
    """Of the largest lesions that are drawn; a volume is measured along the axes of the convention."""
    drawn, spacing = prediction.segmentation, prediction.geometry.spacing
    if drawn is None:
        return ()
    if isinstance(drawn, ImageSegmentation):
        return describe_lesions(to_grey(picture.image), drawn.mask, spacing=spacing, at_most=DESCRIBED_LESIONS)
    axes = Orientation.of(prediction.geometry)
    return describe_lesions(
        axes.from_stored(picture.image[0]),
        axes.from_stored(drawn.parts),
        spacing=None if spacing is None else axes.reordered(spacing),
        at_most=DESCRIBED_LESIONS,
    )
