"""Opening models, and asking them about one image or volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bustle.core.extras import naming_the_extra
from bustle.core.paths import given_path
from bustle.library.guest import as_a_guest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from bustle.core.explanation import ExplanationMethod
    from bustle.inference.inputs import InputImage
    from bustle.inference.predictor import Predictor
    from bustle.library.drawn_prediction import DrawnPrediction


@naming_the_extra()
@as_a_guest()
def load_model(
    path: str | Path | None = None, *, device: Literal["auto", "cpu", "cuda"] = "auto", fold: int | None = None
) -> Predictor:
    """Open a trained model.

    Args:
        path: a package of `bustle export` (a folder or a zip, which need no PyTorch), or a run of `bustle train`,
            whose finished folds are averaged; `"run/fold-0"` is one of them. By default the reference model that
            comes with bustle.
        device: `"auto"` takes a GPU if there is one.
        fold: of a run, only this fold (from 0).

    Returns:
        The model, for `predict` and `evaluate`. `title` names it, `data.classes` are its classes, `outlines` says
        whether it gives a mask.

    Raises:
        InputError: for what is no model, a run without a finished fold, broken weights, an absent device, and a run
            where PyTorch is not installed.
    """
    from bustle.inference.predictor import Predictor
    from bustle.inference.shipped import default_model

    return Predictor.open(default_model() if path is None else given_path(path), device=device, fold=fold)


@naming_the_extra()
@as_a_guest()
def predict(
    image: str | Path | ArrayLike,
    *,
    model: Predictor | str | Path | None = None,
    spacing: float | Sequence[float] | None = None,
    centre: Sequence[float] | None = None,
    name: str | None = None,
    explain: bool | Sequence[ExplanationMethod] = False,
) -> DrawnPrediction:
    """Outline and classify the lesions of one image or volume.

    Args:
        image: a file (PNG, JPEG, BMP, TIFF; NRRD, NIfTI, MHA; DICOM of one picture), or an array: an image `H W` or
            `H W 1` (grey), `H W 3` (RGB) or `H W 4` (RGBA, on black), for a model for volumes `D H W` (slice, depth,
            lateral). Whole numbers, also stored as floats, which are scaled from the least of 8, 10, 12, 14 and 16
            bits that holds them: 12-bit grey values look as in an 8-bit file.
        model: what `load_model` returned, or a path that it takes; by default the reference model.
        spacing: the size in mm of a pixel or voxel: one number, or one per axis in the array's order. Files may say
            it themselves; arrays of volumes need it; without it an image is measured in pixels.
        centre: of a volume, the lesion's place (slice, row, column) in voxels from 0: only there is looked. By
            default the whole volume is searched.
        explain: True for a map of where the answer comes from, by the best method that the model offers; or the
            methods themselves (`"cam"`, `"uncertainty"`; of runs also `"gradcam"`, `"integrated_gradients"`).
        name: the prediction's `case_id`; by default the file's stem, or `"image"` for an array.

    Returns:
        The prediction on the image's own grid. It shows itself in a notebook, and `save` writes the files that
        `bustle predict` writes.

    Raises:
        InputError: for a file that cannot be read, a method that the model does not offer, and an image for a model
            that takes volumes, or the reverse; its kind `ArrayError`, which is a `ValueError` too, for an array of
            another shape or type, with fractions, NaN or negative values, and for an empty one.
    """
    import numpy as np

    from bustle.core.errors import InputError
    from bustle.core.folder_names import portable_name
    from bustle.experiments.pictures import picture_of_array, read_input, read_picture
    from bustle.inference.predictor import Item, Predictor
    from bustle.io.dicom.recognition import is_dicom
    from bustle.io.volume import volume_stem
    from bustle.library.drawn_prediction import DrawnPrediction

    opened = model if isinstance(model, Predictor) else load_model(model)
    steps = None if spacing is None else tuple(map(float, np.ravel(spacing)))
    place = None if centre is None else tuple(map(float, centre))
    if place is not None and not opened.data.needs_place:
        raise InputError("centre is for volumes, this model takes images", remedy="leave it out")
    if isinstance(image, str | Path):
        file = given_path(image)
        if is_dicom(file):
            picture = read_input(_only_picture(file, name=name), spacing=steps, centre=place)
        else:
            picture = read_picture(file, name=name or portable_name(volume_stem(file)), spacing=steps, centre=place)
    else:
        dims = len(opened.data.size)
        picture = picture_of_array(image, name=name or "image", dims=dims, spacing=steps, centre=place)
    try:
        opened.check(picture.geometry, centre=picture.centre)
    except InputError as error:
        error.path = picture.file
        raise
    (prediction,) = opened.predict_many([Item(picture.name, picture.image, picture.geometry, picture.centre)])
    if explain is not False:
        methods = opened.explanation_methods(() if explain is True else explain)
        prediction = opened.explained(prediction, picture.image, methods=methods)
    return DrawnPrediction(prediction, picture)


def _only_picture(file: Path, *, name: str | None) -> InputImage:
    """The picture of a DICOM file. Raises `InputError` for a clip, and for a picture of several fields."""
    import dataclasses

    from bustle.core.errors import InputError
    from bustle.inference.inputs import find_images

    first, *others = found = find_images([str(file)])
    if others:
        raise InputError(
            f"holds {len(found)} pictures", remedy="predict it with `bustle predict`, which takes clips", path=file
        )
    return dataclasses.replace(first, name=name or first.name)
