"""Lossy JPEG of 12 bits (Extended, processes 2 and 4), decoded by GDCM in a process of its own.

pydicom's plugin for GDCM refuses it. GDCM decodes it as dcmtk and libjpeg-turbo do, but prints a line for each frame,
and ends its process over some damaged streams. This file is that process's program: it takes the stream on standard
input and gives the pixels, uint16 in the machine's order, on standard output.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
BITS = 12
_SECONDS = 60
"""Starting and decoding take a tenth of one."""


def decode_jpeg_of_12_bits(source: bytes, runner: DecodeRunner) -> bytes:
    """One grey frame, in the form of pydicom's decoder plugins. Raises `ValueError` for one that is damaged."""
    done = subprocess.run(
        [sys.executable, "-I", __file__, str(runner.rows), str(runner.columns)],
        input=source,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode or len(done.stdout) != 2 * runner.rows * runner.columns:
        raise ValueError("the stream cannot be decoded")
    return done.stdout


def _main(rows: int, columns: int) -> None:
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    image.SetPhotometricInterpretation(grey)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(JPEG_EXTENDED)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, BITS, BITS - 1, 0))
    sys.stdout.buffer.write(image.GetBuffer().encode("utf-8", "surrogateescape"))  # it is bytes that SWIG calls text


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
