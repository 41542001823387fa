"""Writes the tables of docs/reference/reference-model.md anew, from the JSON of its commands; run it after a change.

A table, or the command of the training, stands between `<!-- table NAME -->` and `<!-- end of table -->`; the words
around it are written by hand. `generate_reference_card.py` shows the same in short.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bustle.core.files import read_json, write_text
from bustle.evaluation.figures import Estimate
from bustle.evaluation.result_files import read_track
from bustle.evaluation.results import TrackScores
from bustle.experiments.run_record import RunRecord
from bustle.experiments.run_record_file import read_record
from bustle.inference.package import Package
from bustle.inference.picture_remarks import COLOUR, INVERTED, TWO_FRAMES
from bustle.inference.shipped import REFERENCE as NAME
from bustle.inference.shipped import named_model

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
REFERENCE = RESULTS / "reference"
PAGE = ROOT / "docs" / "reference" / "reference-model.md"
TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

NETWORK_AND_ANSWERS = (
    ("Dice", "segmentation", "dice"),
    ("Lesions missed", "segmentation", "missed_lesions"),
    ("A lesion drawn on normals", "segmentation", "fp_rate_on_normals"),
    ("AUC, malignant", "classification", "auc"),
    ("ECE, 10 bins of equal mass", "classification", "ece_equal_mass_10"),
)
FLAGS = {COLOUR, INVERTED, TWO_FRAMES}
"""The remarks that say that a picture is of another kind."""
PARTS = {"dice": "Dice", "missed_lesions": "lesions missed", "auc": "AUC"}
WHO_IS_RIGHT = {
    "accuracy": "right",
    "sensitivity": "malignant found",
    "specificity": "others not called malignant",
}


def render() -> str:
    return TABLE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", PAGE.read_text(encoding="utf-8"))


@cache
def recorded(run: str) -> RunRecord:
    """What `results/` tells of a run."""
    return read_record(RESULTS / f"{run}.json")


def tested() -> Mapping[str, TrackScores]:
    """What the model, or sisters of it, were tested on, and the figures."""
    return {
        "cross-validated": recorded("reference_cross_validation").result.pooled,
        "own sources": read_track(REFERENCE / "own_sources.json"),
        "unseen BUS-BRA": read_track(REFERENCE / "without_busbra_on_busbra.json"),
        "unseen BUSI": read_track(REFERENCE / "without_busi_on_busi.json"),
        "unseen BrEaST": read_track(REFERENCE / "without_breast_on_breast.json"),
    }


def promises() -> Sequence[tuple[str, str]]:
    """Words and names of the figures of what answers promise, with what the shipped model's rule states."""
    rule = Package(named_model(Path(NAME))).record.decision
    assert rule is not None
    assert rule.presence is not None
    lesions, normals = (f"{100 * share:.0f} %" for share in (rule.presence.coverage_yes, rule.presence.coverage_no))
    classes = f"{100 * rule.malignancy.coverage_yes:.0f} %"
    return (
        ("Left open", "left_open"),
        ("Decided wrongly", "decided_wrongly"),
        (f"Lesions in which one stays possible ({lesions} stated)", "coverage_lesions"),
        (f"Normals in which none stays possible ({normals})", "coverage_normals"),
        (f"Lesions whose class stays possible ({classes})", "coverage_classes"),
    )


def training_command() -> str:
    """The command that began the training, as it is recorded, and what the later ones added to it."""
    first, *later = (session.command for session in recorded("reference").provenance.sessions)
    block = "```bash\n" + shlex.join(first).replace(" --set ", " \\\n  --set ") + "\n```\n"
    added = [f"`{' '.join(word for word in command if word not in first)}`" for command in later]
    return block + (f"\nLater sessions added {', then '.join(added)}.\n" if added else "")


def _figures() -> str:
    scored = tested()
    columns = [f"{name}: {whose}" for name in scored for whose in ("network", "answers")]
    rows = []
    for words, part, metric in NETWORK_AND_ANSWERS:
        cells = []
        for scores in scored.values():
            assert scores.answers is not None
            cells += [_estimate(_of(scores, part, metric)), _estimate(_of(scores.answers, part, metric))]
        rows.append([words, *cells])
    for words, promise in promises():
        cells = []
        for scores in scored.values():
            assert scores.answers is not None
            cells += ["–", _estimate(scores.answers.estimates[promise])]
        rows.append([words, *cells])
    return _table(["", *columns], rows)


