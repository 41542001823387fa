"""Signed readings of a page (`bustle serve`): corrected outlines and classes become cases."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bustle.client.page_client import PageClient, RefusedError
from bustle.core.errors import InputError
from bustle.core.types import Collection, Finding
from bustle.data.archives import unpacked
from bustle.data.readers import manifest
from bustle.data.sources import ReaderDescription, address_of
from bustle.io.tables import read_table

DESCRIPTION = ReaderDescription(
    title="Signed readings of `bustle serve`",
    layout="""
PATH is the address of a page, such as app:http://127.0.0.1:8765, whose signed cases are fetched with the token in the
variable BUSTLE_TOKEN; or what the page gives at /api/signed/manifest, as a ZIP archive or unpacked:
  manifest.csv      as of the reader manifest: image, mask, label, patient_id, spacing_mm
  images/, masks/   what was read, and the readers' outlines
  left_out.csv      cases whose files on the page are damaged: case_id, problem; it is there only where there are such
Classes come from the reader's BI-RADS category: 1 is normal, 2 and 3 are benign, 5 and 6 malignant; of 0 and 4 the
outline alone is known. A rejected answer has no outline.
""",
    licence="Your data's own",
    citation="",
    obtain="`bustle serve`: correct and sign cases",
    options={},
)

TABLE, LEFT_OUT = "manifest.csv", "left_out.csv"
PAGES_OWN = "uploads"
"""In the folder that a page works in, wherever its database is."""


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Cases `app/<case>`, as of the reader `manifest`. Raises `InputError` where the page does not give them."""
    if path is None:
        raise InputError("the reader app needs a page", remedy="write app:http://HOST:PORT or app:FOLDER")
    address = address_of(path)
    folder = path if address is None else _fetched(address)
    if (folder / PAGES_OWN).exists():
        raise InputError(
            "is the folder that a page works in", remedy="serve it, and write app:http://HOST:PORT", path=path
        )
    if not (folder / TABLE).is_file():
        raise InputError(f"holds no {TABLE}", remedy="give what the page exports of signed cases", path=path)
    found = manifest.read(folder / TABLE, name=name, options=options)
    return dataclasses.replace(found, findings=(*found.findings, *_left_out(folder / LEFT_OUT, name=name)))


def _left_out(table: Path, *, name: str) -> list[Finding]:
    if not table.is_file():
        return []
    return [
        Finding("left-out-by-page", (), f"{name}: the page left out its case {row['case_id']}: {row['problem']}")
        for row in read_table(table, required=("case_id", "problem"), optional=()).rows
    ]


def _fetched(address: str) -> Path:
    with tempfile.TemporaryDirectory(prefix="bustle-") as folder:
        archive = Path(folder) / "signed.zip"
        try:
            PageClient(address).export_signed("manifest", archive)
        except RefusedError as error:
            raise InputError(f"the page refuses its signed cases: {error}", remedy="ask as a reviewer") from error
        return unpacked(archive)
