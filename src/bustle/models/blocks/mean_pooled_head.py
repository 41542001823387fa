"""Class heads that are linear on a sum over cells, so that what each cell adds to a logit is known exactly.

Zhou, Khosla, Lapedriza, Oliva, Torralba, "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 1
and 2: the class activation map.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from bustle.core.network import KeepMaps


class MeanPooledLinear(nn.Linear):
    """A linear layer on the mean of features `B C *s`; gives class logits `B N`."""

    def forward(self, input: Tensor, *, keep_maps: KeepMaps | None = None) -> Tensor:  # noqa: A002  (Linear's name)
        if keep_maps is not None:
            keep_maps(self.class_maps(input))
        return super().forward(mean_of_cells(input))

    def class_maps(self, features: Tensor) -> Tensor:
        """What each cell adds to the class logits, `B N *s`: their sum and the bias are the logits."""
        return cell_addends(features, self) / features[0, 0].numel()


class MeanPooledSequence(nn.Sequential):
    """Dropout and a linear layer on the mean of features `B C *s`; gives class logits `B N`."""

    def __init__(self, dropout: nn.Dropout, linear: nn.Linear):
        super().__init__(dropout, linear)

    def forward(self, input: Tensor, *, keep_maps: KeepMaps | None = None) -> Tensor:  # noqa: A002  (Sequential's)
        if keep_maps is not None:
            keep_maps(self.class_maps(input))
        return super().forward(mean_of_cells(input))

    def class_maps(self, features: Tensor) -> Tensor:
        """What each cell adds to the class logits in evaluation, `B N *s`: their sum and the bias are the logits."""
        _, linear = self
        assert isinstance(linear, nn.Linear)
        return cell_addends(features, linear) / features[0, 0].numel()


class SummedCellsSequence(nn.Sequential):
    """Dropout and a linear layer on vectors `B C`; gives class logits `B N`.

    Beside the vectors it takes what gives the cells that they are made of, `B C *s`, and is asked for the class maps
    only: their sum is the vector in evaluation but for a constant, which is the same for every image.
    """

    def __init__(self, dropout: nn.Dropout, linear: nn.Linear):
        super().__init__(dropout, linear)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        input: Tensor,  # noqa: A002  (Sequential's)
        cells: Callable[[], Tensor],
        *,
        keep_maps: KeepMaps | None = None,
    ) -> Tensor:
        if keep_maps is not None:
            keep_maps(self.class_maps(cells()))
        return super().forward(input)

    def class_maps(self, cells: Tensor) -> Tensor:
        """What each cell adds to the class logits in evaluation, `B N *s`, but for that constant."""
        _, linear = self
        assert isinstance(linear, nn.Linear)
        return cell_addends(cells, linear)


def mean_of_cells(features: Tensor) -> Tensor:
    """The mean `B C` of features `B C *s`."""
    return features.mean(dim=tuple(range(2, features.ndim)))


def cell_addends(features: Tensor, linear: nn.Linear) -> Tensor:
    """The linear layer, without its bias, on every cell of features `B C *s`: `B N *s`."""
    return (linear.weight @ features.flatten(2)).unflatten(2, features.shape[2:])
