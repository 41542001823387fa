"""The counts of an audit as a table for the terminal."""

from __future__ import annotations

from bustle.data.audit.record import AuditRecord
from bustle.report.audit_page import TITLES


def summary_lines(record: AuditRecord) -> list[str]:
    """The counts as lines for the terminal, findings of one kind summed up."""
    lines = [f"{'source':<14}{'cases':>7}{'groups':>8}  classes"]
    for source, facts in record.sources.items():
        labels = ", ".join(f"{n} {label}" for label, n in facts.by_label.items())
        lines.append(f"{source:<14}{facts.cases:>7}{facts.leak_groups:>8}  {labels}")
    kinds: dict[str, list[int]] = {}
    for finding in record.findings:
        count = kinds.setdefault(finding.kind, [0, 0])
        count[0] += 1
        count[1] += len(finding.case_ids)
    if kinds:
        lines += ["", f"{'finding':<24}{'number':>7}{'cases':>7}"]
    known = [kind for kind in TITLES if kind in kinds]
    lines += [
        f"{kind:<24}{kinds[kind][0]:>7}{kinds[kind][1]:>7}" for kind in [*known, *sorted(set(kinds) - set(known))]
    ]
    return lines
