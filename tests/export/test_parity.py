from __future__ import annotations

import numpy as np
import pytest

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.export import parity
from bustle.export.parity import compare
from bustle.inference.backend import NetworkOutput

SECTION = ImageData(size=(32, 32), channels=1, mean=(0.0,), std=(1.0,))
SIGMOID = MaskMeaning(("lesion",), "sigmoid", (0,))


class Fake:
    """Brightness is the lesion probability; `shift` is added to it, `class_shift` to the class probabilities.

    The embedding is 100 times the mean brightness and `embedding_shift`; there is none where that is None.
    """

    def __init__(
        self,
        shift: float = 0.0,
        *,
        class_shift: float = 0.0,
        has_classes: bool = True,
        embedding_shift: float | None = None,
    ):
        self.runtime = "made up"
        self.mask_meaning = SIGMOID
        self.gives_class_maps = False
        self.shift = shift
        self.class_shift = class_shift
        self.has_classes = has_classes
        self.embedding_shift = embedding_shift
        self.batches: list[int] = []

    def run(self, images: np.ndarray) -> NetworkOutput:
        self.batches.append(len(images))
        half = np.full((len(images), 2), 0.5 + self.class_shift, np.float32)
        embeddings = None if self.embedding_shift is None else embed(images) + np.float32(self.embedding_shift)
        return NetworkOutput(images + np.float32(self.shift), half if self.has_classes else None, embeddings)


def embed(images: np.ndarray) -> np.ndarray:
    return 100 * images.mean(axis=(2, 3), dtype=np.float32)


def test_equal_networks_on_several_batches():
    exported = Fake()
    found = compare(Fake(), [exported], section=SECTION)
    assert exported.batches == [1, 2, 4]
    assert (found.largest_mask_difference, found.largest_class_difference, found.flipped_pixels) == (0, 0, 0)
    assert found.pixels == 7 * 32 * 32


def test_rounding_is_measured():
    found = compare(Fake(), [Fake(5e-5, class_shift=-2e-5)], section=SECTION)
    assert found.largest_mask_difference == pytest.approx(5e-5, rel=0.01)
    assert found.largest_class_difference == pytest.approx(2e-5, rel=0.01)


def test_the_worst_library_counts():
    found = compare(Fake(), [Fake(1e-5), Fake(-6e-5)], section=SECTION)
    assert found.largest_mask_difference == pytest.approx(6e-5, rel=0.01)
    assert found.runtimes == ("made up", "made up")
    assert found.pixels == 7 * 32 * 32
    with pytest.raises(InputError, match=r"in made up by up to 0\.0002"):
        compare(Fake(), [Fake(1e-5), Fake(2e-4)], section=SECTION)


def test_flipped_mask_pixels_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parity, "TOLERANCE", 1.0)
    found = compare(Fake(), [Fake(0.2)], section=SECTION)
    assert 0 < found.flipped_pixels < found.pixels


@pytest.mark.parametrize(
    "exported", [Fake(2e-4), Fake(class_shift=-2e-4), Fake(float("nan")), Fake(has_classes=False)]
)
def test_networks_that_differ(exported: Fake):
    with pytest.raises(InputError, match="the exported model differs from its networks"):
        compare(Fake(), [exported], section=SECTION)


def test_embeddings_are_compared_in_units_of_the_largest_number_of_a_byte():
    found = compare(Fake(), [Fake(embedding_shift=0.01), Fake(embedding_shift=0.005)], section=SECTION, embed=embed)
    assert found.largest_embedding_difference == pytest.approx(0.01 / 127, rel=0.01)
    assert compare(Fake(), [Fake()], section=SECTION).largest_embedding_difference is None


@pytest.mark.parametrize("shift", [0.02, float("nan"), None])
def test_other_embeddings_are_refused(shift: float | None):
    with pytest.raises(InputError, match="the exported model differs from its networks"):
        compare(Fake(), [Fake(embedding_shift=shift)], section=SECTION, embed=embed)


def test_networks_without_classes():
    found = compare(Fake(has_classes=False), [Fake(has_classes=False)], section=SECTION)
    assert found.largest_class_difference is None
