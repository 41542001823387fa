"""Cases, their grids and what is predicted of them: the types that every layer shares.

Arrays are NumPy here; tensors appear only as annotations, so that this module never imports torch. Axis order is
always `B C (D) H W`; spacing is in millimetres in the same order as the spatial axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.explanation import MEANINGS, ExplanationMethod, MethodMeaning
from bustle.core.model_provenance import ModelProvenance
from bustle.core.similar_case import SimilarCase

if TYPE_CHECKING:
    from torch import Tensor

Label = Literal["benign", "malignant", "normal"]

CLASS_NAMES: tuple[Label, ...] = ("benign", "malignant", "normal")
"""The class names that readers may give a case; `normal` means that no lesion is visible."""


class Box(NamedTuple):
    """An axis-aligned lesion box in pixels of the original image; `stop` is exclusive."""

    y_start: int
    x_start: int
    y_stop: int
    x_stop: int


@dataclass(frozen=True)
class Geometry:
    """What is known of the grid of an image or a volume; size and spacing (mm) are spatial `(D) H W`.

    `origin` (3) and `direction` (9, row-major) of a volume are ITK's: world coordinates x, y, z.
    """

    original_size: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None
    direction: tuple[float, ...] | None = None

    @property
    def dims(self) -> int:
        return len(self.original_size)

    @property
    def unit(self) -> Literal["mm", "px"]:
        """In what lengths on this grid are measured."""
        return "px" if self.spacing is None else "mm"

    @property
    def step(self) -> tuple[float, ...]:
        """The size of a pixel or voxel in `unit`, along every axis."""
        return (1.0,) * self.dims if self.spacing is None else self.spacing


@dataclass(frozen=True)
class ImageMapping:
    """How an image gets to the network's grid, so that any map returns from it exactly; all are `H W` in pixels.

    Resize it as a whole to `resized_size`, then pad `pad_before` before (and the rest after) to `network_size`.
    """

    resized_size: tuple[int, ...]
    pad_before: tuple[int, ...]
    network_size: tuple[int, ...]


@dataclass(frozen=True)
class VolumeMapping:
    """How a volume gets to the network's grid: resized as a whole to `network_size`, `D H W` in voxels.

    The axes of the network's grid are superior, posterior and left, as near as those of the volume come to them.
    """

    network_size: tuple[int, ...]

    @property
    def resized_size(self) -> tuple[int, ...]:
        return self.network_size

    @property
    def pad_before(self) -> tuple[int, ...]:
        """Nothing is padded."""
        return (0,) * len(self.network_size)


@dataclass(frozen=True)
class Sample:
    """One case with its pixels. Any annotation may be absent (None): partial labels are ordinary.

    `image` is uint8 `C *S` (C = 1 grey or 3 RGB); `lesion_mask` is an instance map uint8 `*S` (0 = background,
    1..n = lesions; all zero means "annotated, and no lesion"); `lesion_labels[i]` is the class of lesion i + 1;
    `gland_mask` is bool `*S`. `other_masks` are further published structures by name, bool `*S`.
    """

    case_id: str
    source: str
    image: NDArray[np.uint8]
    geometry: Geometry
    patient_id: str | None = None
    group_id: str | None = None
    label: Label | None = None
    lesion_mask: NDArray[np.uint8] | None = None
    lesion_labels: tuple[Label | None, ...] = ()
    gland_mask: NDArray[np.bool_] | None = None
    other_masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    boxes: tuple[Box, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One case of a data set without its pixels: what is known before any image is decoded.

    `files` holds every file that determines the sample, the image first (empty for generated cases); `load`
    decodes them into a `Sample` and raises `InputError` for a broken file. `load` is picklable.
    `label` is one of CLASS_NAMES, or the name that a recipe gives to several of them together. `official_fold` is
    the 0-based fold that the publishers assigned. `video` is the name, unique in its source, of the video that this
    frame is from, `frame` its number there; a leak group holds whole videos. `metadata` holds what the data set
    says besides (BI-RADS, device, histology …), plain JSON values.
    """

    case_id: str
    source: str
    load: Callable[[], Sample] = field(repr=False, compare=False)
    files: tuple[Path, ...] = ()
    patient_id: str | None = None
    label: str | None = None
    has_mask: bool = False
    mask_files: int = 0
    has_gland: bool = False
    has_box: bool = False
    spacing: tuple[float, ...] | None = None
    official_fold: int | None = None
    video: str | None = None
    frame: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """Something about a data set that its user should know; `kind` is a stable kebab-case word."""

    kind: str
    case_ids: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Collection:
    """Cases of one or several sources, in a stable order, and what the readers noticed on the way."""

    cases: tuple[Case, ...]
    findings: tuple[Finding, ...] = ()


