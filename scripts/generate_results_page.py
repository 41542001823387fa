"""Write docs/reference/results.md from the files of the runs under results/."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bustle.core.run_layout import ResultsFolder
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.results import RunResult, TrackFigures
from bustle.experiments.repeated_results import Repeats, grouped_repeats, over_repeats
from bustle.experiments.run_record import RunRecord
from bustle.experiments.run_record_file import read_record
from bustle.report.wording import mean_and_sd

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "results.md"


class PhantomSet(NamedTuple):
    """Runs on phantom volumes that stand in one table: how their names begin, and what is said of them."""

    prefix: str
    title: str
    words: tuple[str, ...]


PHANTOM_ORDER = ("vnet", "cvnet", "c_msvnet", "c_msvnet_iter_1", "c_msvnet_iter_2", "search")  # others follow by name
"""From the plain network to the whole method, then the recipe that learns to search."""

PHANTOMS = (
    PhantomSet(
        prefix="phantom_coarse_",
        title="Phantom ABUS volumes, coarse",
        words=(
            "Generated volumes at a quarter of the resolution, 30 to train on and 10 (of 6 patients) to test "
            "on, of one fold, in patches of 32 x 32 x 32 voxels of 2 mm, with the recipes as they are now: "
            "intensities in 0..1. They say nothing about patients, and the classes are not learned in so short "
            "a training. `bustle data phantom --volumes 40 --coarse 4 --out abus` writes the volumes.",
            "Refinement does not help here. Told where the lesion is, Dice is 0.723 without, 0.372 with one "
            "refinement (difference -0.351, 95 % interval -0.560 to -0.107, p corrected for all comparisons "
            "0.48) and 0.685 with two (-0.037, -0.114 to 0.043), by `bustle compare`, in one training of each. "
            "`scripts/refinement_passes.py` has the Dice of every pass over the test patches: 0.636 and 0.356 "
            "with one refinement, 0.661, 0.405 and 0.678 with two, so that the pass that is shown the first map "
            "is the worst. A part of that is batch normalisation, of which all passes share the running "
            "statistics: by the statistics of each batch that pass has 0.567 and 0.530. No pass is better than "
            "the one before any refinement by more than 0.02.",
        ),
    ),
    PhantomSet(
        prefix="phantom_abus_",
        title="Phantom ABUS volumes",
        words=(
            "Generated volumes at half the resolution, 30 to train on and 10 (of 6 patients) to test on, of one "
            "fold. They show that and how the parts work together, and say nothing about patients. The classes "
            "are not learned in so short a training: the AUC is that of chance. `bustle compare` says which "
            "differences are more than chance. The predictions were scored again later, by the same command.",
            "The runs named `…_corrected` have intensities in 0..1, where the lesion map that refinement adds "
            "to the volume shows the lesion; the others subtract the volume's mean and divide by its deviation, "
            "which the recipe no longer does. They have half the epochs, on one thread of a busy machine, so "
            "that they compare with each other only. One refinement lowers Dice in 9 of the 10 volumes, by "
            "0.065 on the mean, in one training of each.",
        ),
    ),
)

HEAD = """# Results

Each table comes from a run's own JSON under `results/`; the commands above it make it again. This page is generated
by `scripts/generate_results_page.py`. Brackets hold the 95 % confidence interval from resampling whole leak groups
(patients, or clusters of near-duplicate images).

`smoke_busi_ctg_net` and `smoke_busi_ctg_net_normals` differ in whether the outline learns from normal images, too
(Dice over the batch, cross-entropy, all channels). One fold and one seed do not show that it helps: a lesion is drawn
on 0.148 of 27 normal images without and on 0.222 with it, more lesions are missed (0.183, 0.270) and Dice is less
(0.585, 0.552). A shorter pair, of 6 epochs at 64 pixels, had pointed the other way and is replaced by this one.

