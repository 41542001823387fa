"""`acceptance.json`: what a site's acceptance test found, and every answer, for the test after an upgrade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bustle.core.config import LEFT_OUT_AT_DEFAULT, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.model_provenance import ModelProvenance
from bustle.core.provenance import Provenance
from bustle.core.run_provenance import Fingerprint
from bustle.evaluation.acceptance import Judged, Verdict

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """The word about a case, and the probability of malignant."""

    decision: str | None
    malignant: float | None


@dataclass(frozen=True, kw_only=True)
class ChangedAnswer:
    case_id: str
    before: GivenAnswer
    after: GivenAnswer


@dataclass(frozen=True, kw_only=True)
class TestedModel:
    """A model and its answers by case id."""

    model: ModelProvenance
    answers: Mapping[str, GivenAnswer]


@dataclass(frozen=True, kw_only=True)
class Acceptance(TestedModel):
    """The verdict on the data by its limits; `before` is the model that was tested last before this one.

    `warnings` are what a reader of the figures must know of them.
    """

    format: int = FORMAT
    verdict: Verdict
    limits: tuple[Judged, ...]
    data: Mapping[str, Fingerprint]
    n_cases: int
    n_groups: int
    groups: str
    warnings: tuple[str, ...]
    provenance: Provenance
    before: TestedModel | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    @property
    def changed(self) -> tuple[ChangedAnswer, ...]:
        """Of the cases that both models answered, those with another word."""
        if self.before is None:
            return ()
        pairs = ((name, self.before.answers.get(name), after) for name, after in self.answers.items())
        return tuple(
            ChangedAnswer(case_id=name, before=before, after=after)
            for name, before, after in pairs
            if before is not None and before.decision != after.decision
        )


def write_acceptance(path: Path, acceptance: Acceptance) -> None:
    write_json(path, to_mapping(acceptance))


def read_acceptance(path: Path) -> Acceptance | None:
    """None where there is none. Raises `InputError` for a damaged file."""
    if not path.exists():
        return None
    content, remedy = read_json(path), "restore it, or choose another --out: changes since then cannot be told"
    try:
        return from_mapping(Acceptance, content, where=path.name)
    except InputError as error:
        raise InputError(error.problem, remedy=remedy, path=path) from None
