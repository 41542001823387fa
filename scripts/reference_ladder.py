"""The ladder of the reference model: candidates, trained without a source and tested on it, small or at full size.

Usage: `.venv/bin/python scripts/reference_ladder.py DATA --weights FILE --out RUNS --json FILE [--full-size]
[--only NAME ...] [--unseen SOURCE ...]`, where DATA holds `busi`, `bus-bra` and `breast`. What is finished is kept,
what was begun goes on. The JSON has the figures of all candidates that are finished, by the source that they did not
see; `scripts/generate_ladder_page.py` shows them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bustle
from bustle.core.config import Component, from_mapping, to_mapping
from bustle.core.files import write_json
from bustle.core.recipe import load_recipe, read_yaml
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.evaluation.result_files import read_track

LADDER = Path(__file__).with_suffix(".yaml")
SOURCES = {"busi": "busi:{}/busi", "bus-bra": "bus-bra:{}/bus-bra", "breast": "breast:{}/breast"}
UNSEEN = ("bus-bra", "busi")
"""Each is left out of a training and tested on. BrEaST's 40 images always take part."""
METRICS = ("dice", "missed_lesions", "fp_rate_on_normals", "auc")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The recipe `reference` `without` some augmentations, which `adds` others, with other `changes` by key."""

    title: str
    without: tuple[str, ...] = ()
    adds: tuple[Component, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """All candidates have the changes of `start`, the small ones those of `proxy` as well."""

    start: Mapping[str, Any]
    proxy: Mapping[str, Any]
    candidates: Mapping[str, Candidate]

    def changes_of(self, name: str, *, full_size: bool) -> dict[str, Any]:
        """Of the recipe, by the path of the key."""
        candidate = self.candidates[name]
        changes = {**self.start, **({} if full_size else self.proxy), **candidate.changes}
        if candidate.without or candidate.adds:
            kept = [each for each in load_recipe("reference").augmentation if each.name not in candidate.without]
            changes["augmentation"] = to_mapping([*kept, *candidate.adds])
        return changes


def run(name: str, changes: Mapping[str, Any], *, unseen: str, data: Path, out: Path) -> None:
    """Train and test a candidate without the source `unseen`, as far as that is not done."""
    folder = run_of(name, unseen, out=out)
    seen = [spec.format(data) for source, spec in SOURCES.items() if source != unseen]
    if not folder.summary.exists():
        bustle.train(
            "reference", data=seen, out=folder.path, changes=changes, holdout=0.1, resume=folder.path.exists()
        )
    if not test_of(folder).exists():
        bustle.evaluate(folder.path, data=[SOURCES[unseen].format(data)], out=test_of(folder).parent)


def run_of(name: str, unseen: str, *, out: Path) -> RunLayout:
    return RunLayout(out / name / f"without-{unseen}")


def test_of(run: RunLayout) -> Path:
    """Where the figures on the unseen source are."""
    return ScoredFolder(run.path.with_name(f"{run.path.name}-test")).main.metrics


def figures_of(name: str, *, out: Path) -> dict[str, Any]:
    """By unseen source, where tested: the figures with intervals, and how they differ from those of `reference`."""
    figures = {}
    for unseen in UNSEEN:
        tested, reference = (test_of(run_of(each, unseen, out=out)) for each in (name, "reference"))
        if not (tested.exists() and reference.exists()):
            continue
        scores = read_track(tested)
        assert scores.segmentation is not None
        assert scores.classification is not None
        estimates = {**scores.segmentation, **scores.classification.estimates}
        differences = _differences(tested.parent, reference.parent, out=out) if name != "reference" else {}
        figures[unseen] = {
            metric: {"value": estimates[metric].mean, "ci95": estimates[metric].ci95} | differences.get(metric, {})
            for metric in METRICS
            if estimates[metric].n
        }
    return figures


def _differences(tested: Path, reference: Path, *, out: Path) -> dict[str, dict[str, Any]]:
    """Of every metric from the reference's, over the same cases, with the interval over patients."""
    comparison = bustle.compare([reference, tested], out=out / "comparisons" / tested.parent.name / tested.name)
    strict = next(track for track in comparison.tracks if track.track == "strict")
    return {
        each.metric: {"difference": each.difference, "difference_ci95": each.ci95}
        for each in strict.comparisons
        if each.part in ("segmentation", "classification")
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the three data sets")
    parser.add_argument("--weights", type=Path, required=True, help="ImageNet weights of EfficientNet-Lite0")
    parser.add_argument("--out", type=Path, required=True, help="where the runs are")
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    ladder = from_mapping(Ladder, read_yaml(LADDER), where=LADDER.name)
    names = list(ladder.candidates)
    parser.add_argument("--full-size", action="store_true", help="with the recipe's own size and epochs")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help="candidates to run")
    parser.add_argument(
        "--unseen", nargs="+", choices=UNSEEN, default=UNSEEN, help="sources to leave out and test on"
    )
    chosen = parser.parse_args(arguments)
    for name in chosen.only:
        changes = ladder.changes_of(name, full_size=chosen.full_size)
        for unseen in chosen.unseen:
            started_from = {"model.encoder_weights": str(chosen.weights)}
            run(name, changes | started_from, unseen=unseen, data=chosen.data, out=chosen.out)
    candidates = {
        name: {
            "title": ladder.candidates[name].title,
            "changes": ladder.changes_of(name, full_size=chosen.full_size),
            "figures": figures,
        }
        for name in names
        if (figures := figures_of(name, out=chosen.out))
    }
    write_json(chosen.json, {"candidates": candidates})


if __name__ == "__main__":
    main()
