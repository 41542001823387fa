"""One map per class on a V-Net, for volumes (Qu et al. 2019).

"Joint Segmentation and Fine-Grained Classification of Nuclei in Histopathology Images", ISBI 2019, as the paper of
C_MS-VNet compares it: all operations in 3D, on that paper's backbone and with its losses. `qu_2019` is the network
for images, which says more about how the class is read from the maps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.class_maps import log_class_means, with_largest_lesion
from bustle.models.blocks.vnet import VNet, VNetConfig


@dataclass(frozen=True, kw_only=True)
class Config(VNetConfig):
    """The network's switches, beside those of the V-Net.

    `lesion_classes`: the classes that have a map of their own; a recipe whose `data.classes` are just as many reads
    its classes from them, in this order.
    """

    lesion_classes: tuple[str, ...] = ("benign", "malignant")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.lesion_classes) < 2 or len(set(self.lesion_classes)) < len(self.lesion_classes):
            raise ValueError("lesion_classes must name at least two classes, and each only once")
        if "background" in self.lesion_classes:
            raise ValueError("lesion_classes must not name the background, which always has a map")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over the background and the lesion's classes; the lesion is whatever has a class."""
    channels = ("background", *config.lesion_classes)
    return MaskMeaning(channels=channels, activation="softmax", lesion_channels=tuple(range(1, len(channels))))


class Qu2019Volume(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to map logits `B 1+N D H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        maps = 1 + len(config.lesion_classes)
        self.vnet = VNet(in_channels, mask_channels=maps, config=config)
        self.class_head = nn.Linear(maps, class_count) if class_count != len(config.lesion_classes) else None

    def forward(self, image: Tensor) -> MultiTaskOutput:
        _, logits = self.vnet(image)
        class_logits = log_class_means(logits)
        if self.class_head is not None:
            class_logits = self.class_head(with_largest_lesion(logits, class_logits))
        return MultiTaskOutput(mask_logits=logits, class_logits=class_logits)


SPEC = ModelSpec(
    id="qu_2019_3d",
    title="V-Net with one map per class (Qu et al. 2019, in 3D)",
    citation="Qu, Riedlinger, Wu, Huang, Yi, De, Metaxas: Joint Segmentation and Fine-Grained Classification of "
    "Nuclei in Histopathology Images. ISBI 2019",
    dims=3,
    task="joint",
    config_type=Config,
    tiny=Config(width=2),
    build=Qu2019Volume,
    mask_meaning=mask_meaning,
    deviations=(
        "The V-Net of C_MS-VNet takes the place of the method's U-Net, as in the comparison of that paper.",
        "The method classifies many nuclei per image; here the one lesion's class is the volume's, read as the mean "
        "class probability within the predicted lesion.",
        "The method's perceptual loss compares images and is left out; the comparison trains all networks with the "
        "losses of C_MS-VNet.",
    ),
)
