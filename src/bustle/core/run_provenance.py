"""`provenance.json` of a run: what it was started with, and every command that worked in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bustle.core.config import LEFT_OUT_AT_DEFAULT, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.network import Head
from bustle.core.provenance import Provenance
from bustle.core.recipe import TrainingSection
from bustle.core.run_layout import FoldLayout, RunLayout


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Of one data source: the number of cases, and a SHA-256 over all case ids, labels and file contents."""

    cases: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StartingWeights:
    """The file of `--init`."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """`threads` is the number that PyTorch computed with."""

    processor: str
    threads: int
    gpus: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Session(Provenance):
    """One command that worked in the run's folder; `seconds` is None where it did not come to its end."""

    started: str
    hardware: Hardware
    seconds: float | None


@dataclass(frozen=True)
class UntrainedHead:
    """A head of one fold's network that learned nothing: no training `case`, or no `loss`, teaches it."""

    fold: int
    head: Head
    lacks: Literal["case", "loss"] = field(default="case", metadata=LEFT_OUT_AT_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class TaughtCases:
    """Cases of one source that trained or chose the network of a fold, or that of any fold of the run (None).

    `patients` counts those that are known, `without_patient` the cases whose patient is not; `classes` has the cases
    of each class, those without one left out. `patients` is None where only the number of cases is known.
    """

    fold: int | None = None
    source: str
    cases: int
    patients: int | None = None
    without_patient: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MeasuredPrecision:
    """What `training.precision: auto` stands for in a run, on the machine that began it.

    `seconds`, by precision, of what was `timed`: a training step of the network, or a single convolution where that
    shows already that bf16 has no units of its own.
    """

    chosen: Literal["fp32", "bf16"]
    timed: Literal["network", "convolution"]
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class MeasuredMemoryFormat:
    """What `training.channels_last: auto` stands for; `seconds` are those of a training step, by memory format."""

    chosen: Literal["channels_last", "contiguous"]
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class MeasuredForm:
    """What the machine that began a training is fastest with, as far as its recipe says `auto`; else None."""

    precision: MeasuredPrecision | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    memory_format: MeasuredMemoryFormat | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    def decide(self, training: TrainingSection) -> TrainingSection:
        """The section with what was measured in the place of every `auto`."""
        if self.precision is not None and training.precision == "auto":
            training = replace(training, precision=self.precision.chosen)
        if self.memory_format is not None and training.channels_last == "auto":
            training = replace(training, channels_last=self.memory_format.chosen == "channels_last")
        return training


@dataclass(frozen=True, kw_only=True)
class RunProvenance:
    """`data` by source, `sessions` in their order; `untrained` are heads whose answers mean nothing.

    `taught` is empty in runs from before it was counted. `precision` and `memory_format` are there where the recipe
    left the choice to the machine.
    """

    data: Mapping[str, Fingerprint]
    init: StartingWeights | None
    precision: MeasuredPrecision | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    memory_format: MeasuredMemoryFormat | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    untrained: tuple[UntrainedHead, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    taught: tuple[TaughtCases, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    sessions: tuple[Session, ...]


def numbers_of_cases(data: Mapping[str, Fingerprint]) -> tuple[TaughtCases, ...]:
    """All that is known where the cases that taught were not counted: how many each source had."""
    return tuple(TaughtCases(source=source, cases=facts.cases) for source, facts in data.items())


def write_run_provenance(path: Path, record: RunProvenance) -> None:
    write_json(path, to_mapping(record))


def read_run_provenance(path: Path) -> RunProvenance:
    """Raises `InputError` for a file that is missing, damaged or something else."""
    content = read_json(path)
    try:
        return from_mapping(RunProvenance, content, where=path.name)
    except InputError as error:
        raise InputError(f"is not the record of a run ({error})", remedy="restore it", path=path) from None


def untrained_heads_of(run: RunLayout, folds: Iterable[FoldLayout]) -> frozenset[Head]:
    """The heads that nothing trained in one of the folds; raises `InputError` for a damaged record.

    Of a run without its record, or of an older bustle, nothing is known.
    """
    if not run.provenance.exists():
        return frozenset()
    numbers = {fold.number for fold in folds}
    return frozenset(each.head for each in read_run_provenance(run.provenance).untrained if each.fold in numbers)