def _of(figures: Any, part: str, metric: str) -> Estimate:
    found = getattr(figures, part)
    return (found if part == "segmentation" else found.estimates)[metric]


def _estimate(figure: Estimate) -> str:
    return _interval(figure.mean, figure.ci95)


def _parts(name: str) -> str:
    groups = read_json(REFERENCE / name)["subgroups"]
    rows = [
        [f"{group['kind']}: {group['name']}", f"{group['n']} ({group['n_malignant']})"]
        + [_interval(group[metric]["value"], group[metric]["ci95"]) for metric in PARTS]
        for group in groups
    ]
    return _table(["part", "cases (malignant)", *PARTS.values()], rows)


def _sources() -> str:
    rows = []
    for group in read_json(REFERENCE / "subgroups_cross_validated_answers.json")["subgroups"]:
        if group["kind"] == "source":
            figures = (_interval(group[metric]["value"], group[metric]["ci95"]) for metric in PARTS)
            rows.append([group["name"], f"{group['n']} ({group['n_malignant']})", *figures])
    return _table(["data set", "cases (malignant)", *PARTS.values()], rows)


def _painted_marks() -> str:
    rows = []
    for row in read_json(REFERENCE / "painted_marks.json")["rows"]:
        changes = [row.get(name) for name in ("malignant_change", "dice_change", "auc_change")]
        cells = ["–" if each is None else _interval(each["value"], each["ci95"], sign="+") for each in changes]
        changed = row["decisions_changed"]
        rows.append([f"{row['cases']} ({row['n']})", *cells, _interval(changed["value"], changed["ci95"])])
    return _table(["cases", "P(malignant)", "Dice", "AUC", "another decision"], rows)


def _descriptors() -> str:
    rows = []
    for words, name in (("own sources", ""), ("unseen BUS-BRA", "_without_busbra")):
        found = read_json(REFERENCE / f"descriptor_stacking{name}.json")
        for way in found["ways"]:
            figures = [_interval(way[metric]["value"], way[metric]["ci95"]) for metric in ("auc", "log_loss", "ece")]
            gain = _interval(way["auc"]["gain"], way["auc"]["gain_ci95"], sign="+")
            rows.append([f"{words} ({found['n_tested']})", way["title"], figures[0], gain, *figures[1:]])
    return _table(["tested on (lesions)", "probability", "AUC", "gain", "log loss", "ECE"], rows)


def _local_cases(file: str) -> str:
    rows = []
    for row in read_json(REFERENCE / file)["rows"]:
        figures = [_ranged(row[name]) for name in ("sensitivity", "specificity", "brier", "ece")]
        if row["fitted"] == "at home":
            rows.append(["–", f"at home ({row['cases']} test lesions)", *figures, ""])
        else:
            rows.append([str(row["cases"]), row["fitted"], *figures, f"{row['share']:.2f}" if row["cases"] else ""])
    header = ["local cases", "fitted", "sensitivity", "specificity", "Brier", "ECE", "draws with it"]
    return _table(header, rows)


def _neighbours(file: str) -> str:
    """Where no neighbour is of a case's own data set, those of other data sets are all of them."""
    found = read_json(REFERENCE / file)
    rows = [
        [row["who"], *(_interval(row[name]["value"], row[name]["ci95"]) for name in WHO_IS_RIGHT)]
        for row in found["who"][: None if found["same_data_set"] else 2]
    ]
    return _table([f"the class by ({found['n']} cases)", *WHO_IS_RIGHT.values()], rows)


def _agreement(file: str) -> str:
    rows = [
        [row["agree"], str(row["cases"]), _interval(row["network_wrong"]["value"], row["network_wrong"]["ci95"])]
        for row in read_json(REFERENCE / file)["agreement"]
    ]
    return _table(["of the five nearest have the network's class", "cases", "the network is wrong in"], rows)


def _eight_bits() -> str:
    rows = []
    for row in read_json(REFERENCE / "eight_bits.json")["rows"]:
        changes = [row[f"{name}_difference"] for name in ("dice", "missed", "auc")]
        figures = [_interval(change["value"], change["ci95"], sign="+") for change in changes]
        rows.append([row["quantised"], *figures, f"{row['times_as_fast']:.2f}"])
    return _table(["in eight bits", "Dice", "lesions missed", "AUC", "times as fast"], rows)


