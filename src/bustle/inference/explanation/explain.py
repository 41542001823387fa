"""Explains a prediction: which methods a model offers, which class they explain, and the maps on the case's grid."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.explanation import CHANNEL, MEANINGS, METHODS, ExplanationMethod
from bustle.core.extras import naming_the_extra
from bustle.core.types import Explanation, Prediction
from bustle.data.prepared.intensities import normalise
from bustle.inference.backend import Backend, GradientBackend
from bustle.inference.decision import most_probable
from bustle.inference.explanation.outline_spread import outline_spread
from bustle.inference.explanation.view import View
from bustle.inference.postprocess import bounded_lesion_probability


def methods_of(backend: Backend) -> tuple[ExplanationMethod, ...]:
    """The methods that are possible with a model, the best first."""
    gradients = isinstance(backend, GradientBackend) and backend.gives_gradients
    possible = {
        "cam": backend.gives_class_maps,
        "gradcam": gradients,
        "integrated_gradients": gradients,
        "uncertainty": backend.mask_meaning is not None,
    }
    return tuple(method for method in METHODS if possible[method])


def chosen_methods(asked: Sequence[ExplanationMethod], *, backend: Backend) -> tuple[ExplanationMethod, ...]:
    """What is asked for, each once; nothing means the best that the model offers, but for its own maps.

    Raises `InputError` for what the model does not offer, and where the package that computes it is not installed.
    """
    offered = methods_of(backend)
    if CHANNEL in asked and not isinstance(backend, GradientBackend):
        raise InputError(
            "a package keeps no maps of its network but the outline", remedy="give the run it was made of"
        )
    missing = [method for method in asked if method not in (*offered, CHANNEL)]
    if missing or not offered:
        what = missing[0] if missing else "explanation"
        raise InputError(f"this model offers no {what}", remedy=_remedy(offered, backend=backend))
    if "integrated_gradients" in asked:
        with naming_the_extra():
            import_module("captum")
    return tuple(dict.fromkeys(asked)) or offered[:1]


def _remedy(offered: Sequence[ExplanationMethod], *, backend: Backend) -> str:
    words = f"it offers {', '.join(offered)}" if offered else "leave --explain out"
    return words if isinstance(backend, GradientBackend) else f"{words}; gradients need the run of the package"


def explain(
    prediction: Prediction,
    image: NDArray[np.uint8],
    *,
    methods: Sequence[ExplanationMethod],
    backend: Backend,
    data: ImageData | PatchData,
) -> tuple[Explanation, ...]:
    """Explain the prediction of an image or volume uint8 `C *S` by methods that its model offers."""
    view = View.of(prediction, image, data=data)
    found = []
    for method in methods:
        if method == CHANNEL:
            assert isinstance(backend, GradientBackend)
            maps = backend.channel_maps(view.batch).items()
            found += [Explanation(method, None, view.to_original(own[0]), channel=channel) for channel, own in maps]
            continue
        name = explained_class(prediction) if MEANINGS[method].of_class else None
        index = None if name is None else data.classes.index(name)
        values = map_of_view(method, view, backend=backend, index=index)
        found.append(Explanation(method, name, view.to_original(values)))
    return tuple(found)


def explained_class(prediction: Prediction) -> str:
    """The class that the decision names, otherwise the most probable one, calibrated where that is known."""
    probabilities = prediction.class_probabilities
    assert probabilities is not None
    if prediction.decision is not None and prediction.decision in probabilities:
        return prediction.decision
    answer = prediction.answer
    calibrated = {} if answer is None else answer.probabilities
    name = most_probable(calibrated or probabilities)
    assert name is not None
    return name


def map_of_view(method: ExplanationMethod, view: View, *, backend: Backend, index: int | None) -> NDArray[np.float32]:
    """The map of a method on a grid of its own; `index` is that of the class, None for a map of the outline."""
    if method == "gradcam" or method == "integrated_gradients":
        assert isinstance(backend, GradientBackend)
        assert index is not None
        return backend.attribution(view.batch, method=method, index=index)[0]
    if method == "cam":
        assert index is not None
        return class_evidence(backend.class_maps(view.batch)[0], index)
    meaning = backend.mask_meaning
    assert meaning is not None

    def lesion_map(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        channels = backend.run(normalise(pixels, section=view.data)[None]).mask_channels
        assert channels is not None
        return bounded_lesion_probability(channels[0], meaning=meaning)

    return outline_spread(view.pixels, lesion_map=lesion_map)


def class_evidence(maps: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """What each cell says for one class against the others, from class maps `N *s`.

    It is scaled so that its mean over the cells, but for a constant, is the logit of the class less the mean of the
    others': a softmax knows only the differences of logits, so that what raises all of them explains nothing.
    """
    cells = maps[0].size
    others = np.delete(maps, index, axis=0).mean(axis=0)
    return ((maps[index] - others) * cells).astype(np.float32)