The three runs of LA-Net with a quarter of the locations say what its pseudo masks do, one seed each. Where all cases
teach classes and the located ones alone where a lesion is (`smoke_busi_la_net_located_25_no_pseudo`), Dice is 0.331;
with pseudo masks (`smoke_busi_la_net_located_25`) it is 0.368, which 126 cases do not tell apart (difference -0.037,
95 % interval -0.078 to 0.009); trained on the located cases alone (`smoke_busi_la_net_located_25_supervised`) it is
0.514. So in these runs the location is lost with the class loss over all cases, as the paper reports of its strategy,
and not with pseudo masks; without them more lesions are missed (0.302, 0.214; p corrected for all comparisons 0.14).
"""
HEADLINE_DISTANCE = "hd95_px"
"""Stands for the form of HD95 that each protocol leads with."""
ROWS = (
    ("Dice", "segmentation", "dice"),
    ("IoU", "segmentation", "iou"),
    ("HD95 [px]", "segmentation", HEADLINE_DISTANCE),
    ("Box IoU", "segmentation", "box_iou"),
    ("Lesions missed", "segmentation", "missed_lesions"),
    ("A lesion drawn on normals", "segmentation", "fp_rate_on_normals"),
    ("AUC", "classification", "auc"),
    ("Accuracy", "classification", "accuracy"),
    ("Sensitivity", "classification", "sensitivity"),
    ("Specificity", "classification", "specificity"),
    ("Brier score", "classification", "brier"),
    ("Called normal, yet a lesion is drawn", "consistency", "normal_but_drawn"),
    ("Called a lesion, yet nothing is drawn", "consistency", "lesion_but_not_drawn"),
)


def cell(figures: TrackFigures, part: str, name: str) -> str:
    metrics = estimates_of(figures, part)
    if name == HEADLINE_DISTANCE:
        name = f"{figures.headline_distance}_px"
    value = None if metrics is None else metrics[name]
    if value is None or value.mean is None:
        return "–"
    digits = 1 if abs(value.mean) >= 10 else 3
    text = f"{value.mean:.{digits}f}"
    if value.ci95 is not None:
        text += " [{:.{d}f}, {:.{d}f}]".format(*value.ci95, d=digits)
    return f"{text} (pooled)" if "pooled" in name else text


def both_tracks(result: RunResult) -> tuple[TrackFigures, TrackFigures]:
    """The pooled figures of the run's own track and of the other one."""
    main, companion = result.tracks
    return main.pooled, companion.pooled


def scoring(figures: TrackFigures) -> str:
    """The grid on which masks were compared, and the positive class where there are classes."""
    classes = figures.classification
    return f"{figures.resolution} size" + (f", positive: {classes.positive_class}" if classes else "")


def section(name: str, record: RunRecord) -> str:
    """One run: command, hardware, size, and its strict and as-published figures side by side."""
    result, sessions = record.result, record.provenance.sessions
    hardware = sessions[-1].hardware
    own, companion = both_tracks(result)
    lines = [
        f"## {name}",
        "",
        f"{result.title}. {own.n_cases} test cases of {len(result.folds)} fold(s), "
        f"{sum(session.seconds or 0.0 for session in sessions) / 60:.0f} minutes with "
        f"{hardware.threads} thread(s) on {sessions[-1].processors} cores "
        f"({hardware.processor}). File: `results/{name}.json`.",
        "",
        "```text",
        *(shlex.join(session.command) for session in sessions),
        "```",
        "",
        f"| | {own.track} ({scoring(own)}) | {companion.track}, scored as {companion.protocol} "
        f"({scoring(companion)}) |",
        "|---|---|---|",
    ]
    for title, part, metric in ROWS:
        values = (cell(own, part, metric), cell(companion, part, metric))
        if values != ("–", "–"):
            lines.append(f"| {title} | {values[0]} | {values[1]} |")
    return "\n".join([*lines, ""])


def repeats_section(repeats: Repeats) -> str:
    """Repeats in one table: mean ± SD over them, on both tracks."""
    names, first = list(repeats.records), next(iter(repeats.records.values()))
    tracks = repeats.tracks()
    lines = [
        f"## {names[0]} and its repeats",
        "",
        f"{first.result.title}, trained {len(names)} times on the same {len(first.result.folds)} fold(s) with the "
        f"seeds {', '.join(map(str, repeats.seeds))}; mean ± SD over these trainings. Files: "
        f"{', '.join(f'`results/{name}.json`' for name in names)}.",
        "",
        "```text",
        *(
            shlex.join(session.command)
            for record in repeats.records.values()
            for session in record.provenance.sessions
        ),
        "```",
        "",
        f"| | {' | '.join(f'{own[0].track}, {own[0].protocol} ({scoring(own[0])})' for own in tracks)} |",
        "|---|" + "---|" * len(tracks),
    ]
    for title, part, metric in ROWS:
        values = [_over_repeats(own, part, metric) for own in tracks]
        if set(values) != {"–"}:
            lines.append(f"| {title} | {' | '.join(values)} |")
    return "\n".join([*lines, ""])


