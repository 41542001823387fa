"""Model packages: a folder, or a zip of the same files, that holds all that is needed to predict.

`package.json` is a `PackageRecord`; what it says about the training is for people, the rest is what a predictor
needs. `model.onnx` maps normalised images to probabilities and holds the network's weights by name;
`weights.safetensors` holds them where that is not so, as of several networks.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bustle.core.config import LEFT_OUT_AT_DEFAULT, from_mapping
from bustle.core.data_section import ImageData, PatchData, check_views, upgraded_data
from bustle.core.errors import InputError
from bustle.core.files import check_regular, sha256_of_file
from bustle.core.image_sketch import ImageSketch
from bustle.core.memory import available_memory
from bustle.core.model_provenance import NetworkWeights
from bustle.core.network import MaskMeaning
from bustle.core.run_provenance import Fingerprint, StartingWeights, TaughtCases
from bustle.core.views import Views
from bustle.evaluation.figures import ShortFigure, Subgroup
from bustle.evaluation.result_files import NOT_FIGURES, completed_figures
from bustle.evaluation.results import ReleasedFigures
from bustle.inference.decision import DecisionRule
from bustle.inference.training_cases import TrainingCases

FORMAT_VERSION = 7
RECORD, MODEL, WEIGHTS, CARD = "package.json", "model.onnx", "weights.safetensors", "MODEL_CARD.md"
IMAGE, MASK_PROBS, CLASS_PROBS, CLASS_MAPS = "image", "mask_probs", "class_probs", "class_maps"
EMBEDDING = "embedding"
"""The names of the input and the outputs of `model.onnx`; an output that the network does not give is absent.

`class_maps` `B N *s` is what each cell of the features adds to the class logits, on a coarser grid than the image's.
`embedding` `B D` is what an image is compared with training cases by, in a package that keeps them.
"""

LARGEST_RECORD = 1 << 24
"""Bytes of `package.json`."""

MOST_PACKED, PACKED_AT_WILL = 50, 1 << 26
"""By how much a file in a zip may be compressed if it has more bytes than the second number: weights hardly are."""
SEAL = "sha256"
"""The key of `package.json` that holds the digest of the others."""

SEALED_SINCE = 3
"""The first format with that key."""

ANSWERS_SINCE = 4
"""The first format with a decision rule and weights in half precision.

`CLASS_MAPS` came with the next, and `EMBEDDING` with format 6.
"""

IMAGES_ALONE_SINCE = 6
"""The first format without digests of case ids where the images are known; in others they said nothing more."""

COPY_AGAIN = "copy or export it again"


@dataclass(frozen=True, kw_only=True)
class TensorRecord:
    """An input or output of `model.onnx`, float32. `channels` names the entries of axis 1 of an output."""

    name: str
    shape: tuple[str | int, ...]
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingSource(Fingerprint):
    """A data source of the training; `licence` are its terms as told to whoever trained, None where not known."""

    licence: str | None


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """By what rules the cases were split, what the networks started from, and the data by source.

    `taught` counts the cases that trained or chose the networks; it is empty in packages from before that.
    """

    track: str
    protocol: str
    starting_weights: StartingWeights | None
    encoder_weights: str | None
    data: Mapping[str, TrainingSource]
    taught: tuple[TaughtCases, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far `model.onnx` is from the networks in PyTorch: the largest differences of probabilities, and of masks.

    A difference is None for what the networks do not give; that of class maps is in units of their largest value,
    that of embeddings in units of the largest number that is kept of a case. `runtimes` are the libraries that ran
    the exported model; the differences are those of the worst one. `batches` are the numbers of images of each batch.
    """

    runtimes: tuple[str, ...]
    batches: tuple[int, ...]
    largest_mask_difference: float | None
    largest_class_difference: float | None
    largest_class_map_difference: float | None = None
    largest_embedding_difference: float | None = None
    flipped_pixels: int
    pixels: int


@dataclass(frozen=True, kw_only=True)
class HeldOutFigure:
    """A metric of answers by the rule `before` a fit on local cases, and `after` it by rules of other patients."""

    metric: str
    before: ShortFigure
    after: ShortFigure


@dataclass(frozen=True, kw_only=True)
class LocalFit:
    """On what local cases a package's decision rule was fitted after its export.

    `rule_before` is the SHA-256 of the rule that it had, None of one without. `data` are the cases by source,
    `patients` their number, `malignant`, `benign` and `normal` the cases of each class. `fitted` names the parts of
    the rule that are new, the others are those from before. `figures` compare both rules on the same cases in `folds`
    parts, whole patients apart; `brier_gain` is by how much the Brier score of malignant is lower after than before.
    """

    rule_before: str | None
    data: Mapping[str, Fingerprint]
    patients: int
    malignant: int
    benign: int
    normal: int
    fitted: tuple[str, ...]
    folds: int
    figures: tuple[HeldOutFigure, ...]
    brier_gain: ShortFigure


