"""Whether a map explains a class probability, which its looks do not tell.

Deletion and insertion: the pixels that a map holds for the strongest are blurred first, or first put back into a
blurred image (Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC
2018). A map that explains makes the probability fall, or rise, earlier than a random order does. Parameter
randomisation: a map that stays when the network has forgotten what it learned shows the image, not the network
(Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, "Sanity Checks for Saliency Maps", NeurIPS 2018).

Own choices: a blurred image in place of a black or grey one, which would be a lesion; a random order of blobs of the
size of a usual network's cells, because pixels strewn about blur the whole image at once; all weights shuffled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from bustle.core.data_section import ImageData, PatchData
from bustle.core.explanation import ExplanationMethod
from bustle.core.types import Prediction
from bustle.data.prepared.intensities import normalise
from bustle.inference.backend import Backend
from bustle.inference.explanation.explain import explained_class, map_of_view
from bustle.inference.explanation.view import View, resized

FRACTIONS: NDArray[np.float64] = np.linspace(0, 1, 11)
"""Of the pixels that are blurred, or put back."""

BLUR = 1 / 16
"""The blur's standard deviation, of the view's shortest edge."""

BLOB = 16
"""Edge of the random order's blobs, in pixels of the view."""

AT_ONCE = 8
"""Images that go through the network together; patches of volumes go one by one."""

SEED = 0


class Curves(NamedTuple):
    """The class's probability at `FRACTIONS` of the pixels, those first that a map holds for the strongest."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]


class MethodCheck(NamedTuple):
    """A method's curves for one case, and how alike its map is to that of the network that forgot what it learned.

    The likeness is Spearman's rank correlation, None where the network cannot be made to forget.
    """

    curves: Curves
    likeness: float | None


class CaseCheck(NamedTuple):
    """Of one case: each method's check, and the curves of a random order."""

    methods: Mapping[ExplanationMethod, MethodCheck]
    random: Curves


@dataclass(frozen=True)
class ExplanationCheck:
    """Checks the maps of a model case by case.

    `forgetful` is the model with shuffled weights, None of a package where `onnx` is missing.
    """

    backend: Backend
    forgetful: Backend | None
    data: ImageData | PatchData

    def of_case(
        self,
        prediction: Prediction,
        image: NDArray[np.uint8],
        *,
        methods: Sequence[ExplanationMethod],
        number: int,
    ) -> CaseCheck:
        """Check methods that explain classes on a prediction of `image` uint8 `C *S`.

        `number` seeds its random order. Of a volume the patch is checked that its classes come from.
        """
        view = View.of(prediction, image, data=self.data)
        index = self.data.classes.index(explained_class(prediction))

        by_chance = random_map(view.size, seed=(SEED, number))
        checks = {}
        for method in methods:
            own = resized(map_of_view(method, view, backend=self.backend, index=index), view.size)
            likeness = None
            if self.forgetful is not None:
                other = resized(map_of_view(method, view, backend=self.forgetful, index=index), view.size)
                likeness = rank_correlation(own, other)
            checks[method] = MethodCheck(self._curves(view, own, index, by_chance=by_chance), likeness)
        return CaseCheck(checks, self._curves(view, by_chance, index, by_chance=by_chance))

    def _curves(
        self, view: View, strength: NDArray[np.float32], index: int, *, by_chance: NDArray[np.float32]
    ) -> Curves:
        found = [
            self._probabilities(perturbed(view.pixels, strength, ties=by_chance, insert=insert), index)
            for insert in (False, True)
        ]
        return Curves(*(np.array(values, np.float64) for values in found))

    def _probabilities(self, many: Iterable[NDArray[np.uint8]], index: int) -> list[float]:
        remaining = iter(many)
        at_once = AT_ONCE if isinstance(self.data, ImageData) else 1
        found: list[float] = []
        while batch := [normalise(pixels, section=self.data) for pixels in islice(remaining, at_once)]:
            classes = self.backend.run(np.stack(batch)).classes
            assert classes is not None
            found += classes[:, index].tolist()
        return found


def perturbed(
    pixels: NDArray[np.uint8], strength: NDArray[np.float32], *, ties: NDArray[np.float32], insert: bool
) -> Iterator[NDArray[np.uint8]]:
    """The pixels `C *s` with `FRACTIONS` of them blurred, the strongest first; with `insert` all the others.

    Pixels of equal strength, such as where a map is 0, go in the order of `ties`.
    """
    sigma = BLUR * min(pixels.shape[1:])
    blurred = np.stack([ndimage.gaussian_filter(plane, sigma) for plane in pixels])
    rank = np.empty(strength.size, np.int64)
    rank[np.lexsort((ties.ravel(), -strength.ravel()))] = np.arange(strength.size)
    rank = rank.reshape(strength.shape)
    for fraction in FRACTIONS:
        chosen = rank < round(fraction * strength.size)
        yield np.where(chosen != insert, blurred, pixels)


def random_map(size: tuple[int, ...], *, seed: Sequence[int]) -> NDArray[np.float32]:
    """Blobs of random strength, `*s`."""
    cells = tuple(max(2, round(edge / BLOB)) for edge in size)
    return resized(np.random.default_rng(seed).random(cells, np.float32), size)


def rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's, 0 where one of the maps does not vary."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    ranks = [stats.rankdata(each.ravel()) for each in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])
