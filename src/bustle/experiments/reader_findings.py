"""What the readers noticed about the data, said before work begins that would quietly go on without it."""

from __future__ import annotations

from bustle.core.progress import announce
from bustle.core.types import Collection


def tell_findings(collection: Collection) -> None:
    """One line on standard error for each kind of finding; `bustle data audit` shows all of them."""
    messages: dict[str, list[str]] = {}
    for finding in collection.findings:
        messages.setdefault(finding.kind, []).append(finding.message)
    for first, *others in messages.values():
        more = f" (and {len(others)} more such findings)" if others else ""
        announce(f"bustle: warning: {first}{more}; bustle data audit shows the cases")