@dataclass(frozen=True, kw_only=True)
class PackageRecord:
    """The content of `package.json`.

    `recipe` and `network` are ids, `protocol` is that of the recipe's published track. `preprocessing` is the
    recipe's data section, `views` are those that the graph makes of an image and takes the mean of, `decision` is
    the rule by which outputs become answers, None without one. `training` and `parity` are None where not known.
    `metrics` has one entry per track, `subgroups` a few figures of parts of the test cases. `seen_images` are by what
    the images are known again that the networks were trained or chosen on; only where that is not known, as of runs
    that did not remember it, `seen_cases` are digests (`case_digest`) of the cases' ids. `training_cases` are by what
    the most similar ones are found, None unless that was asked for. `half`: the large weights are rounded to half
    precision. `files` maps names to SHA-256. `local_fit` tells on what a site has fitted the `decision`, None if it
    is that of the training.
    """

    format_version: int
    title: str
    recipe: str
    network: str
    citation: str
    deviations: tuple[str, ...]
    input: TensorRecord
    outputs: tuple[TensorRecord, ...]
    preprocessing: ImageData | PatchData
    views: Views = field(default=Views(), metadata=LEFT_OUT_AT_DEFAULT)
    mask_meaning: MaskMeaning | None
    decision: DecisionRule | None
    protocol: str
    weights: tuple[NetworkWeights, ...]
    training: TrainingRecord | None
    metrics: tuple[ReleasedFigures, ...]
    subgroups: tuple[Subgroup, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    seen_cases: tuple[str, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    seen_images: tuple[ImageSketch, ...]
    training_cases: TrainingCases | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    licence: str
    parity: Parity | None
    half: bool
    versions: Mapping[str, str]
    files: Mapping[str, str]
    local_fit: LocalFit | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    def __post_init__(self) -> None:
        """Raises `ValueError` where what it says of inputs, outputs and files does not hold together."""
        section, meaning = self.preprocessing, self.mask_meaning
        check_views(self.views, section)
        expected = {} if meaning is None else {MASK_PROBS: meaning.channels}
        outputs = {output.name: output for output in self.outputs}
        if CLASS_PROBS in outputs:
            expected[CLASS_PROBS] = section.classes
        if CLASS_MAPS in outputs and CLASS_PROBS in outputs:
            expected[CLASS_MAPS] = section.classes
        width = None if self.training_cases is None else self.training_cases.width
        if width is not None:
            expected[EMBEDDING] = ()
        if not outputs or len(outputs) < len(self.outputs) or outputs.keys() != expected.keys():
            raise ValueError(f"the outputs are {', '.join(outputs) or 'none'}, not {', '.join(expected) or 'any'}")
        for name, channels in expected.items():
            shape = outputs[name].shape
            count = width if name == EMBEDDING else len(channels)
            if outputs[name].channels != channels or shape[1:2] != (count,):
                told = f"the channels {', '.join(channels)}" if channels else f"{width} channels without names"
                raise ValueError(f"the output {name} must have {told}")
        if meaning is not None and not meaning.lesion_channels:
            raise ValueError("no channel of the mask is the lesion")
        if self.input.name != IMAGE or self.input.shape[1:] != (section.channels, *section.size):
            raise ValueError(f"the input must be {IMAGE}, of the channels and size of the preprocessing")
        if not {MODEL} <= self.files.keys() <= {MODEL, WEIGHTS}:
            raise ValueError(f"files must name {MODEL}, and nothing but {WEIGHTS} beside it")


GraphShape = Sequence[int | None]


def _agree(found: GraphShape, stated: Sequence[str | int]) -> bool:
    lengths = zip(found[1:], stated[1:], strict=False)
    return len(found) == len(stated) and all(own is None or own == length for own, length in lengths)


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `package.json`: a record as plain values, and the digest of it."""
    return {SEAL: _digest(record), **record}


def _digest(mapping: Mapping[str, Any]) -> str:
    """Of all but the licence, which whoever trained the weights writes."""
    described = {key: value for key, value in mapping.items() if key != "licence"}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _from_format_1(mapping: dict[str, Any]) -> dict[str, Any]:
    """A record from before images and volumes had data sections of their own, and all that is recorded a type."""
    preprocessing, training, parity = (mapping.get(key) for key in ("preprocessing", "training", "parity"))
    if isinstance(preprocessing, Mapping):
        preprocessing = upgraded_data(preprocessing)
    if isinstance(training, Mapping) and "data" not in training:
        training = None
    if isinstance(parity, Mapping):
        parity = {"runtimes": [], **parity} if parity else None
    upgraded = {"preprocessing": preprocessing, "training": training, "parity": parity}
    return mapping | upgraded


def _with_every_metric(mapping: dict[str, Any]) -> dict[str, Any]:
    """A record from before a metric was known has no value of it, and predicts all the same."""
    metrics = mapping.get("metrics")
    if not isinstance(metrics, list) or not all(isinstance(track, Mapping) for track in metrics):
        return mapping
    return mapping | {"metrics": [completed_figures(track) for track in metrics]}


def case_digest(case_id: str) -> str:
    """By what a case id is recognised. It hides no id that can be guessed, as a number can."""
    return hashlib.sha256(case_id.encode()).hexdigest()[:16]


def is_package(path: Path) -> bool:
    """Whether `path` is to be opened as a package: any file (a zip), or a folder with `package.json`."""
    return path.is_file() or (path / RECORD).is_file()


class Package:
    """A package on the disk; its files are read when they are asked for."""

    def __init__(self, path: Path):
        """Raises `InputError` for a package whose record is missing, damaged or of another format."""
        self.path = path
        self.record = self._record()

    def checked(self, name: str) -> Path | bytes:
        """One of the record's files: where it is in a folder, or its content in a zip.

        Raises `InputError` unless it is what was exported.
        """
        if self.path.is_dir():
            found: Path | bytes = self.path / name
            if not (self.path / name).is_file():
                raise self._lacks(name)
            digest = sha256_of_file(self.path / name)
        else:
            found = self._content(name)
            digest = hashlib.sha256(found).hexdigest()
        if digest != self.record.files.get(name):
            raise InputError(f"{name} is not the file that was exported", remedy=COPY_AGAIN, path=self.path)
        return found

    def check_graph(self, inputs: Mapping[str, GraphShape], outputs: Mapping[str, GraphShape]) -> None:
        """Raises `InputError` unless `model.onnx` has the inputs and outputs that the record describes.

        Of axes whose length the graph leaves open (None) nothing is known.
        """
        for kind, found, described in (
            ("input", inputs, (self.record.input,)),
            ("output", outputs, self.record.outputs),
        ):
            stated = {tensor.name: tensor.shape for tensor in described}
            if found.keys() != stated.keys() or not all(_agree(found[name], stated[name]) for name in stated):
                raise InputError(f"{MODEL} has other {kind}s than {RECORD} says", remedy=COPY_AGAIN, path=self.path)

    def _record(self) -> PackageRecord:
        try:
            mapping = json.loads(self._content(RECORD))
        except (ValueError, RecursionError) as error:  # neither UTF-8 nor JSON, or nested without end
            raise InputError(f"{RECORD} is not JSON ({error})", remedy=COPY_AGAIN, path=self.path) from None
        version = mapping.get("format_version") if isinstance(mapping, dict) else None
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise InputError(
                f"is a package of format {version}; this bustle reads formats 1 to {FORMAT_VERSION}",
                remedy="install the bustle that made it" if version else COPY_AGAIN,
                path=self.path,
            )
        if version < SEALED_SINCE:
            mapping = _from_format_1(mapping) if version == 1 else mapping
            mapping |= {"seen_images": []}
        elif mapping.pop(SEAL, None) != _digest(mapping):
            raise InputError(f"{RECORD} is not the file that was exported", remedy=COPY_AGAIN, path=self.path)
        if version < ANSWERS_SINCE:
            mapping |= {"decision": None, "half": False}
        if version < IMAGES_ALONE_SINCE and mapping.get("seen_images"):
            mapping |= {"seen_cases": []}
        mapping |= {"format_version": FORMAT_VERSION}
        try:
            return from_mapping(PackageRecord, _with_every_metric(mapping), where=RECORD)
        except InputError as error:
            raise InputError(error.problem, remedy=COPY_AGAIN, path=self.path) from None
        except NOT_FIGURES as error:
            raise InputError(f"{RECORD} holds damaged figures ({error})", remedy=COPY_AGAIN, path=self.path) from None

    def _content(self, name: str) -> bytes:
        try:
            if self.path.is_dir():
                size = check_regular(self.path / name).st_size
                self._check_size(name, size=size, packed=size)
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                entry = archive.getinfo(name)
                self._check_size(name, size=entry.file_size, packed=entry.compress_size)
                return archive.read(entry)  # never more than the size that it states
        except InputError:
            raise
        except (FileNotFoundError, KeyError):
            raise self._lacks(name) from None
        except MemoryError:
            raise self._too_large(name, "needs more memory than there is") from None
        except Exception as error:  # a damaged archive can make the decoders raise almost anything
            raise InputError(
                f"is not a readable model package ({error})",
                remedy="give a package of `bustle export`, a folder or a zip",
                path=self.path,
            ) from None

    def _check_size(self, name: str, *, size: int, packed: int) -> None:
        """Raises `InputError` for a file that would fill the memory, before a byte is unpacked."""
        available = available_memory()
        if name == RECORD and size > LARGEST_RECORD:
            raise self._too_large(name, f"has {size / 1e6:.0f} MB")
        if size > PACKED_AT_WILL and size > MOST_PACKED * packed:
            raise self._too_large(name, f"unpacks {packed / 1e6:.1f} MB to {size / 1e9:.1f} GB")
        if available is not None and size > available:
            raise self._too_large(name, f"has {size / 1e9:.1f} GB, {available / 1e9:.1f} GB of memory are free")

    def _too_large(self, name: str, what: str) -> InputError:
        return InputError(f"{name} {what}", remedy="check where the package is from", path=self.path)

    def _lacks(self, name: str) -> InputError:
        return InputError(f"lacks {name}", remedy=COPY_AGAIN, path=self.path)
