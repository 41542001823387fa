"""What kinds of maps say what moved a model's answer, and how each is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

ExplanationMethod = Literal["cam", "gradcam", "integrated_gradients", "uncertainty", "channel"]

METHODS: tuple[ExplanationMethod, ...] = ("cam", "gradcam", "integrated_gradients", "uncertainty")
"""Those that a person names; where a model offers several, the earlier one explains its classes better."""

UNCERTAINTY: ExplanationMethod = "uncertainty"
"""The map of the outline; the others that a person names are of a class."""

CHANNEL: ExplanationMethod = "channel"
"""All maps that a network makes by itself on its way: a map for each channel, under the channel's name."""

STAGE = "stage_"
"""How the channels are named that say how strongly a stage answers: no share of anything, so that pictures show them
from their least to their most."""


class MethodMeaning(NamedTuple):
    """How people read a map: its `title`, whether it has negative values (`signed`), and what a value means.

    `of_class`: it explains one class, otherwise the outline. `greatest` is the most that a value can be, None where
    the scale has no end.
    """

    title: str
    signed: bool
    of_class: bool
    greatest: float | None
    value: str


MEANINGS: Mapping[ExplanationMethod, MethodMeaning] = {
    "cam": MethodMeaning(
        "class activation map",
        signed=True,
        of_class=True,
        greatest=None,
        value="positive speaks for the class, negative for the others; the mean over what the network saw is the "
        "class's logit less the mean of the others', but for a constant",
    ),
    "gradcam": MethodMeaning(
        "Grad-CAM",
        signed=False,
        of_class=True,
        greatest=None,
        value="0 or more: what speaks for the class, on a scale of its own",
    ),
    "integrated_gradients": MethodMeaning(
        "integrated gradients",
        signed=True,
        of_class=True,
        greatest=None,
        value="positive speaks for the class, negative for the others; the mean over what the network saw is the "
        "class's logit less the mean of the others', less the same of a picture of one grey value",
    ),
    "uncertainty": MethodMeaning(
        "uncertainty of the outline",
        signed=False,
        of_class=False,
        greatest=0.5,
        value="standard deviation of the lesion probability over flipped and scaled views, 0 to 0.5",
    ),
    CHANNEL: MethodMeaning(
        "map of the network",
        signed=False,
        of_class=False,
        greatest=1.0,
        value="the probability that the network gives to what the channel is named after, of an attention or a gate "
        "the weight that it gives to the place, of a stage r / (1 + r) of how strongly it answers there, 0 to 1",
    ),
}
