"""What `--init` names: a file of weights, or a model package that holds them."""

from __future__ import annotations

from pathlib import Path
from zipfile import is_zipfile

from bustle.core.errors import InputError
from bustle.inference.package import MODEL, WEIGHTS, Package, is_package
from bustle.inference.shipped import REFERENCE, named_model


def weights_of(init: Path) -> Path:
    """The file that a training starts from, of a package its graph, which holds the network's weights by name.

    Raises `InputError` for a package that is damaged, or of several networks, and for another folder.
    """
    init = named_model(init)
    if init.suffix == ".zip" and is_zipfile(init):  # as PyTorch's own files are, which end otherwise
        raise InputError("is a package in a zip", remedy="unpack it and give the folder", path=init)
    if not init.is_dir():
        return init
    if not is_package(init):
        raise InputError(
            "is a folder, but no model package",
            remedy="give a safetensors file (of a run fold-0/best.safetensors), a package of `bustle export`, or "
            f"`{REFERENCE}`",
            path=init,
        )
    package = Package(init)
    if WEIGHTS in package.record.files:
        found = package.checked(WEIGHTS)
    elif len(package.record.weights) == 1:
        found = package.checked(MODEL)
    else:
        raise InputError("holds several networks", remedy="export one fold and start from that", path=init)
    assert isinstance(found, Path), "of a folder"
    return found
