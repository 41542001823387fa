"""What runs a trained network, whichever library does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning

GradientMethod = Literal["gradcam", "integrated_gradients"]


class NetworkOutput(NamedTuple):
    """Probabilities of a batch: of the mask channels `B K h w` and of the classes `B N`, None where not predicted.

    `embeddings` `B D` is what training cases are compared by, None of a model that keeps none.
    """

    mask_channels: NDArray[np.float32] | None
    classes: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None = None


class Backend(Protocol):
    """A network, or several whose probabilities are averaged.

    `mask_meaning` None: it gives no mask. `gives_class_maps`: it can tell what each cell of its features adds to the
    class logits. `runtime` names the library that runs it, with its version.
    """

    runtime: str
    mask_meaning: MaskMeaning | None
    gives_class_maps: bool

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`. Raises `InputError` where the output is not a number."""
        ...

    def class_maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each cell adds to the class logits, `B N *s` on a coarser grid; of several networks the mean.

        Its sum over the cells is the logits but for a constant. For a backend that `gives_class_maps`; raises as
        `run`.
        """
        ...


@runtime_checkable
class GradientBackend(Protocol):
    """A backend that knows its networks' weights; `gives_gradients`: they give classes to follow to the image."""

    gives_gradients: bool

    def attribution(self, images: NDArray[np.float32], *, method: GradientMethod, index: int) -> NDArray[np.float32]:
        """What moved the class `index`, `B *s` on the images' grid or a coarser one; raises as `Backend.run`."""
        ...

    def channel_maps(self, images: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """All maps that the networks make by themselves, `B *s` in 0..1 on grids of their own, by their names."""
        ...

    def shuffled(self, *, seed: int) -> Backend:
        """The same with the entries of every weight in another order."""
        ...


def finite(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same array; raises `InputError` where it holds NaN or infinity."""
    if not np.isfinite(probabilities).all():
        raise InputError("the network's output is not a number", remedy="its weights are spoilt: train it again")
    return probabilities


_OUT_OF_MEMORY = re.compile(r"alloc|memory|exceeds the supported maximum", re.IGNORECASE)
"""Words of the libraries' messages, which raise no type of their own for it."""


def cannot_run(runtime: str, error: Exception) -> InputError:
    """What a library's failure with a package's network is for a person."""
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        return InputError(
            f"the network needs more memory than there is, says {runtime}",
            remedy="close other programs, use a larger machine, or check where the package is from",
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return InputError(
        f"the network cannot be run in {runtime} ({lines[-1][:200] if lines else type(error).__name__})",
        remedy="export the package again, or check where it is from",
    )
