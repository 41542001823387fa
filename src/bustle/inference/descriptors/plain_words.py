"""What a measured value says of a lesion, in a few plain words that can be checked with the eye."""

from __future__ import annotations

from collections.abc import Mapping

from bustle.inference.descriptors.birads_words import (
    ANECHOIC_DIFFERENCE,
    ECHO_DIFFERENCE,
    POSTERIOR_DIFFERENCE,
)

AGAINST_USUAL: Mapping[str, tuple[str, str]] = {
    "depth_width_ratio": ("flatter than usual", "taller than usual"),
    "orientation": ("less turned against the skin than usual", "more turned against the skin than usual"),
    "axis_ratio": ("more elongated than usual", "rounder than usual"),
    "circularity": ("outline less circular", "outline more circular"),
    "solidity": ("outline with notches", "outline without notches"),
    "convexity": ("outline less convex", "outline more convex"),
    "ellipse_deviation": ("close to an ellipse", "far from an ellipse"),
    "margin_roughness": ("smooth margin", "rough margin"),
    "lobes": ("few lobes", "many lobes"),
    "deepest_indentation": ("shallow indentations", "deep indentation"),
    "indistinct_share": ("margin seen all around", "margin partly not seen"),
    "echo_level": ("darker inside than usual", "brighter inside than usual"),
    "echo_contrast": ("darker against the surroundings", "less dark against the surroundings"),
    "fat_contrast": ("darker against fat", "less dark against fat"),
    "edge_contrast": ("weak contrast across the edge", "strong contrast across the edge"),
    "edge_direction": ("blurred margin", "sharp margin"),
    "rim_contrast": ("dark rim", "bright rim"),
    "posterior_contrast": ("darker behind than usual", "brighter behind than usual"),
    "echo_sd": ("even inside", "uneven inside"),
    "echo_entropy": ("few grey levels inside", "many grey levels inside"),
    "glcm_contrast": ("fine texture of low contrast", "texture of high contrast"),
    "glcm_homogeneity": ("inhomogeneous texture", "homogeneous texture"),
    "glcm_correlation": ("fine-grained texture", "coarse texture"),
}
"""Of a value below the usual one, and of one above it."""


def plain_words(name: str, value: float, *, usual: float) -> str:
    """Say the descriptor `name` of a lesion; `usual` is its mean over many.

    In words of BI-RADS where its value alone gives them, by the thresholds of `birads_words`; else against the usual.
    """
    if name == "depth_width_ratio" and value > 1:
        return "taller than wide"
    if name == "posterior_contrast" and abs(value) >= POSTERIOR_DIFFERENCE:
        return "posterior shadow" if value < 0 else "posterior enhancement"
    if name == "echo_contrast" and value <= -ANECHOIC_DIFFERENCE:
        return "anechoic"
    if name == "echo_contrast" and value > ECHO_DIFFERENCE:
        return "hyperechoic"
    below, above = AGAINST_USUAL[name]
    return below if value < usual else above
