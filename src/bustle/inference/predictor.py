"""A trained model, opened from a run or a package, and ready to predict."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import ArrayError, InputError
from bustle.core.explanation import ExplanationMethod
from bustle.core.files import sha256_of_file
from bustle.core.model_provenance import ModelProvenance, NetworkWeights
from bustle.core.provenance import installed_version
from bustle.core.recipe import load_recipe
from bustle.core.run_layout import FoldLayout, RunLayout, named_run
from bustle.core.run_provenance import untrained_heads_of
from bustle.core.types import Geometry, Prediction
from bustle.inference.backend import Backend, GradientBackend
from bustle.inference.decision import DecisionRule
from bustle.inference.decision_file import rule_digest, rule_of
from bustle.inference.explanation.explain import chosen_methods, explain
from bustle.inference.image_prediction import ImagePipeline
from bustle.inference.known_cases import NOTHING_KNOWN, KnownCases
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import MODEL, WEIGHTS, Package, is_package
from bustle.inference.package_backend import open_package, wanted_threads
from bustle.inference.pipeline import Item, Pipeline
from bustle.inference.shipped import named_model
from bustle.inference.shuffled_graph import can_shuffle
from bustle.inference.torch_backend import TorchBackend

if TYPE_CHECKING:
    from bustle.inference.explanation.check import ExplanationCheck


class Predictor:
    """A trained model, ready to predict. Several folds of one run are averaged as probabilities.

    `path` is where it was opened, `data` says how images become inputs, `rule` how its outputs become answers (None:
    the most probable class is the decision), `protocol` is the recipe's for the published track, `provenance` what
    goes into every prediction about the model, `known` what it remembers of its training, `warnings` what a reader of
    them must know.

    Threads may share one. Another process gets it by its path and digests and opens it there (`spawn`, joblib); a
    process that was forked may not use its parent's, whose threads it lacks.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        path: Path,
        protocol: str,
        data: ImageData | PatchData,
        provenance: ModelProvenance,
        rule: DecisionRule | None = None,
        known: KnownCases = NOTHING_KNOWN,
        device: str = "auto",
        warnings: Sequence[str] = (),
    ):
        self.path = path
        self._device = device
        self._process = os.getpid()
        self.warnings = tuple(warnings)
        self.protocol = protocol
        self.data = data
        self.provenance = provenance
        self._backend = backend
        self.rule = rule
        self._pipeline = _pipeline(data, backend=backend, provenance=provenance, rule=rule, known=known)

    @classmethod
    def open(cls, model: Path, *, device: str = "auto", fold: int | None = None) -> Predictor:
        """Open a run folder (all its finished folds, or `fold`), one fold's folder, or a model package.

        A package that is installed with bustle may be given by its name. A fold that is named and not finished gives
        a warning. Raises `InputError` for what is none of them, has no finished fold, or holds broken weights.
        """
        model = named_model(Path(model))
        if not model.exists():
            raise InputError(
                "does not exist", remedy="give a run of `bustle train` or a package of `bustle export`", path=model
            )
        if fold is None and is_package(model):
            return cls._of_package(Package(model), device=device)
        opened = named_run(model, fold=fold).opened()
        folds = opened.finished_folds()
        return cls._of_folds(
            folds,
            run=opened.run,
            path=model if fold is None else opened.run.fold(fold).path,
            device=device,
            unfinished=[each.name for each in folds if not each.is_finished],
        )

    @classmethod
    def of_trained_fold(cls, run: RunLayout, number: int, *, device: str = "auto") -> Predictor:
        """One fold whose training has ended, to be scored, which finishes the fold."""
        fold = run.fold(number)
        return cls._of_folds([fold], run=run, path=fold.path, device=device, unfinished=())

    @classmethod
    def _of_folds(
        cls, folds: Sequence[FoldLayout], *, run: RunLayout, path: Path, device: str, unfinished: Sequence[str]
    ) -> Predictor:
        recipe = load_recipe(str(run.recipe))
        untrained = untrained_heads_of(run, folds)
        backend = TorchBackend(recipe, weights=[each.weights for each in folds], device=device, untrained=untrained)
        rule = rule_of(folds)
        provenance = ModelProvenance(
            model=recipe.model.id,
            recipe=recipe.id,
            weights=tuple(NetworkWeights(fold=each.name, sha256=sha256_of_file(each.weights)) for each in folds),
            decision_rule=None if rule is None else rule_digest(rule),
            views=recipe.views,
            unfinished=tuple(unfinished),
            title=recipe.title,
            runtime=backend.runtime,
            bustle=installed_version(),
        )
        return cls(
            backend,
            path=path,
            device=device,
            protocol=recipe.protocol,
            data=recipe.data,
            rule=rule,
            provenance=provenance,
            warnings=[
                f"UNFINISHED: {name} is not trained and scored to its end; its weights are the best so far"
                for name in unfinished
            ]
            + [
                f"the {head} head was never trained, because no training case has a {head}: it gives no answer"
                for head in sorted(untrained)
            ],
        )

    @classmethod
    def _of_package(cls, package: Package, *, device: str) -> Predictor:
        record = package.record
        if WEIGHTS in record.files:
            package.checked(WEIGHTS)  # which nothing else looks at; the graph is compared when it is loaded
        backend = open_package(package, device=device)
        provenance = ModelProvenance(
            model=record.network,
            recipe=record.recipe,
            weights=record.weights,
            package=record.files[MODEL],
            decision_rule=None if record.decision is None else rule_digest(record.decision),
            views=record.views,
            title=record.title,
            runtime=backend.runtime,
            bustle=installed_version(),
        )
        return cls(
            backend,
            path=package.path,
            device=device,
            protocol=record.protocol,
            data=record.preprocessing,
            rule=record.decision,
            known=KnownCases(record.seen_images, record.training_cases),
            provenance=provenance,
        )

    @property
    def title(self) -> str:
        return self.provenance.title

    @property
    def outlines(self) -> bool:
        """Whether the model gives a mask."""
        return self._backend.mask_meaning is not None

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None = None) -> None:
        """Raises `InputError` for what the model cannot predict: an image where it takes volumes, and the reverse.

        Of volumes also as `check_volume` says.
        """
        self._pipeline.check(geometry, centre=centre)

    def predict(
        self, image: NDArray[np.uint8], *, case_id: str, spacing: tuple[float, ...] | None = None
    ) -> Prediction:
        """Predict one image uint8 `C H W` (C = 1 or 3); `bustle.predict` takes other arrays.

        Raises as `predict_many`.
        """
        check_pixels(image, dims=2)
        return next(self.predict_many([Item(case_id, image, Geometry(image.shape[1:], spacing=spacing))]))

    def predict_many(self, items: Iterable[Item], *, batch_size: int = 8) -> Iterator[Prediction]:
        """Predict images of any sizes, in order; at most `batch_size` are held at a time, volumes one by one.

        Raises `ArrayError` for arrays of another type or shape, and `InputError` in a forked process.
        """
        if os.getpid() != self._process:
            raise InputError(
                f"the model {self.path.name} was opened before this process was forked, and would wait for ever",
                remedy="start processes with multiprocessing.get_context('spawn')",
            )
        return self._pipeline.predict_many(self._checked(items), batch_size=batch_size)

    def explanation_methods(self, asked: Sequence[ExplanationMethod] = ()) -> tuple[ExplanationMethod, ...]:
        """The methods of `asked`, each once; of none, the best that the model offers.

        Raises `InputError` for one that it does not offer.
        """
        return chosen_methods(asked, backend=self._backend)

    def explained(
        self, prediction: Prediction, image: NDArray[np.uint8], *, methods: Sequence[ExplanationMethod]
    ) -> Prediction:
        """A prediction of this model with maps that explain it, by methods that the model offers.

        `image` uint8 `C *S` is what it was made of.
        """
        found = explain(prediction, image, methods=methods, backend=self._backend, data=self.data)
        return dataclasses.replace(prediction, explanations=found)

    def explanation_check(self) -> ExplanationCheck:
        """What tells whether this model's maps explain its classes."""
        from bustle.inference.explanation.check import SEED, ExplanationCheck  # needs SciPy, which answers do not

        backend = self._backend
        forgetful: Backend | None = None
        if isinstance(backend, GradientBackend):
            forgetful = backend.shuffled(seed=SEED)
        elif can_shuffle():
            forgetful = OnnxBackend(Package(self.path), device=self._device, threads=wanted_threads(), shuffle=SEED)
        return ExplanationCheck(backend, forgetful, self.data)

    def _checked(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            check_pixels(item.image, dims=len(self.data.size))
            yield item

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_again, (self.path.absolute(), self._device, self.provenance)


def check_pixels(image: Any, *, dims: int) -> None:
    """Raises `ArrayError` for what is not uint8 `C *S` with one or three channels and `dims` axes more."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise ArrayError(f"the image is {kind}, not an array of uint8", remedy="bustle.predict takes other arrays")
    if image.ndim != dims + 1 or image.shape[0] not in (1, 3) or not image.size:
        shape = " x ".join(map(str, image.shape)) or "of one number"
        wanted = "C H W" if dims == 2 else "C D H W"
        raise ArrayError(f"the array has the shape {shape}", remedy=f"give {wanted} with 1 or 3 channels")


def _opened_again(path: Path, device: str, expected: ModelProvenance) -> Predictor:
    """In another process: raises `InputError` where another model stands there by now."""
    predictor = Predictor.open(path, device=device)
    if not predictor.provenance.same_files_as(expected):
        raise InputError("holds another model than it did", remedy="open it again", path=path)
    return predictor


def _pipeline(
    data: ImageData | PatchData,
    *,
    backend: Backend,
    provenance: ModelProvenance,
    rule: DecisionRule | None,
    known: KnownCases,
) -> Pipeline:
    if isinstance(data, PatchData):
        from bustle.inference.volume_prediction import VolumePipeline  # needs SciPy, which images do not

        return VolumePipeline(backend, data, provenance, rule, known)
    return ImagePipeline(backend, data, provenance, rule, known)


def is_model(path: Path) -> bool:
    """Whether a path looks like what `Predictor.open` takes: a package, a run folder or one fold's folder."""
    return is_package(path) or named_run(path).run.is_run
