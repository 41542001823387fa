"""What a loss may know of the training that it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bustle.core.errors import InputError, unknown_name
from bustle.core.network import MaskMeaning

MAIN_MAP = "mask"
"""The name of `mask_logits` among the maps of a network; the others are the keys of `aux_masks`."""


@dataclass(frozen=True, kw_only=True)
class LossSetting:
    """The network's maps and the recipe's classes.

    `mask_meaning` is that of `mask_logits`, `map_meanings` those of `aux_masks` by name. `class_counts` are the
    labelled training cases of each of `classes`, None where no training part is known (a recipe is only checked).
    """

    mask_meaning: MaskMeaning | None = None
    map_meanings: Mapping[str, MaskMeaning] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] | None = None

    def lesion_meaning_of(self, map_name: str, *, loss: str) -> MaskMeaning:
        """As `meaning_of`; also raises `InputError` for a map that shows no lesion."""
        meaning = self.meaning_of(map_name, loss=loss)
        if not meaning.lesion_channels:
            raise InputError(f"the map '{map_name}' of loss {loss} shows no lesion", remedy="name another map")
        return meaning

    def meaning_of(self, map_name: str, *, loss: str) -> MaskMeaning:
        """The meaning of one of the network's maps; raises `InputError` for a map that it does not give."""
        if map_name == MAIN_MAP:
            if self.mask_meaning is None:
                raise InputError(f"the loss {loss} needs a network with a mask", remedy="leave the loss out")
            return self.mask_meaning
        if map_name not in self.map_meanings:
            raise unknown_name(f"map of loss {loss}", map_name, [MAIN_MAP, *self.map_meanings])
        return self.map_meanings[map_name]
