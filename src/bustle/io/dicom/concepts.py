"""The codes of result objects: those of SNOMED CT, DICOM (PS3.16) and UCUM, and ours where these have none.

The BI-RADS words of ultrasound are PS3.16's: shape CID 6004, margin 6006, orientation 6152, echo pattern 6154 and
posterior features 6155; diameters are among CID 6165. A measurement whose definition is bustle's own has a code of
the scheme 99BUSTLE, though another scheme may know something of the same name: a code promises the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pydicom import Dataset

OWN_SCHEME, OWN_SCHEME_NAME = "99BUSTLE", "bustle: measured descriptors and decisions"


class Concept(NamedTuple):
    """A coded concept; `value` has at most 16 characters, `meaning` at most 64."""

    value: str
    scheme: str
    meaning: str


def _sct(value: str, meaning: str) -> Concept:
    return Concept(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Concept:
    return Concept(value, "DCM", meaning)


def _own(value: str, meaning: str) -> Concept:
    return Concept(value, OWN_SCHEME, meaning)


MORPHOLOGICALLY_ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
LESION = _sct("52988006", "Lesion")
BREAST = _sct("76752008", "Breast")
LEFT, RIGHT = _sct("7771000", "Left"), _sct("24028007", "Right")
ULTRASONOGRAPHY_OF_BREAST = _sct("47079000", "Ultrasonography of breast")
YES, NO = _sct("373066001", "Yes"), _sct("373067005", "No")

ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
SEGMENTATION = _dcm("113076", "Segmentation")
SOURCE_OF_SEGMENTATION = _dcm("121322", "Source image for image processing operation")
COMMENT = _dcm("121106", "Comment")
CERTAINTY = _dcm("111012", "Certainty of Finding")
PROBABILITY_OF_CANCER = _dcm("111047", "Probability of cancer")

DECISION = _own("decision", "Decision")
POSSIBLE_CLASS = _own("possible", "Class that cannot be excluded")
SUSPECTED = _own("suspected", "May be no lesion at all")
TOUCHES_EDGE = _own("touches_edge", "Cut off by the edge of the picture")
CALIBRATED = _own("calibrated", "Probabilities are calibrated")

BENIGN, MALIGNANT = _sct("30807003", "Benign"), _sct("21594007", "Malignant")
NORMAL = _own("normal", "No lesion")
DECISIONS: Mapping[str, Concept] = {
    "benign": BENIGN,
    "malignant": MALIGNANT,
    "normal": NORMAL,
    "no lesion": NORMAL,
    "refer": _own("refer", "Refer: benign or malignant is open"),
    "lesion possible": _own("lesion_possible", "Lesion possible: its presence is open"),
    "no breast ultrasound": _own("no_breast_us", "No breast ultrasound: nothing can be said"),
}
"""Of an answer, and of classes."""

PROBABILITIES: Mapping[str, Concept] = {
    "malignant": PROBABILITY_OF_CANCER,
    "benign": _own("prob_benign", "Probability of a benign lesion"),
    "normal": _own("prob_no_lesion", "Probability of no lesion"),
}


def said_as(name: str) -> Concept:
    """A decision or a class; the classes of other models than bustle's have a code of our scheme."""
    return DECISIONS.get(name) or _own(ascii_text(name, at_most=16), ascii_text(name, at_most=64))


def probability_of(name: str) -> Concept:
    """That of a class."""
    return PROBABILITIES.get(name) or _own(
        ascii_text(name, at_most=16), ascii_text(f"Probability of {name}", at_most=64)
    )


WORDS: Mapping[str, tuple[Concept, Mapping[str, Concept]]] = {
    "shape": (
        _sct("107644003", "Shape"),
        {
            "oval": _sct("84360004", "Ovoid shape"),
            "round": _sct("42700002", "Round shape"),
            "irregular": _sct("49608001", "Irregular"),
        },
    ),
    "orientation": (
        _dcm("111354", "Orientation"),
        {"parallel": _dcm("111355", "Parallel"), "not parallel": _dcm("111356", "Not parallel")},
    ),
    "margin": (
        _dcm("111037", "Margins"),
        {
            "circumscribed": _sct("129738007", "Circumscribed lesion"),
            "not circumscribed": _own("not_circumscr", "Not circumscribed"),
        },
    ),
    "echo_pattern": (
        _dcm("111360", "Echo pattern"),
        {
            "anechoic": _dcm("111361", "Anechoic"),
            "hypoechoic": _dcm("111364", "Hypoechoic"),
            "isoechoic": _dcm("111365", "Isoechoic"),
            "hyperechoic": _dcm("111362", "Hyperechoic"),
        },
    ),
    "posterior_features": (
        _dcm("111366", "Posterior acoustic features"),
        {
            "no posterior features": _dcm("111367", "No posterior acoustic features"),
            "enhancement": _dcm("111368", "Posterior enhancement"),
            "shadowing": _dcm("111369", "Posterior shadowing"),
        },
    ),
}
"""By what the words of BI-RADS describe: the question and its answers."""