def _over_repeats(repeats: Sequence[TrackFigures], part: str, metric: str) -> str:
    name = f"{repeats[0].headline_distance}_px" if metric == HEADLINE_DISTANCE else metric
    found = over_repeats(repeats, part, name)
    return "–" if found is None else mean_and_sd(*found)


PHANTOM_COLUMNS = (
    ("Dice", "segmentation", "dice"),
    ("HD95 [mm]", "segmentation", "hd95_mm"),
    ("AUC", "classification", "auc"),
    ("Accuracy", "classification", "accuracy"),
)
SEARCH_COLUMNS = (
    ("Lesions found", "lesion_detection", "lesion_sensitivity"),
    ("False positives per volume", "lesion_detection", "false_positives_per_case"),
    ("CPM", "lesion_detection", "cpm"),
    ("Dice", "segmentation", "dice"),
)


def phantom_section(chosen: PhantomSet, records: Mapping[str, RunRecord]) -> str:
    """The runs of a set in one table for each of the two tracks."""
    results = {name.removeprefix(chosen.prefix): record.result for name, record in records.items()}
    told, searched = both_tracks(next(iter(results.values())))
    session = next(iter(records.values())).provenance.sessions[-1]
    lines = [
        f"## {chosen.title}",
        "",
        *(f"{paragraph}\n" for paragraph in chosen.words),
        f"{session.hardware.threads} thread(s) on {session.processors} cores ({session.hardware.processor}), minutes "
        f"of training. Files: `results/{chosen.prefix}….json`.",
        "",
        "```text",
        *dict.fromkeys(shlex.join(s.command) for record in records.values() for s in record.provenance.sessions),
        "```",
        "",
        f"Told where the lesion is, as the paper's system is ({scoring(told)}):",
        "",
        *_phantom_table(results, PHANTOM_COLUMNS, searched=False),
        "",
        f"Searching the whole volume ({scoring(searched)}):",
        "",
        *_phantom_table(results, SEARCH_COLUMNS, searched=True),
    ]
    return "\n".join([*lines, ""])


def _phantom_table(
    results: Mapping[str, RunResult], columns: Sequence[tuple[str, str, str]], *, searched: bool
) -> list[str]:
    titles = " | ".join(title for title, _, _ in columns)
    lines = [f"| | {titles} | epochs | minutes |", "|---|" + "---|" * (len(columns) + 2)]
    for run, result in results.items():
        (fold,) = result.folds
        cells = " | ".join(cell(both_tracks(result)[searched], part, name) for _, part, name in columns)
        lines.append(f"| `{run}` | {cells} | {fold.epochs} | {fold.training_seconds / 60:.0f} |")
    return lines


def render() -> str:
    records = {path.stem: read_record(path) for path in ResultsFolder(ROOT / "results").runs()}
    sets = {chosen: _of_set(chosen, records) for chosen in PHANTOMS}
    phantoms = {name for names in sets.values() for name in names}
    repeats = {next(iter(each.records)): each for each in grouped_repeats(records)}
    repeated = {name for each in repeats.values() for name in each.records}
    others = [
        repeats_section(repeats[name]) if name in repeats else section(name, record)
        for name, record in records.items()
        if name not in phantoms and (name in repeats or name not in repeated)
    ]
    tables = [phantom_section(chosen, {name: records[name] for name in names}) for chosen, names in sets.items()]
    return "\n".join([HEAD, *others, *tables]).rstrip() + "\n"


def _of_set(chosen: PhantomSet, records: Mapping[str, RunRecord]) -> list[str]:
    order = {chosen.prefix + name: place for place, name in enumerate(PHANTOM_ORDER)}
    own = (name for name in records if name.startswith(chosen.prefix))
    return sorted(own, key=lambda name: order.get(name, len(order)))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
