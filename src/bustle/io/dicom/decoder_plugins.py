"""Which of pydicom's decoders decodes what, and three that it does not have, for JPEG 2000, RLE and JPEG of 12 bits.

It would look for the first two through the package pylibjpeg, of which only the two parts are needed. The form of the
functions is pydicom's (its guide on decoder plugins). GDCM ends the process over some damaged streams, so it decodes
only what no other does, and only where the stream's own header fits the file's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from bustle.io.dicom.jpeg_of_12_bits import decode_jpeg_of_12_bits

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN = "bustle"
"""Their name in pydicom."""

GDCM = "gdcm"

_OPENJPEG = (JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)

DECODERS: Mapping[str, tuple[str, ...]] = {
    JPEGBaseline8Bit: ("pillow",),
    JPEGExtended12Bit: ("pillow", PLUGIN),
    JPEGLossless: (GDCM,),
    JPEGLosslessSV1: (GDCM,),
    JPEGLSLossless: ("pyjpegls",),
    JPEGLSNearLossless: ("pyjpegls",),
    **dict.fromkeys(_OPENJPEG, (PLUGIN,)),
    RLELossless: (PLUGIN, "pydicom"),
}
"""The decoders of each packed transfer syntax that is read, in the order in which they are tried."""

DECODER_DEPENDENCIES = {
    **dict.fromkeys(_OPENJPEG, ("pylibjpeg-openjpeg>=2.4",)),
    RLELossless: ("pylibjpeg-rle>=2.1",),
    JPEGExtended12Bit: ("python-gdcm>=3.0.10",),
}


def is_available(uid: UID) -> bool:
    return uid in DECODER_DEPENDENCIES


@functools.cache
def add_decoders() -> None:
    """Make them known to pydicom, once a process."""
    for uid in _OPENJPEG:
        get_decoder(uid).add_plugin(PLUGIN, (__name__, decode_jpeg_2000.__name__))
    get_decoder(RLELossless).add_plugin(PLUGIN, (__name__, decode_run_lengths.__name__))
    get_decoder(JPEGExtended12Bit).add_plugin(PLUGIN, (__name__, decode_jpeg_of_12_bits.__name__))


def decode_jpeg_2000(source: bytes, runner: DecodeRunner) -> bytearray:
    import openjpeg

    frame = bytearray(openjpeg.decode_pixel_data(source, version=2))
    if str(runner.photometric_interpretation) in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", "RGB")
    precision = int(runner.get_option("j2k_precision", runner.bits_stored))
    runner.set_option("bits_allocated", 8 if precision <= 8 else 16)
    return frame


def decode_run_lengths(source: bytes, runner: DecodeRunner) -> bytearray:
    import rle

    frame = bytearray(
        rle.decode_pixel_data(
            source, version=2, rows=runner.rows, columns=runner.columns, bits_allocated=runner.bits_allocated
        )
    )
    runner.set_option("planar_configuration", 1)
    return frame


_FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def jpeg_size(stream: bytes) -> tuple[int, int, int, int] | None:
    """Rows, columns, components and bits of a component as a JPEG stream's own header says; None without one."""
    at = 2
    while stream[:2] == b"\xff\xd8" and at + 10 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _FRAME_HEADERS:
            rows, columns = (int.from_bytes(stream[at + place : at + place + 2], "big") for place in (5, 7))
            return rows, columns, stream[at + 9], stream[at + 4]
        at += 1 if marker == 0xFF else 2
        if marker not in _WITHOUT_LENGTH and marker != 0xFF:
            at += int.from_bytes(stream[at : at + 2], "big")
    return None
