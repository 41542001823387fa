"""What a file is by its first bytes, whatever its name: so that a refusal says what was given."""

from __future__ import annotations

RECOGNISED_WITHIN = 512
"""Bytes from a file's beginning that `format_of` wants to see."""

_DICOM = (128, b"DICM")
"""The preamble before it may hold anything, even the header of a TIFF image: it is looked at first."""

_FORMATS: tuple[tuple[str, tuple[tuple[int, bytes], ...]], ...] = (
    ("a DICOM file", (_DICOM,)),
    ("a PNG image", ((0, b"\x89PNG\r\n\x1a\n"),)),
    ("a JPEG image", ((0, b"\xff\xd8\xff"),)),
    ("a TIFF image", ((0, b"II*\0"),)),
    ("a TIFF image", ((0, b"MM\0*"),)),
    ("a BigTIFF image", ((0, b"II+\0"),)),
    ("a BigTIFF image", ((0, b"MM\0+"),)),
    ("a GIF image", ((0, b"GIF8"),)),
    ("a WebP image", ((0, b"RIFF"), (8, b"WEBP"))),
    ("an AVI video", ((0, b"RIFF"), (8, b"AVI "))),
    ("an AVIF image", ((4, b"ftypavif"),)),
    ("a HEIC image", ((4, b"ftyphei"),)),
    ("a HEIC image", ((4, b"ftypmif1"),)),
    ("an MP4 or MOV video", ((4, b"ftyp"),)),
    ("a Matroska or WebM video", ((0, b"\x1aE\xdf\xa3"),)),
    ("a JPEG 2000 image", ((4, b"jP  \r\n"),)),
    ("a JPEG 2000 image", ((0, b"\xff\x4f\xff\x51"),)),
    ("a JPEG XL image", ((4, b"JXL "),)),
    ("a PDF document", ((0, b"%PDF"),)),
    ("an NRRD volume", ((0, b"NRRD"),)),
    ("a MetaImage volume", ((0, b"ObjectType"),)),
    ("a NIfTI volume", ((344, b"n+1\0"),)),
    ("an HDF5 file", ((0, b"\x89HDF"),)),
    ("a MATLAB file", ((0, b"MATLAB "),)),
    ("a NumPy array", ((0, b"\x93NUMPY"),)),
    ("a zip archive", ((0, b"PK\x03\x04"),)),
    ("a gzip archive", ((0, b"\x1f\x8b"),)),
    ("a 7z archive", ((0, b"7z\xbc\xaf\x27\x1c"),)),
    ("a RAR archive", ((0, b"Rar!"),)),
    ("a web page", ((0, b"<!DOCTYPE"),)),
    ("a web page", ((0, b"<!doctype"),)),
    ("a web page", ((0, b"<html"),)),
    ("an SVG drawing", ((0, b"<svg"),)),
    ("a pointer of Git LFS instead of its file", ((0, b"version https://git-lfs"),)),
)


def format_of(start: bytes) -> str | None:
    """The format with its article, as in "a DICOM file"; None for one that is not known."""
    return next(
        (name for name, marks in _FORMATS if all(start[place : place + len(mark)] == mark for place, mark in marks)),
        None,
    )
