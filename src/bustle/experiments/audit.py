"""An audit as files: `audit.json`, and `audit.html` with the pictures of every finding."""

from __future__ import annotations

from pathlib import Path

from bustle.core.config import to_mapping
from bustle.core.files import make_folder, write_json
from bustle.core.types import Collection
from bustle.data.audit.audit import Audit, audit
from bustle.data.audit.record import audit_record
from bustle.report.audit_page import write_audit_page


def audit_into(out: Path, *, collection: Collection) -> Audit:
    """Audit a collection and write both files into `out`. Raises `InputError` where that cannot be written."""
    make_folder(out)
    found = audit(collection)
    write_json(out / "audit.json", to_mapping(audit_record(found)))
    write_audit_page(out / "audit.html", found)
    return found
