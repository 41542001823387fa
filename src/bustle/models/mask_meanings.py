"""What the mask channels of most networks mean, whatever their settings: for the `SPEC` of a zoo file."""

from __future__ import annotations

from typing import Any

from bustle.core.network import MaskMeaning


def one_lesion_channel(config: Any) -> MaskMeaning:
    """One sigmoid channel, the lesion."""
    return MaskMeaning(channels=("lesion",), activation="sigmoid", lesion_channels=(0,))


def background_and_lesion(config: Any) -> MaskMeaning:
    """Softmax over background and lesion."""
    return MaskMeaning(channels=("background", "lesion"), activation="softmax", lesion_channels=(1,))
