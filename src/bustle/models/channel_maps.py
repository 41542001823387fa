"""The maps that a network makes by itself on its way to an answer, in 0..1 under names.

They are what the papers show: RMTL-Net's three regions and the attention made of them, ACSNet's gates and spatial
attentions, LA-Net's lesion attention, CTG-Net's coarse gland, lesion and rest, C_MSVNet_Iter's passes and stages.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from bustle.core.network import MaskMeaning, MultiTaskOutput, ShowsAttention, ShowsStages
from bustle.models.refinement import Refined


def channel_maps(network: Refined, images: Tensor, *, meanings: Mapping[str, MaskMeaning]) -> dict[str, Tensor]:
    """Of normalised images `B C *S` every map `B *s` in 0..1 on the grid that the network has it on.

    Named `mask_<channel>`, `<map>_<channel>` for the maps of `meanings`, and `pass_0_lesion`, … before the last pass
    of a refined network; of its last pass also the maps of attentions, where the network `ShowsAttention`, and of
    stages, where it `ShowsStages`.
    """
    *earlier, last = network.passes(images)
    found: dict[str, Tensor] = {}
    for number, output in enumerate(earlier):
        assert output.mask_logits is not None
        assert network.meaning is not None
        found[f"pass_{number}_lesion"] = network.meaning.lesion_map(output.mask_logits)
    for name, (logits, meaning) in _named(last, network.meaning, meanings).items():
        for channel, values in zip(meaning.channels, meaning.channel_probabilities(logits).unbind(1), strict=True):
            found[f"{name}_{channel}"] = values
    shown = network.next_input(images, earlier[-1]) if earlier else images
    if isinstance(network.network, ShowsAttention):
        found |= network.network.attention_maps(shown)
    if isinstance(network.network, ShowsStages):
        found |= network.network.stage_maps(shown)
    return found


def _named(
    output: MultiTaskOutput, mask: MaskMeaning | None, meanings: Mapping[str, MaskMeaning]
) -> dict[str, tuple[Tensor, MaskMeaning]]:
    """Every logit map of an output with what its channels mean."""
    found = {} if output.mask_logits is None or mask is None else {"mask": (output.mask_logits, mask)}
    return found | {name: (output.aux_masks[name], meaning) for name, meaning in meanings.items()}
