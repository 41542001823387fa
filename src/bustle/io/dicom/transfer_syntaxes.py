"""How pixels may be stored: names for people, and what is read."""

from __future__ import annotations

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

_LATER_NAMES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
"""Of syntaxes that are newer than pydicom's dictionary."""

DEFLATED = str(DeflatedExplicitVRLittleEndian)

_VIDEO = ("MPEG", "HEVC", "H.264", "H.265")


def name_of(syntax: str) -> str:
    """The transfer syntax's name in the standard, or its UID; of what is no UID, nothing is repeated."""
    uid = UID(syntax)
    return _LATER_NAMES.get(syntax, uid.name) if uid.is_valid else "something unknown"


def is_video(syntax: str) -> bool:
    return any(word in name_of(syntax) for word in _VIDEO)
