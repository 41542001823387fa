"""An audit as files: `audit.json`, and `audit.html` with the pictures of every finding."""

from __future__ import annotations

from pathlib import Path

from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.own_names import OwnNames
from bustle.core.types import Collection
from bustle.data.audit.audit import Audit, audit
from bustle.data.audit.record import audit_record
from bustle.report.audit_page import write_audit_page

RECORD, PAGE = "audit.json", "audit.html"
AUDIT = OutputKind("data audit", "an audit", OwnNames(files=(RECORD, PAGE), signed_by=(RECORD,)))


def audit_into(out: Path, *, collection: Collection) -> Audit:
    """Audit a collection and write both files into `out`, the record last.

    Raises `InputError` where that cannot be written, and for a folder that holds anything but an earlier audit.
    """
    with claim_folder(out, AUDIT) as claim:
        claim.refuse_inputs(file for case in collection.cases for file in case.files)
        claim.refuse_foreign()
        found = audit(collection)
        claim.begin(clear=True)
        write_audit_page(out / PAGE, found)
        write_json(out / RECORD, to_mapping(audit_record(found)))
    return found