@dataclass
class Batch:
    """Stacked cases for a network of input size `*S`; absent annotations are zero and flagged as absent.

    `image` float32 `B C *S`, normalised; `lesion_mask` int64 instance map `B *S`; `gland_mask` float32 `B *S`;
    `label` int64 `B`, index into the recipe's classes, -1 where absent; `boxes` in network pixels, one list per
    case; `has_*` bool `B`. `mask_weight` float32 `B`: how much each case's mask counts in a loss, None = 1 each
    (a pseudo label counts less than a mask that somebody drew).
    """

    case_ids: list[str]
    image: Tensor
    lesion_mask: Tensor
    gland_mask: Tensor
    label: Tensor
    has_mask: Tensor
    has_gland: Tensor
    has_box: Tensor
    has_label: Tensor
    boxes: list[list[Box]] = field(default_factory=list)
    mask_weight: Tensor | None = None


@dataclass(frozen=True)
class Lesion:
    """One predicted lesion, measured on the original grid.

    `contour` is N x 2 (y, x) in pixels; lengths and area are in `unit` ("mm" when the spacing is known, else
    "px") and its square.
    """

    contour: tuple[tuple[float, float], ...]
    area: float
    long_axis: float
    short_axis: float
    box: Box
    probability: float
    unit: Literal["mm", "px"]


@dataclass(frozen=True)
class LesionCandidate:
    """A place in a volume where a lesion may be, with what the network says when it looks there.

    `centre` (D, H, W) in voxels of the original grid is the centre of gravity of what is drawn there, or of what drew
    attention where nothing is. `score` in 0..1 says how sure a lesion is there, `voxels` of the mask belong to it, of
    `volume_mm3`, 0 if nothing is drawn. `box_start` and `box_stop` (exclusive) are in voxels too.
    """

    centre: tuple[float, ...]
    score: float
    voxels: int
    volume_mm3: float
    box_start: tuple[int, ...]
    box_stop: tuple[int, ...]
    class_probabilities: Mapping[str, float] | None


@dataclass(frozen=True)
class ImageSegmentation:
    """What a network draws on an image: lesion probability, float32 `H W` in 0..1, mask and the mask's `lesions`.

    `network_mask` bool `h w` is the network's own mask on its grid, for protocols that score there. `raw_mask` is its
    own on the image's grid where an answer changed the mask; None where `mask` is that.
    """

    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    network_mask: NDArray[np.bool_]
    lesions: tuple[Lesion, ...]
    raw_mask: NDArray[np.bool_] | None = None

    @property
    def lesion_count(self) -> int:
        """How many lesions are drawn."""
        return len(self.lesions)


@dataclass(frozen=True)
class VolumeSegmentation:
    """What a network draws in a volume: its lesion probability, float32 `D H W`, is below a half outside its mask.

    `candidates` are the places that were looked at, the surest first; `parts` uint8 `D H W` numbers the mask's voxels
    by them (1 = the first). `network_mask` bool `d h w` is the mask on the network's grid. `raw_parts` are its own
    where an answer changed them; None where `parts` are those.
    """

    probability: NDArray[np.float32]
    parts: NDArray[np.uint8]
    network_mask: NDArray[np.bool_]
    candidates: tuple[LesionCandidate, ...]
    raw_parts: NDArray[np.uint8] | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.parts > 0

    @property
    def lesion_count(self) -> int:
        """At how many of the places something is drawn."""
        return sum(candidate.voxels > 0 for candidate in self.candidates)


@dataclass(frozen=True)
class Explanation:
    """What moved an answer: `values` float32 `*S` on the case's original grid, read as `meaning` says.

    `class_name` is the class that is explained, None for a map of the outline. `channel` names one of the maps that
    the network makes by itself, such as `coarse_gland`; None for all other methods.
    """

    method: ExplanationMethod
    class_name: str | None
    values: NDArray[np.float32]
    channel: str | None = None

    @property
    def meaning(self) -> MethodMeaning:
        return MEANINGS[self.method]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value of the map's scale; those of a signed one are opposite."""
        most = float(np.abs(self.values).max(initial=0.0))
        return (-most if self.meaning.signed else 0.0), most


@dataclass(frozen=True)
class Prediction:
    """What a model says about one case, on its ORIGINAL grid, which `geometry` describes.

    `mapping` says how the network saw it. `segmentation` is None for a network without a mask.
    `class_probabilities` maps class name to the network's own probability, None for a network without classes.
    `answer` is what the model's decision rule makes of all this, None without a rule. `decision` is the answer's, or
    without one the most probable class. `provenance` is the model's, `centre` the place, in voxels, at which it was
    told to look for a volume's lesion. `explanations` are the maps that were asked for, `remarks` what a reader must
    know of an image before its answer, `similar_cases` the most similar training cases, where the model keeps them.
    """

    case_id: str
    geometry: Geometry
    mapping: ImageMapping | VolumeMapping
    segmentation: ImageSegmentation | VolumeSegmentation | None
    class_probabilities: Mapping[str, float] | None
    decision: str | None
    provenance: ModelProvenance
    answer: Answer | None = None
    centre: tuple[float, ...] | None = None
    explanations: tuple[Explanation, ...] = ()
    remarks: tuple[str, ...] = ()
    similar_cases: tuple[SimilarCase, ...] = ()
