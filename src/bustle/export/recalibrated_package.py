"""A copy of a package with another decision rule; needs no PyTorch."""

from __future__ import annotations

import shutil
from pathlib import Path

from bustle.core.claimed_output import claim_file
from bustle.core.config import to_mapping
from bustle.core.files import write_json, write_text
from bustle.export.model_card import model_card
from bustle.export.package_folder import new_package, refuse_existing
from bustle.inference.package import CARD, RECORD, Package, PackageRecord, sealed


def write_recalibrated(package: Package, out: Path, *, record: PackageRecord) -> None:
    """Write the package `out`: the files of `package` as they are, the `record`, and a card of it.

    Nothing is left behind where something fails. Raises `InputError` for an `out` that exists or that another command
    is writing, and for a package whose files are not those that were exported.
    """
    refuse_existing(out)
    with claim_file(out), new_package(out) as folder:
        for name in package.record.files:
            content = package.checked(name)
            if isinstance(content, Path):
                shutil.copyfile(content, folder / name)
            else:
                (folder / name).write_bytes(content)
        write_json(folder / RECORD, sealed(to_mapping(record)))
        write_text(folder / CARD, model_card(record, name=out.name))
