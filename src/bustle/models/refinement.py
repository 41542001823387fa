"""Iterative refinement: a network is shown its own lesion map and looks again.

Zhou et al., "Multi-task learning for segmentation and classification of tumors in 3D automated breast ultrasound
images", Medical Image Analysis 2021, Algorithm 1. Works with any network that gives a mask, of images or volumes.
`training.steps.refinement` is its training with an update after every pass.

Own choices: the map is the soft lesion probability in 0..1, added with a weight to the normalised image; it passes no
gradient, because the weights may change between the passes. An image of 0..1 fits it best: lesions are dark, and in
one that is normalised by its mean and deviation the sum hides them. Batch normalisation keeps one set of running
statistics for all passes, though the first sees no map: evaluation uses their mixture.
"""

from __future__ import annotations

from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.models.zoo import ResolvedNetwork


class Refined(nn.Module):
    """Runs `network` once on `image B C *S`, then `refinements` more times on the image plus the last lesion map.

    The map is added `prob_weight` times. Gives the output of the last pass. Without refinements it is the network
    itself. The weights are the network's, and so is the file that they are saved to: save and load `network`. Raises
    `InputError` for a network without a mask.
    """

    def __init__(
        self, network: nn.Module, *, meaning: MaskMeaning | None, refinements: int, prob_weight: float = 1.0
    ):
        super().__init__()
        if refinements and meaning is None:
            raise InputError(
                f"model.refinements is {refinements}, but the network gives no mask to refine",
                remedy="use --set model.refinements=0, or another network",
            )
        self.network = network
        self.meaning = meaning
        self.refinements = refinements
        self.prob_weight = prob_weight

    def forward(self, image: Tensor) -> MultiTaskOutput:
        shown = image
        for _ in range(self.refinements):
            shown = self.next_input(image, self.network(shown))
        return self.network(shown)

    def passes(self, image: Tensor) -> list[MultiTaskOutput]:
        """The outputs of all passes; the last one is that of `forward`."""
        found = [self.network(image)]
        for _ in range(self.refinements):
            found.append(self.network(self.next_input(image, found[-1])))
        return found

    def next_input(self, image: Tensor, output: MultiTaskOutput) -> Tensor:
        """What the next pass is shown: the image `B C *S` plus the output's lesion probability in every channel."""
        assert output.mask_logits is not None
        assert self.meaning is not None
        return image + self.prob_weight * self.meaning.lesion_map(output.mask_logits.detach()).unsqueeze(1)


def refined(network: nn.Module, resolved: ResolvedNetwork) -> Refined:
    """What `resolved` built, with as many refinements as its recipe says."""
    return Refined(
        network, meaning=resolved.mask_meaning, refinements=resolved.refinements, prob_weight=resolved.prob_weight
    )
