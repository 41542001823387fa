"""How much the most similar training cases of a package tell about the class of cases that it has not seen.

Usage: `.venv/bin/python scripts/similar_cases.py PACKAGE --data SPEC... [--split SPLIT.json] --json FILE`. The test
cases of the split's only fold are sought in the data; without a split the package must have seen none of the data. Of
each case the majority class of the five nearest training cases (of equals that of the nearest) is compared with the
truth, beside the network's own most probable class; once among all training cases and once among those of other data
sets. `scripts/generate_reference_page.py` makes the tables of docs/reference/reference-model.md of the JSON.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reference_views import RESAMPLES, figure, group_weights

from bustle.core.data_section import ImageData
from bustle.core.files import write_json
from bustle.core.progress import progress
from bustle.core.similar_case import SimilarCase
from bustle.core.types import Case
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.experiments.resampling_groups import resampling_groups
from bustle.experiments.training_overlap import cases_of_training
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import Package
from bustle.inference.training_cases import NEIGHBOURS, TrainingCases

QUARTILES = (0.25, 0.5, 0.75)


class Asked(NamedTuple):
    """A test case: its truth, what the network says, and all training cases, the nearest first."""

    source: str
    truth: str
    network: str
    neighbours: tuple[SimilarCase, ...]

    def nearest(self, *, elsewhere: bool = False) -> list[SimilarCase]:
        """The five nearest ones, of other data sets only if `elsewhere`."""
        return [case for case in self.neighbours if not elsewhere or case.source != self.source][:NEIGHBOURS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--split", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    package = Package(arguments.package)
    kept = package.record.training_cases
    assert kept is not None, "the package keeps no training cases"
    backend = OnnxBackend(package, device="cpu")
    cases, groups = unseen_cases(arguments.package, data=arguments.data, split=arguments.split)
    shown = progress(cases, description="test cases", total=len(cases), unit="case")
    asked = [ask(backend, package, case, kept=kept) for case in shown]
    weights = group_weights(groups)
    write_json(arguments.json, {"training_cases": kept.count, **compared(asked, weights=weights)})


def unseen_cases(package: Path, *, data: Sequence[str], split: Path | None) -> tuple[list[Case], list[str]]:
    """The cases to ask about, and the group that each belongs to."""
    cases = open_sources(data).cases
    if split is None:
        assert not cases_of_training(package, cases), "the package has seen some of the data"
        group_of = resampling_groups(cases).group_of
        return list(cases), [group_of[case.case_id] for case in cases]
    splits = read_splits(split)
    (fold,) = splits.folds
    tested = [case for case in cases if case.case_id in set(fold.test)]
    return tested, [splits.groups[case.case_id] for case in tested]


def ask(backend: OnnxBackend, package: Package, case: Case, *, kept: TrainingCases) -> Asked:
    section = package.record.preprocessing
    assert isinstance(section, ImageData)
    sample = case.load()
    image = normalise(ImageGrid.of(sample.geometry, section=section).prepare(sample.image), section=section)
    output = backend.run(image[None])
    assert output.classes is not None
    assert output.embeddings is not None
    said = section.classes[int(output.classes[0].argmax())]
    return Asked(case.source, str(case.label), said, kept.nearest(output.embeddings[0], count=kept.count))


def compared(asked: Sequence[Asked], *, weights: np.ndarray) -> dict[str, Any]:
    """The figures with intervals over groups: `who` is right, and when `agreement` tells a right answer."""
    truth = np.array([case.truth for case in asked])
    said = {
        "network": np.array([case.network for case in asked]),
        "five nearest": np.array([majority(case.nearest()) for case in asked]),
        "five nearest of other data sets": np.array([majority(case.nearest(elsewhere=True)) for case in asked]),
    }
    who = [
        {
            "who": name,
            "accuracy": share(own == truth, np.full(len(truth), True), weights=weights),
            "sensitivity": share(own == "malignant", truth == "malignant", weights=weights),
            "specificity": share(own != "malignant", truth != "malignant", weights=weights),
        }
        for name, own in said.items()
    ]
    votes = np.array([sum(near.class_name == case.network for near in case.nearest()) for case in asked])
    agreement = [
        {"agree": words, "cases": int(chosen.sum())}
        | {"network_wrong": share(said["network"] != truth, chosen, weights=weights)}
        for words, chosen in (("all five", votes == NEIGHBOURS), ("four or fewer", votes < NEIGHBOURS))
    ]
    own = [sum(near.source == case.source for near in case.nearest()) / NEIGHBOURS for case in asked]
    first = [case.neighbours[0].distance for case in asked]
    return {
        "n": len(asked),
        "resamples": RESAMPLES,
        "who": who,
        "agreement": agreement,
        "same_data_set": float(np.mean(own)),
        "first_distance": [float(each) for each in np.quantile(first, QUARTILES)],
    }


def majority(nearest: Sequence[SimilarCase]) -> str:
    """The class of most of them; of equals that of the nearest."""
    return Counter(case.class_name for case in nearest).most_common(1)[0][0]


def share(holds: np.ndarray, among: np.ndarray, *, weights: np.ndarray) -> dict[str, Any]:
    """Of the cases `among`, how many `holds` is true of, with an interval."""
    return figure(weights[:, among] @ holds[among] / np.maximum(weights[:, among].sum(axis=1), 1))


if __name__ == "__main__":
    main()