def _faint_parts() -> str:
    rows = []
    for words, name in (("BUS-BRA", "busbra"), ("BUSI", "busi")):
        found = read_json(REFERENCE / f"faint_parts_{name}.json")
        for row in found["rows"]:
            gains = (row[f"{metric}_gain"] for metric in ("dice", "missed_lesions"))
            changes = [_interval(gain["value"], gain["ci95"], sign="+") for gain in gains]
            rows.append([f"{words} ({found['n']})", f"{row['faintest_part']:g}", f"{row['dice']:.3f}", *changes])
    return _table(["unseen (lesions)", "dropped below", "Dice", "gain", "lesions missed"], rows)


def _cut_off() -> str:
    counts = read_json(REFERENCE / "cut_off_lesions.json")["counts"]
    kinds = [name for name in counts if ": " not in name]
    rows = []
    for name in kinds:
        missed = counts.get(f"{name}: not said, and the outline misses the lesion", "–")
        rows.append([name, str(counts[name]), str(counts[f"{name}: said"]), str(missed)])
    return _table(["images", "cases", "said", "not said, and the outline misses the lesion"], rows)


def _other_pictures() -> str:
    answers = read_json(REFERENCE / "other_pictures.json")["answers"]
    rows = []
    for kind in dict.fromkeys(answer["kind"] for answer in answers):
        own = [answer for answer in answers if answer["kind"] == kind]
        answered = [answer for answer in own if answer["decision"] != "no breast ultrasound"]
        unflagged = [
            f"{answer['name']} ({answer['decision']})" for answer in answered if not FLAGS & set(answer["remarks"])
        ]
        counts = (len(own), len(own) - len(answered), len(answered) - len(unflagged))
        rows.append([kind, *map(str, counts), ", ".join(unflagged) or "–"])
    return _table(["pictures", "number", "refused", "answered with a remark", "answered without one"], rows)


def _ranged(figure: Mapping[str, Any]) -> str:
    """A mean over draws, and the range of 90 % of them."""
    if figure["range90"] is None:
        return f"{figure['mean']:.3f}"
    return f"{figure['mean']:.3f} ({'–'.join(f'{bound:.2f}' for bound in figure['range90'])})"


def _interval(value: float | None, ci95: Any, *, sign: str = "") -> str:
    if value is None:
        return "–"
    bounds = "" if ci95 is None else f" [{', '.join(f'{bound:{sign}.3f}' for bound in ci95)}]"
    return f"{value:{sign}.3f}{bounds}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _explanations() -> str:
    told = ("deletion_less_random", "insertion_less_random", "likeness_to_shuffled")
    rows = []
    for method, found in read_json(REFERENCE / "explanation_without_busi.json")["methods"].items():
        figures = [found["estimates"][name] for name in told]
        rows.append([f"`{method}`", *(_interval(figure["mean"], figure["ci95"]) for figure in figures)])
    return _table(["map", "deletion", "insertion", "likeness to a shuffled network's"], rows)


def _uncertainty() -> str:
    found = read_json(REFERENCE / "explanation_without_busi.json")["outline"]
    figures = [found[name] for name in ("error_auc", "error_auc_less_edge")]
    cells = [_interval(figure["mean"], figure["ci95"]) for figure in figures]
    return _table(
        ["cases", "area for wrong pixels", "less that of the nearness to the edge"], [[str(figures[0]["n"]), *cells]]
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "command": training_command,
    "figures": _figures,
    "sources": _sources,
    "own_parts": lambda: _parts("subgroups_cross_validated.json"),
    "unseen_parts": lambda: _parts("subgroups_without_busbra.json"),
    "painted_marks": _painted_marks,
    "descriptors": _descriptors,
    "local_cases": lambda: _local_cases("local_cases.json"),
    "local_cases_without_busi": lambda: _local_cases("local_cases_without_busi.json"),
    "eight_bits": _eight_bits,
    "neighbours": lambda: _neighbours("similar_cases.json"),
    "agreement": lambda: _agreement("similar_cases.json"),
    "neighbours_without_busi": lambda: _neighbours("similar_cases_without_busi.json"),
    "agreement_without_busi": lambda: _agreement("similar_cases_without_busi.json"),
    "faint_parts": _faint_parts,
    "cut_off": _cut_off,
    "other_pictures": _other_pictures,
    "explanations": _explanations,
    "uncertainty": _uncertainty,
}

if __name__ == "__main__":
    write_text(PAGE, render())
