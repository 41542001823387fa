"""Compares measured descriptors with those that radiologists wrote down in BrEaST's clinical table.

`python scripts/descriptor_agreement.py breast:PATH --json FILE`. The outlines are the radiologists' own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.provenance import Provenance, provenance
from bustle.data.sources import open_sources
from bustle.evaluation.agreement import cohens_kappa
from bustle.evaluation.classification import areas_under_roc
from bustle.evaluation.statistics import percentile_interval
from bustle.experiments.measured_cases import MeasuredCase, measure_cases
from bustle.inference.descriptors.results import BiradsWords

RESAMPLES = 2000

WORDS = {
    "shape": ("shape", {"oval": "oval", "round": "round", "irregular": "irregular"}),
    "margin": ("margin", {"circumscribed": "circumscribed", "not circumscribed": "not circumscribed"}),
    "echo_pattern": (
        "echogenicity",
        {word: word for word in ("anechoic", "hypoechoic", "isoechoic", "hyperechoic")},
    ),
    "posterior_features": (
        "posterior_features",
        {"no": "no posterior features", "enhancement": "enhancement", "shadowing": "shadowing"},
    ),
}
"""Our descriptor: the table's column, and our word for each of its words. Other words have no measurement."""

SIGNS: dict[str, tuple[str, str, Callable[[str], bool], int]] = {
    "shape irregular": ("ellipse_deviation", "shape", lambda word: word == "irregular", 1),
    "margin not circumscribed (roughness)": (
        "margin_roughness",
        "margin",
        lambda word: word.startswith("not circumscribed"),
        1,
    ),
    "margin indistinct (not seen)": ("indistinct_share", "margin", lambda word: "indistinct" in word, 1),
    "posterior shadowing": ("posterior_contrast", "posterior_features", lambda word: word == "shadowing", -1),
    "posterior enhancement": ("posterior_contrast", "posterior_features", lambda word: word == "enhancement", 1),
    "halo": ("rim_contrast", "halo", lambda word: word == "yes", 1),
}
"""A finding: the value that should show it, the table's column, which words mean it, and the value's direction."""


@dataclass(frozen=True, kw_only=True)
class WordAgreement:
    """`table[i][j]` cases are `words[i]` for the radiologists and `words[j]` as measured."""

    n: int
    left_out: int
    agreed: float
    kappa: float | None
    ci95: tuple[float, float] | None
    words: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class SignAgreement:
    """How well a value tells the cases with a finding from those without, at any threshold."""

    value: str
    n: int
    n_with: int
    auc: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    cases: int
    resamples: int
    words: dict[str, WordAgreement]
    signs: dict[str, SignAgreement]
    provenance: Provenance


def compare(measured: Sequence[MeasuredCase]) -> Agreement:
    described = [one for one in measured if one.expert is not None]
    rng = np.random.default_rng(0)
    return Agreement(
        cases=len(described),
        resamples=RESAMPLES,
        words={name: _words(name, described, rng) for name in WORDS},
        signs={name: _sign(name, described, rng) for name in SIGNS},
        provenance=provenance(),
    )


def _words(name: str, described: Sequence[MeasuredCase], rng: np.random.Generator) -> WordAgreement:
    column, ours = WORDS[name]
    pairs = []
    for one in described:
        written = str(one.case.metadata[column])
        if column == "margin":
            written = written.partition(" - ")[0]
        measured = None if one.expert is None else _word(one.expert.words, name)
        if written in ours and measured is not None:
            pairs.append((ours[written], measured))
    words = tuple(ours.values())
    first, second = (np.array([words.index(pair[rater]) for pair in pairs], np.int64) for rater in (0, 1))
    weights = _weights(len(pairs), rng)
    kappas = cohens_kappa(first, second, weights=weights)
    return WordAgreement(
        n=len(pairs),
        left_out=len(described) - len(pairs),
        agreed=float((first == second).mean()),
        kappa=None if np.isnan(kappas[0]) else float(kappas[0]),
        ci95=percentile_interval(kappas[1:]),
        words=words,
        table=tuple(
            tuple(int(((first == i) & (second == j)).sum()) for j in range(len(words))) for i in range(len(words))
        ),
    )


def _word(words: BiradsWords, name: str) -> str | None:
    return getattr(words, name)


def _sign(name: str, described: Sequence[MeasuredCase], rng: np.random.Generator) -> SignAgreement:
    value, column, means_it, direction = SIGNS[name]
    pairs = [
        (means_it(str(one.case.metadata[column])), direction * found)
        for one in described
        if one.expert is not None and (found := one.expert.values()[value]) is not None
    ]
    positive, score = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], float)
    areas = areas_under_roc(positive, score, weights=_weights(len(pairs), rng))
    return SignAgreement(
        value=value,
        n=len(pairs),
        n_with=int(positive.sum()),
        auc=float(areas[0]),
        ci95=percentile_interval(areas[1:]),
    )


def _weights(count: int, rng: np.random.Generator) -> np.ndarray:
    """A row of ones, then resamples of the cases: every case is a patient of its own."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.concatenate([np.ones((1, count)), drawn]).astype(float)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="SPEC", help="breast:PATH")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    found = compare(measure_cases(open_sources([chosen.data]).cases))
    write_json(chosen.json, to_mapping(found))
    for name, words in found.words.items():
        kappa = "undefined" if words.kappa is None else f"{words.kappa:.2f}"
        print(f"{name}: kappa {kappa} {words.ci95}, {words.agreed:.0%} of {words.n} cases agree")
    for name, sign in found.signs.items():
        print(f"{name}: AUC {sign.auc:.2f} {sign.ci95}, {sign.n_with} of {sign.n} cases")


if __name__ == "__main__":
    main()
