"""How training cases become what a package may keep of them: one embedding of a few bytes a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.export.onnx_graph import Projection
from bustle.inference.torch_backend import TorchBackend
from bustle.inference.training_cases import MOST, TrainingCases, packed, rounded

WIDTH = 16
"""Bytes a case, far fewer than a package may keep: the fewer, the less they tell of a picture."""


class EmbeddedCases(NamedTuple):
    """How the graph makes an embedding of its features, and the embeddings of the `cases`."""

    projection: Projection
    cases: TrainingCases

    def embedder(self, backend: TorchBackend) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """What embeds normalised images `B C h w` with the networks in PyTorch, as `B D` before rounding."""
        return lambda images: self.projection.embeddings(backend.class_features(images))


class Kind(NamedTuple):
    """What is said of a case."""

    source: str
    class_name: str


def embed_cases(features: NDArray[np.float32], kinds: Sequence[Kind]) -> EmbeddedCases:
    """From the class features `n F` of two cases or more (`TorchBackend.class_features`), and the kinds of these.

    The embeddings are the first principal components, in one scale such that the largest number fills its byte.
    Raises `InputError` where most cases have the very features of another one.
    """
    from sklearn.decomposition import PCA  # imports much, and only an export that keeps cases needs it

    width = min(WIDTH, len(features) - 1, features.shape[1])
    fitted = PCA(width, svd_solver="full")
    if not np.ptp(features, axis=0).any():
        raise _all_alike()
    largest = float(np.abs(fitted.fit_transform(features.astype(np.float64))).max())
    matrix = np.asarray(fitted.components_).T * (MOST / largest)
    projection = Projection(np.asarray(fitted.mean_, np.float32), np.ascontiguousarray(matrix, np.float32))
    vectors = rounded(projection.embeddings(features))
    embeddings: dict[str, dict[str, str]] = {}
    for kind in sorted(set(kinds)):
        own = vectors[[one == kind for one in kinds]].astype(np.int8)
        embeddings.setdefault(kind.source, {})[kind.class_name] = packed(own)
    unit = _nearest_other(vectors)
    if not unit:
        raise _all_alike()
    return EmbeddedCases(projection, TrainingCases(width=width, unit=unit, embeddings=embeddings))


def _all_alike() -> InputError:
    return InputError("to this network the training cases look all alike", remedy="export it without them")


def _nearest_other(vectors: NDArray[np.float32]) -> float:
    """The median distance from a case to the nearest other one."""
    from scipy.spatial import KDTree

    distances, _ = KDTree(vectors).query(vectors, k=2)
    return float(np.median(distances[:, 1]))
