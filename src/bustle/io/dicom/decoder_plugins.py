"""Decoders that pydicom does not find by itself: OpenJPEG for HTJ2K, and a quick one for RLE.

It would look for them through the package pylibjpeg, of which only these two parts are needed. The form of the
functions is pydicom's (its guide on decoder plugins).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pydicom.pixels import get_decoder
from pydicom.uid import HTJ2K, UID, HTJ2KLossless, HTJ2KLosslessRPCL, RLELossless

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN = "bustle"
"""Their name in pydicom."""

_HIGH_THROUGHPUT = (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)

DECODER_DEPENDENCIES = {
    **dict.fromkeys(_HIGH_THROUGHPUT, ("pylibjpeg-openjpeg>=2.4",)),
    RLELossless: ("pylibjpeg-rle>=2.1",),
}


def is_available(uid: UID) -> bool:
    return uid in DECODER_DEPENDENCIES


@functools.cache
def add_decoders() -> None:
    """Make them known to pydicom, once a process."""
    for uid in _HIGH_THROUGHPUT:
        get_decoder(uid).add_plugin(PLUGIN, (__name__, decode_high_throughput.__name__))
    get_decoder(RLELossless).add_plugin(PLUGIN, (__name__, decode_run_lengths.__name__))


def decode_high_throughput(source: bytes, runner: DecodeRunner) -> bytearray:
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
