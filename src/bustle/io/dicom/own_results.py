"""How result objects are known again: an archive gives them back with the study, and they are no pictures to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

PRODUCT = "bustle"
"""Manufacturer's Model Name of all objects."""

RESEARCH = "RESEARCH"
"""Content Qualification of all objects."""


def is_result(header: Dataset) -> bool:
    """Whether bustle wrote it, and no device."""
    return header.get("ManufacturerModelName") == PRODUCT and header.get("ContentQualification") == RESEARCH
