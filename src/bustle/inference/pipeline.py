"""The whole way from an input to its `Prediction`; images and volumes have one each, in files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Geometry, Prediction


class Item(NamedTuple):
    """What is to be predicted: an image uint8 `C H W`, or a volume `C D H W`.

    `centre` (in voxels) says where a volume's lesion is; None leaves it to the model to search.
    """

    case_id: str
    image: NDArray[np.uint8]
    geometry: Geometry
    centre: tuple[float, ...] | None = None


class Pipeline(Protocol):
    """Prepares, runs the network, returns to the original grid and measures there."""

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None) -> None:
        """Raises `InputError` for what cannot be predicted."""
        ...

    def predict_many(self, items: Iterable[Item], *, batch_size: int) -> Iterator[Prediction]:
        """The predictions in order; no more than `batch_size` items are held at a time."""
        ...
