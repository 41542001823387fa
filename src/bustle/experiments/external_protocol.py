"""Predefined external tests: on which data set a model is trained, and on which it is tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bustle.core.config import from_mapping
from bustle.core.errors import InputError, unknown_name
from bustle.core.recipe import CONFIGS, read_yaml
from bustle.core.types import Collection
from bustle.data.relations.duplicates import COPIES, groups_of_pairs, related_frames
from bustle.data.relations.leak_groups import conflicting_groups


@dataclass(frozen=True, kw_only=True)
class ExternalTest:
    """`clean`: of copies of one frame the first alone, and none where their classes differ."""

    source: str
    clean: bool = False

    @property
    def name(self) -> str:
        return f"{self.source}-clean" if self.clean else self.source


@dataclass(frozen=True, kw_only=True)
class ExternalProtocol:
    """One file of `configs/external`."""

    id: str
    title: str
    trained_on: str
    tests: tuple[ExternalTest, ...]

    def chosen(self, given: Mapping[str, Collection]) -> dict[str, Collection]:
        """The data sets that it takes, by name, the one to train on first; tests without their data are left out.

        Raises `InputError` where the training's data or that of all tests is not given.
        """
        present = [test for test in self.tests if test.source in given]
        lacking = [] if present else [test.source for test in self.tests]
        lacking = lacking if self.trained_on in given else [self.trained_on, *lacking]
        if lacking:
            raise InputError(
                f"the protocol {self.id} needs {' and '.join(lacking)}", remedy=f"give {lacking[0]}:PATH to --data"
            )
        tests = {test.name: cleaned(given[test.source]) if test.clean else given[test.source] for test in present}
        return {self.trained_on: given[self.trained_on], **tests}


def external_ids() -> list[str]:
    return sorted(path.stem for path in (CONFIGS / "external").glob("*.yaml"))


def load_external(name: str) -> ExternalProtocol:
    """Raises `InputError` with the nearest ids for one that is none."""
    if name not in external_ids():
        raise unknown_name("external protocol", name, external_ids())
    return from_mapping(ExternalProtocol, read_yaml(CONFIGS / "external" / f"{name}.yaml"), where=name)


def cleaned(collection: Collection) -> Collection:
    """Without all copies but the first of each frame, and without frames whose copies carry different classes."""
    cases = collection.cases
    duplicates = groups_of_pairs(cases, related_frames(cases), relations=COPIES)
    conflicting = {name for group in conflicting_groups(cases, duplicates) for name in group}
    left_out = conflicting | {name for group in duplicates for name in group[1:]}
    return Collection(tuple(case for case in cases if case.case_id not in left_out), collection.findings)