Quantity = Literal["length", "area", "volume", "degrees", "grey value", "bits", "ratio"]

MEASUREMENTS: Mapping[str, tuple[Concept, Quantity]] = {
    "longest_diameter": (_sct("103339001", "Long axis"), "length"),
    "perpendicular_diameter": (_sct("103340004", "Short axis"), "length"),
    "middle_diameter": (_own("mid_diameter", "Greatest diameter across the long axis"), "length"),
    "shortest_diameter": (_own("third_diameter", "Diameter across the other two"), "length"),
    "length": (_sct("410668003", "Length"), "length"),
    "depth": (_sct("131197000", "Depth"), "length"),
    "width": (_sct("103355008", "Width"), "length"),
    "area": (_sct("42798000", "Area"), "area"),
    "volume": (_sct("118565006", "Volume"), "volume"),
    "equivalent_diameter": (_own("equiv_diameter", "Equivalent diameter"), "length"),
    "depth_width_ratio": (_own("depth_width", "Depth / width"), "ratio"),
    "orientation": (_own("angle_to_skin", "Angle to the skin"), "degrees"),
    "axis_ratio": (_own("axis_ratio", "Axis ratio"), "ratio"),
    "circularity": (_own("circularity", "Circularity"), "ratio"),
    "sphericity": (_own("sphericity", "Sphericity"), "ratio"),
    "solidity": (_own("solidity", "Solidity"), "ratio"),
    "convexity": (_own("convexity", "Convexity"), "ratio"),
    "ellipse_deviation": (_own("ellipse_dev", "Deviation from an ellipse"), "ratio"),
    "margin_roughness": (_own("roughness", "Margin roughness"), "ratio"),
    "lobes": (_own("lobes", "Lobes"), "ratio"),
    "deepest_indentation": (_own("indentation", "Deepest indentation"), "ratio"),
    "indistinct_share": (_own("indistinct", "Share of the margin not seen"), "ratio"),
    "echo_level": (_own("echo_level", "Echo level"), "grey value"),
    "echo_contrast": (_own("echo_contrast", "Echogenicity against the surroundings"), "ratio"),
    "fat_contrast": (_own("fat_contrast", "Echogenicity against fat (estimated)"), "ratio"),
    "edge_contrast": (_own("edge_contrast", "Contrast across the edge"), "ratio"),
    "edge_direction": (_own("sharpness", "Margin sharpness"), "ratio"),
    "rim_contrast": (_own("rim_contrast", "Echogenic rim (halo)"), "ratio"),
    "posterior_contrast": (_own("posterior", "Posterior enhancement (+) or shadow (-)"), "ratio"),
    "echo_sd": (_own("echo_sd", "Spread of grey values"), "grey value"),
    "echo_entropy": (_own("echo_entropy", "Entropy of grey values"), "bits"),
    "glcm_contrast": (_own("glcm_contrast", "Texture contrast"), "ratio"),
    "glcm_homogeneity": (_own("glcm_homogen", "Texture homogeneity"), "ratio"),
    "glcm_correlation": (_own("glcm_correl", "Texture correlation"), "ratio"),
}
"""By the name of a measured descriptor of an image or a volume, the diameters first."""

PERCENT = Concept("%", "UCUM", "%")
_PIXELS = Concept("{pixels}", "UCUM", "pixels")
_UNITS: Mapping[Quantity, Concept] = {
    "length": Concept("mm", "UCUM", "mm"),
    "area": Concept("mm2", "UCUM", "mm2"),
    "volume": Concept("mm3", "UCUM", "mm3"),
    "degrees": Concept("deg", "UCUM", "deg"),
    "grey value": Concept("{greylevel}", "UCUM", "grey level"),
    "bits": Concept("bit", "UCUM", "bit"),
    "ratio": Concept("1", "UCUM", "no units"),
}


def unit_of(quantity: Quantity, *, unit: Literal["mm", "px"]) -> Concept:
    """In UCUM; lengths are in pixels, and areas in their number, where the size of a pixel is not known."""
    return _PIXELS if unit == "px" and quantity in ("length", "area") else _UNITS[quantity]


def ascii_text(text: str, *, at_most: int) -> str:
    """`text` in the character set that every object can hold."""
    return text.encode("ascii", errors="replace").decode()[:at_most]


def code_item(concept: Concept) -> Dataset:
    """The item of a code sequence."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept
    return item
