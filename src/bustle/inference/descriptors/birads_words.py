"""Measured descriptors in the words of BI-RADS, by stated thresholds.

The words are those of the ACR BI-RADS Atlas, 5th edition (2013), Ultrasound: a reader knows what is meant. They say
what was measured of an outline and its grey values, are no reading by a radiologist, and never become a category.
Thresholds are conventions of this toolkit; docs/reference/descriptors.md says how far radiologists agree with them.
"""

from __future__ import annotations

from typing import Literal

from bustle.inference.descriptors.results import BiradsWords, EchoDescriptors, ImageShape, VolumeShape

ROUND_AXIS_RATIO = 0.85
"""Shortest / longest axis from which on a smooth lesion is round."""

OVAL_DEVIATION = 0.07
"""A smooth lesion is nowhere far from an ellipse: root mean square distance in equivalent diameters, at most."""

OVAL_LOBES = 3
"""An oval lesion may have two or three gentle lobes (BI-RADS, 5th edition)."""

OVAL_SOLIDITY = 0.9
"""A smooth lesion fills at least this share of its convex hull."""

SMOOTH_ROUGHNESS = 0.0125
"""Of a circumscribed margin, in equivalent diameters, at most."""

INDISTINCT_SHARE = 1 / 3
"""A circumscribed margin is not seen in at most this share of directions: where it lies along the beam it is weak."""

ECHO_DIFFERENCE = 0.1
"""Contrast from which on a lesion is darker or brighter than what lies beside it.

BI-RADS compares with fat. The estimate of its level (`fat_contrast`) is too uncertain to name a pattern by it."""

ANECHOIC_DIFFERENCE = 0.75
"""Contrast by which a lesion without echoes is darker at least: grey values of a seventh."""

POSTERIOR_DIFFERENCE = 0.15
"""Contrast from which on the tissue below a lesion is darker (shadowing) or brighter (enhancement)."""


def birads_words(
    shape: ImageShape | VolumeShape, echo: EchoDescriptors, *, indistinct_share: float | None
) -> BiradsWords:
    """Say measured values in words; see `BiradsWords`."""
    return BiradsWords(
        shape=_shape(shape),
        orientation="not parallel" if shape.depth_width_ratio > 1 else "parallel",
        margin=_margin(shape, indistinct_share),
        echo_pattern=_echo_pattern(echo.echo_contrast),
        posterior_features=_posterior(echo.posterior_contrast),
    )


def _shape(shape: ImageShape | VolumeShape) -> Literal["oval", "round", "irregular"]:
    smooth = shape.solidity >= OVAL_SOLIDITY
    if isinstance(shape, ImageShape):
        smooth = smooth and shape.ellipse_deviation <= OVAL_DEVIATION and shape.lobes <= OVAL_LOBES
    if not smooth:
        return "irregular"
    return "round" if shape.axis_ratio >= ROUND_AXIS_RATIO else "oval"


def _margin(
    shape: ImageShape | VolumeShape, indistinct_share: float | None
) -> Literal["circumscribed", "not circumscribed"] | None:
    if isinstance(shape, VolumeShape) or indistinct_share is None:
        return None
    seen = indistinct_share <= INDISTINCT_SHARE
    return "circumscribed" if seen and shape.margin_roughness <= SMOOTH_ROUGHNESS else "not circumscribed"


def _echo_pattern(difference: float | None) -> Literal["anechoic", "hypoechoic", "isoechoic", "hyperechoic"] | None:
    if difference is None:
        return None
    if difference <= -ANECHOIC_DIFFERENCE:
        return "anechoic"
    if difference < -ECHO_DIFFERENCE:
        return "hypoechoic"
    return "hyperechoic" if difference > ECHO_DIFFERENCE else "isoechoic"


def _posterior(difference: float | None) -> Literal["no posterior features", "enhancement", "shadowing"] | None:
    if difference is None:
        return None
    if difference <= -POSTERIOR_DIFFERENCE:
        return "shadowing"
    return "enhancement" if difference >= POSTERIOR_DIFFERENCE else "no posterior features"
