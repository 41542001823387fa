"""The one way from an image to a `Prediction`: prepare, run the networks, return to the original grid, measure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import to_mapping
from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file
from bustle.core.memory import available_memory
from bustle.core.provenance import versions
from bustle.core.recipe import load_recipe
from bustle.core.run_layout import named_run
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.inference.backend import Backend
from bustle.inference.decision import decide, named
from bustle.inference.lesions import measure_lesions
from bustle.inference.package import MODEL, Package, is_package
from bustle.inference.package_backend import open_package
from bustle.inference.postprocess import channels_on_original_grid, lesion_probability
from bustle.inference.torch_backend import TorchBackend


class Item(NamedTuple):
    """What is to be predicted: an image uint8 `C H W`, or a volume `C D H W`.

    `centre` (in voxels) says where a volume's lesion is; None leaves it to the model to search.
    """

    case_id: str
    image: NDArray[np.uint8]
    geometry: Geometry
    centre: tuple[float, ...] | None = None


class Predictor:
    """A trained model, ready to predict. Several folds of one run are averaged as probabilities.

    `path` is where it was opened, `data` says how images become inputs, `protocol` is the recipe's for the published
    track, `provenance` what goes into every prediction about the model.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        path: Path,
        title: str,
        protocol: str,
        data: ImageData | PatchData,
        provenance: Mapping[str, Any],
    ):
        self.path = path
        self.title = title
        self.protocol = protocol
        self.data = data
        self._backend = backend
        self.provenance = {
            **provenance,
            "title": title,
            "runtime": backend.runtime,
            "bustle": versions().get("bustle"),
        }

    @classmethod
    def open(cls, model: Path, *, device: str = "auto", fold: int | None = None) -> Predictor:
        """Open a run folder (all its finished folds, or `fold`), one fold's folder, or a model package.

        Raises `InputError` for what is none of them, has no finished fold, or holds broken weights.
        """
        model = Path(model)
        if not model.exists():
            raise InputError(
                "does not exist", remedy="give a run of `bustle train` or a package of `bustle export`", path=model
            )
        if fold is None and is_package(model):
            return cls._of_package(Package(model), device=device)
        opened = named_run(model, fold=fold).opened()
        folds = opened.finished_folds()
        recipe = load_recipe(str(opened.run.recipe))
        return cls(
            TorchBackend(recipe, weights=[each.weights for each in folds], device=device),
            path=model if fold is None else opened.run.fold(fold).path,
            title=recipe.title,
            protocol=recipe.protocol,
            data=recipe.data,
            provenance={
                "model": recipe.model.id,
                "recipe": recipe.id,
                "weights": [{"fold": each.name, "sha256": sha256_of_file(each.weights)} for each in folds],
            },
        )

    @classmethod
    def _of_package(cls, package: Package, *, device: str) -> Predictor:
        record = package.record
        return cls(
            open_package(package, device=device),
            path=package.path,
            title=record.title,
            protocol=record.protocol,
            data=record.preprocessing,
            provenance={
                "model": record.network,
                "recipe": record.recipe,
                "weights": to_mapping(record.weights),
                "package": record.files[MODEL],
            },
        )

    @property
    def outlines(self) -> bool:
        """Whether the model gives a mask."""
        return self._backend.mask_meaning is not None

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None = None) -> None:
        """Raises `InputError` for what the model cannot predict: an image where it takes volumes, and the reverse.

        Of volumes also as `check_volume` says.
        """
        if isinstance(self.data, PatchData):
            from bustle.inference.volume_prediction import check_volume

            check_volume(geometry, centre=centre, data=self.data, outlines=self.outlines, free=available_memory())
        else:
            ImageGrid.of(geometry, section=self.data)

    def predict(
        self, image: NDArray[np.uint8], *, case_id: str, spacing: tuple[float, ...] | None = None
    ) -> Prediction:
        """Predict one image `C H W` (C = 1 or 3)."""
        return next(self.predict_many([Item(case_id, image, Geometry(image.shape[1:], spacing=spacing))]))

    def predict_many(self, items: Iterable[Item], *, batch_size: int = 8) -> Iterator[Prediction]:
        """Predict images of any sizes, in order; at most `batch_size` are held at a time, volumes one by one."""
        remaining = iter(items)
        if isinstance(self.data, PatchData):
            for item in remaining:
                yield self._predict_volume(item, data=self.data)
            return
        while batch := list(itertools.islice(remaining, batch_size)):
            grids = [ImageGrid.of(item.geometry, section=self.data) for item in batch]
            prepared = [grid.prepare(item.image) for item, grid in zip(batch, grids, strict=True)]
            images = np.stack([normalise(image, section=self.data) for image in prepared])
            masks, classes = self._backend.run(images)
            for i, (item, grid) in enumerate(zip(batch, grids, strict=True)):
                yield self._prediction(
                    item.case_id,
                    grid,
                    channels=None if masks is None else masks[i],
                    classes=None if classes is None else classes[i],
                )

    def _predict_volume(self, item: Item, *, data: PatchData) -> Prediction:
        from bustle.inference.volume_prediction import predict_volume  # needs SciPy, which images do not

        return predict_volume(
            item.image,
            case_id=item.case_id,
            geometry=item.geometry,
            centre=item.centre,
            backend=self._backend,
            data=data,
            provenance=self.provenance,
        )

    def _prediction(
        self,
        case_id: str,
        grid: ImageGrid,
        *,
        channels: NDArray[np.float32] | None,
        classes: NDArray[np.float32] | None,
    ) -> Prediction:
        segmentation = None
        meaning = self._backend.mask_meaning
        if channels is not None and meaning is not None:
            native = channels_on_original_grid(channels, grid=grid)
            probability = lesion_probability(native, meaning=meaning)
            mask = meaning.lesion_mask(native)
            segmentation = ImageSegmentation(
                probability=probability,
                mask=mask,
                network_mask=meaning.lesion_mask(channels),
                lesions=measure_lesions(mask, probability, spacing=grid.geometry.spacing),
            )
        class_probabilities = named(classes, classes=self.data.classes)
        return Prediction(
            case_id=case_id,
            geometry=grid.geometry,
            mapping=grid.mapping,
            segmentation=segmentation,
            class_probabilities=class_probabilities,
            decision=decide(class_probabilities),
            provenance=self.provenance,
        )


def is_model(path: Path) -> bool:
    """Whether a path looks like what `Predictor.open` takes: a package, a run folder or one fold's folder."""
    return is_package(path) or named_run(path).run.is_run
