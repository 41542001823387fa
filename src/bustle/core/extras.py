"""Which optional packages there are, and which extra of bustle installs each.

`pip install bustle` reads, predicts and evaluates images with a model package. What needs more imports it where it is
used; the command line and the library's front door turn its absence into one line that names the extra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from bustle.core.errors import InputError


class Extra(NamedTuple):
    """What needs it, and the packages that it installs: the title of each by the name under which it is imported."""

    purpose: str
    packages: Mapping[str, str]


_DICOM: Mapping[str, str] = {
    "pydicom": "pydicom",
    "gdcm": "python-gdcm",
    "jpeg_ls": "pyjpegls",
    "openjpeg": "pylibjpeg-openjpeg",
    "rle": "pylibjpeg-rle",
    "highdicom": "highdicom",
}

EXTRAS: Mapping[str, Extra] = {
    "plots": Extra("plots need", {"matplotlib": "Matplotlib"}),
    "train": Extra(
        "networks outside of a model package need",
        {
            "torch": "PyTorch",
            "torchvision": "torchvision",
            "timm": "timm",
            "monai": "MONAI",
            "segmentation_models_pytorch": "segmentation-models-pytorch",
            "einops": "einops",
            "safetensors": "safetensors",
            "sklearn": "scikit-learn",
            "tensorboard": "TensorBoard",
            "onnx": "ONNX",
            "onnxscript": "onnxscript",
            "optuna": "Optuna",
            "matplotlib": "Matplotlib",
        },
    ),
    "explain": Extra("integrated gradients need", {"captum": "captum"}),
    "volumes": Extra(
        "volumes need", {"SimpleITK": "SimpleITK", "skimage": "scikit-image", "matplotlib": "Matplotlib"}
    ),
    "dicom": Extra("DICOM files need", _DICOM),
    "node": Extra(
        "the node and DICOMweb need",
        {"dbos": "DBOS", "pynetdicom": "pynetdicom", "dicomweb_client": "dicomweb-client"},
    ),
    "app": Extra(
        "the page needs",
        {
            "fastapi": "FastAPI",
            "uvicorn": "uvicorn",
            "sqlalchemy": "SQLAlchemy",
            "alembic": "Alembic",
            "psycopg": "psycopg",
            "pydantic": "pydantic",
            "dbos": "DBOS",
            "matplotlib": "Matplotlib",
            **_DICOM,
        },
    ),
    "s3": Extra("files beyond this machine need", {"fsspec": "fsspec", "s3fs": "s3fs"}),
    "sso": Extra(
        "signing in with a provider needs", {"authlib": "Authlib", "joserfc": "joserfc", "requests": "Requests"}
    ),
    "parquet": Extra("Parquet tables need", {"pyarrow": "pyarrow"}),
    "ray": Extra("archives and Ray need", {"ray": "Ray", "pyarrow": "pyarrow", "fsspec": "fsspec"}),
}


@contextmanager
def naming_the_extra() -> Iterator[None]:
    """Within the block, the absence of an optional package is an `InputError` that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        told = missing_package(error)
        if told is None:
            raise
        raise told from error


def missing_package(error: ModuleNotFoundError) -> InputError | None:
    """How to install what is absent; None where no extra does."""
    missing = (error.name or "").partition(".")[0]
    for name, extra in EXTRAS.items():
        if missing in extra.packages:
            return InputError(
                f"{extra.purpose} {extra.packages[missing]}, which is not installed",
                remedy=f"pip install 'bustle[{name}]'",
            )
    return None
