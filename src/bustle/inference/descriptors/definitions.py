"""What each measured descriptor is: its unit, its formula and where that was published, in one table.

d is the equivalent diameter. The contrast of two mean grey values a and b is (a - b) / (a + b).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Quantity = Literal["length", "area", "volume", "degrees", "grey value", "bits", "count", "ratio"]


@dataclass(frozen=True)
class Definition:
    """`dims` are those in which it is measured; `title` is what a person is shown."""

    title: str
    quantity: Quantity
    dims: tuple[int, ...]
    formula: str
    source: str


_BOTH = (2, 3)
_ACR = "ACR BI-RADS Atlas, 5th edition (2013), Ultrasound"
_GEOMETRY = "elementary geometry"
_HARALICK = "Haralick, Shanmugam & Dinstein, IEEE Trans. Syst. Man Cybern. 3:610 (1973)"
_CROFTON = "perimeter or surface by Crofton's formula: Lehmann & Legland, Insight Journal (2012)"
_KUHL = "harmonics of the contour: Kuhl & Giardina, Comput. Graph. Image Process. 18:236 (1982)"
_HORSCH = "Horsch et al., Med. Phys. 29:157 (2002)"
_SHEN = "Shen et al., Acad. Radiol. 14:928 (2007)"
_CHEN = "Chen et al., Radiology 226:504 (2003)"
_ZUNIC = "Žunić & Rosin, IEEE Trans. Pattern Anal. Mach. Intell. 26:923 (2004)"
_COX = "Cox, J. Paleontol. 1:179 (1927)"
_MICHELSON = "contrast: Michelson (1927)"

DEFINITIONS: Mapping[str, Definition] = {
    "longest_diameter": Definition(
        "longest diameter",
        "length",
        _BOTH,
        "greatest distance of two points of the outline, at the middle of pixel edges (maximum Feret diameter)",
        _ACR,
    ),
    "perpendicular_diameter": Definition(
        "perpendicular diameter", "length", (2,), "extent at right angles to the longest diameter", _ACR
    ),
    "middle_diameter": Definition(
        "second diameter", "length", (3,), "greatest distance at right angles to the longest diameter", _ACR
    ),
    "shortest_diameter": Definition(
        "third diameter", "length", (3,), "extent at right angles to the other two diameters", _ACR
    ),
    "length": Definition("length", "length", (3,), "extent across slices (first axis of the volume)", _GEOMETRY),
    "depth": Definition("depth", "length", _BOTH, "vertical extent: along the beam", _ACR),
    "width": Definition("width", "length", _BOTH, "horizontal extent: along the skin", _ACR),
    "depth_width_ratio": Definition(
        "depth / width",
        "ratio",
        _BOTH,
        "depth / width, in a volume depth / the greater of width and length; above 1: taller than wide",
        "Stavros et al., Radiology 196:123 (1995); " + _CHEN,
    ),
    "area": Definition("area", "area", (2,), "number of pixels times their area", _GEOMETRY),
    "volume": Definition("volume", "volume", (3,), "number of voxels times their volume", _GEOMETRY),
    "equivalent_diameter": Definition(
        "equivalent diameter", "length", _BOTH, "of a disc of the same area, or a ball of the same volume", _GEOMETRY
    ),
    "orientation": Definition(
        "angle to the skin",
        "degrees",
        _BOTH,
        "angle between the longest principal axis (second moments) and the skin, 0 to 90; none if round",
        _SHEN,
    ),
    "axis_ratio": Definition(
        "axis ratio", "ratio", _BOTH, "shortest / longest axis of the ellipse (ellipsoid) of the same moments", _CHEN
    ),
    "circularity": Definition(
        "circularity",
        "ratio",
        (2,),
        "4 π area / perimeter², at most 1; " + _CROFTON,
        "Cox, J. Paleontol. 1:179 (1927)",
    ),
    "sphericity": Definition(
        "sphericity",
        "ratio",
        (3,),
        "π^(1/3) (6 volume)^(2/3) / surface, at most 1; " + _CROFTON,
        "Wadell, J. Geol. 43:250 (1935)",
    ),
    "solidity": Definition("solidity", "ratio", _BOTH, "area / area of the convex hull (volumes likewise)", _ZUNIC),
    "convexity": Definition(
        "convexity",
        "ratio",
        (2,),
        "perimeter of the convex hull / perimeter, both counted along the same lines (Crofton, Cauchy)",
        _ZUNIC,
    ),
    "ellipse_deviation": Definition(
        "deviation from an ellipse",
        "ratio",
        (2,),
        "standard deviation of the distance of the outline from the ellipse of the same moments, along the ray from "
        "its centre / d",
        "after the best-fit ellipse of " + _SHEN,
    ),
    "margin_roughness": Definition(
        "margin roughness",
        "ratio",
        (2,),
        "root mean square distance of the outline from its first 6 harmonics / d; a staircase of pixels alone "
        "makes about 0.3 pixels / d",
        _KUHL,
    ),
    "lobes": Definition(
        "lobes",
        "count",
        (2,),
        "indentations of the convex hull that are deeper than 0.05 d; at least 1",
        "substantial protuberances and depressions: " + _CHEN,
    ),
    "deepest_indentation": Definition(
        "deepest indentation",
        "ratio",
        (2,),
        "greatest depth of the outline below its convex hull / d",
        "after " + _CHEN,
    ),
    "indistinct_share": Definition(
        "margin not seen",
        "ratio",
        (2,),
        "share of 36 directions from the centre in which the contrast of the rims (0.1 d) outside and inside of the "
        "edge is below 0.05, or has another sign than that of the whole edge",
        "after the lesion boundary of " + _SHEN,
    ),
    "echo_level": Definition("echo level", "grey value", _BOTH, "mean grey value inside, 0 to 255", _GEOMETRY),
    "echo_contrast": Definition(
        "echogenicity against the surroundings",
        "ratio",
        _BOTH,
        "contrast of the inside with the tissue beside it, 0.1 to 0.5 d from the edge, row by row at the same depth",
        _MICHELSON,
    ),
    "fat_contrast": Definition(
        "echogenicity against fat (estimated)",
        "ratio",
        _BOTH,
        "contrast of the inside with the median of the layer in which subcutaneous fat is expected, 2.5 to 7.5 mm "
        "below the picture's upper edge (6 to 18 % of its depth without spacing); none if lesions cover it",
        _MICHELSON,
    ),
    "edge_contrast": Definition(
        "contrast across the edge", "ratio", _BOTH, "contrast of the rims of 0.1 d outside and inside", _SHEN
    ),
    "edge_direction": Definition(
        "margin sharpness",
        "ratio",
        _BOTH,
        "sum of g·n / sum of |g| over the pixels at the edge; g: gradient of the grey values after a Gaussian of "
        "1 pixel, n: outward normal; 1 is a sharp edge that is brighter outside",
        "normalised gradient along the margin: " + _HORSCH,
    ),
    "rim_contrast": Definition(
        "echogenic rim (halo)",
        "ratio",
        _BOTH,
        "contrast of the rim of 0.1 d outside with the tissue 0.1 to 0.5 d from the edge, at the same depth",
        "after the echogenic halo of Stavros et al., Radiology 196:123 (1995)",
    ),
    "posterior_contrast": Definition(
        "posterior enhancement (+) or shadow (-)",
        "ratio",
        _BOTH,
        "contrast of the columns below the thick part of the lesion (0.1 to 1.1 d below) with the tissue beside "
        "them at the same depth, 0.1 to 0.6 d aside",
        "after the minimum side difference of " + _HORSCH,
    ),
    "echo_sd": Definition("spread of grey values", "grey value", _BOTH, "standard deviation inside", _GEOMETRY),
    "echo_entropy": Definition(
        "entropy of grey values", "bits", _BOTH, "-Σ p log2 p over 32 grey levels inside", "Shannon (1948)"
    ),
    "glcm_contrast": Definition(
        "texture contrast",
        "ratio",
        _BOTH,
        "Σ p(i, j) (i - j)² of the co-occurrence of neighbouring pixels inside, 32 levels, all directions",
        _HARALICK,
    ),
    "glcm_homogeneity": Definition(
        "texture homogeneity", "ratio", _BOTH, "Σ p(i, j) / (1 + (i - j)²) of the same matrix", _HARALICK
    ),
    "glcm_correlation": Definition(
        "texture correlation", "ratio", _BOTH, "correlation of i and j in the same matrix", _HARALICK
    ),
}
"""By the name in a result. In a volume the same formulas hold with voxels for pixels and 13 for 4 directions."""
