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

RECEIVED_SYNTAXES = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
    DEFLATED,
    "1.2.840.10008.1.2.5",  # RLE Lossless
    "1.2.840.10008.1.2.4.50",  # JPEG baseline, extended, lossless, lossless with selection value 1
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless and near-lossless
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless and lossy
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",  # High-Throughput JPEG 2000 lossless, lossless with RPCL, lossy
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.102",  # MPEG-4 AVC/H.264 High Profile, and compatible with BD
    "1.2.840.10008.1.2.4.103",
)
"""How what is read may be stored, uncompressed first."""

_VIDEO = ("MPEG", "HEVC", "H.264", "H.265")


def name_of(syntax: str) -> str:
    """The transfer syntax's name in the standard, or its UID; of what is no UID, nothing is repeated."""
    uid = UID(syntax)
    return _LATER_NAMES.get(syntax, uid.name) if uid.is_valid else "something unknown"


def is_video(syntax: str) -> bool:
    return any(word in name_of(syntax) for word in _VIDEO)
