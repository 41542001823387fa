"""A split as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bustle.core.types import Case
from bustle.data.splits.splits import Splits


def split_lines(splits: Splits, cases: Sequence[Case]) -> list[str]:
    """Counts of every class in every part of every fold, and the reasons for leaving cases out."""
    stratum = {case.case_id: (case.source, case.label or "unlabelled") for case in cases}
    columns = sorted({stratum[name] for name in splits.groups})
    sources = {source for source, _ in columns}
    titles = [f"{source} {label}" if len(sources) > 1 else label for source, label in columns]
    widths = [max(len(title), 5) + 2 for title in titles]
    header = "".join(f"{title:>{width}}" for title, width in zip(titles, widths, strict=True))
    lines = [
        f"track {splits.track}, protocol {splits.protocol}, seed {splits.seed}: {len(splits.groups)} cases "
        f"in {len(set(splits.groups.values()))} groups",
        "",
        f"{'fold':<5}{'part':<7}{'cases':>6}{header}",
    ]
    for number, fold in enumerate(splits.folds):
        for part, names in (("train", fold.train), ("val", fold.val), ("test", fold.test)):
            counts = Counter(stratum[name] for name in names)
            cells = "".join(f"{counts[column]:>{width}}" for column, width in zip(columns, widths, strict=True))
            lines.append(f"{number:<5}{part:<7}{len(names):>6}{cells}")
    reasons = Counter(reason.split(":")[0] for _, reason in splits.excluded)
    lines += [""] if reasons else []
    lines += [f"left out: {count} cases, {reason}" for reason, count in reasons.items()]
    return lines
