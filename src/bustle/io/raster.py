"""Raster images (PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000, AVIF) to arrays and back.

Files come from strangers: only regular files are opened, the format is told by the content and never by the name,
the declared size is checked before anything is decoded, and whatever a decoder stumbles over becomes one `InputError`
that names the file.
"""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from bustle.core.errors import InputError
from bustle.core.files import check_regular, write_bytes
from bustle.core.memory import too_large_to_read
from bustle.io.bit_depth import to_8_bit
from bustle.io.foreign_formats import RECOGNISED_WITHIN, format_of
from bustle.io.mask_levels import MaskReading, read_annotation, read_probabilities
from bustle.io.quiet_opencv import quiet_opencv

RASTER_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jp2", ".j2k", ".avif"}
)
"""The file name endings, in lower case, that count as raster images."""

MAX_PIXELS = 64_000_000
"""Larger declared images are refused: no ultrasound frame comes near, and decoding one could exhaust the memory."""

MIN_SIDE = 8
PNG_HEADER = 33
"""Bytes of a PNG before what may follow its header: the signature and the header's chunk."""

_ROWS_COMPARED = 32

MOST_PACKED = 4000
"""How often a file's own size its pixels may have: no compression of the older formats reaches it."""

_DECODERS: Mapping[str | None, str] = {
    "a PNG image": "PNG",
    "a JPEG image": "JPEG",
    "a TIFF image": "TIFF",
    "a BigTIFF image": "TIFF",
    "a GIF image": "GIF",
    "a WebP image": "WEBP",
    "a JPEG 2000 image": "JPEG2000",
    "an AVIF image": "AVIF",
    None: "BMP",
}
"""Pillow's name of what `format_of` finds; it does not know BMP. AVIF needs Pillow 11.3."""

_READ = "PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or AVIF"
_PACKED_WITHOUT_LIMIT = ("WEBP", "AVIF")
"""They keep an even area, such as an empty mask, in a few bytes."""

_REPLACE = "restore the file from its source or leave it out"


def image_size(path: Path) -> tuple[int, int]:
    """The (height, width) that the file's header declares; no pixel is decoded.

    Raises `InputError` for a missing, empty or unrecognisable file and for one of more than `MAX_PIXELS`.
    """
    with _opened(Path(path)) as image:
        return image.height, image.width


def picture_count(path: Path) -> int:
    """How many pictures the file holds: pages of a TIFF, frames of an animated PNG; only the first is ever read.

    Raises `InputError` as `image_size` does.
    """
    with _opened(Path(path)) as image:
        return getattr(image, "n_frames", 1)


def orientation(path: Path) -> int:
    """The EXIF orientation 1..8 that the file's header states; 1, upright as stored, where it states none.

    Raises `InputError` as `image_size` does.
    """
    with _opened(Path(path)) as image:
        return _orientation(image)


def read_image(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """Read an image as uint8 `C H W`: C = 1 if grey (or RGB with equal channels), else 3 (RGB).

    Transparent pixels are composited over black, the background of an ultrasound frame. 16-bit values are scaled
    from the smallest of 8, 10, 12, 14 and 16 bits that holds them all, colours as grey. The first picture of
    several is read. An EXIF orientation is applied only if `upright`: a data set's image keeps the grid of its mask.
    Raises `InputError` for a file that is missing, damaged, smaller than 8 px or larger than `MAX_PIXELS`.
    """
    path = Path(path)
    pixels = _decode(path)
    return image_of_pixels(_turned(pixels, orientation(path)) if upright else pixels, path=path)


def image_of_pixels(pixels: NDArray[Any], *, path: Path | None = None) -> NDArray[np.uint8]:
    """The pixels `H W`, `H W 3` (RGB) or `H W 4` (RGBA) of a file, or of none, as `read_image` returns them."""
    if min(pixels.shape[:2]) < MIN_SIDE:
        height, width = pixels.shape[:2]
        raise InputError(
            f"is only {width} x {height} pixels", remedy=f"use images of at least {MIN_SIDE} pixels a side", path=path
        )
    if pixels.ndim == 2:
        return to_8_bit(pixels, path=path)[None]
    opacity, pixels = pixels[..., 3:], to_8_bit(pixels[..., :3], path=path)
    if opacity.size:
        opacity = to_8_bit(opacity, path=path).astype(np.uint16)
        pixels = ((pixels * opacity + 127) // 255).astype(np.uint8)
    planes = np.empty((3, *pixels.shape[:2]), np.uint8)
    cv2.split(
        np.ascontiguousarray(pixels), [planes[0], planes[1], planes[2]]
    )  # planes are compared many times faster than channels
    return one_plane_if_grey(planes)


def one_plane_if_grey(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The planes `3 H W` of a picture, or the first alone, `1 H W`, where all are equal.

    The middle row is compared first: there a picture in colour mostly shows it. The others are compared some at a
    time, which stay in the processor's cache.
    """
    rows = planes.shape[1]
    middle = planes[:, rows // 2]
    if (middle[0] != middle[1:]).any():
        return planes
    for top in range(0, rows, _ROWS_COMPARED):
        first, *others = planes[:, top : top + _ROWS_COMPARED]
        if not all(np.array_equal(first, other) for other in others):
            return planes
    return planes[:1].copy()


def read_map(path: Path) -> NDArray[np.uint16]:
    """Read a map `H W` of 8 or 16 bits as the numbers that the file holds.

    Raises `InputError` as `read_image` does, and for colours.
    """
    pixels = _decode(Path(path))
    if pixels.ndim != 2:
        raise InputError("holds colours, not a map", remedy="make it again", path=path)
    return pixels.astype(np.uint16)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask as bool `H W`; what its values mean says `read_annotation`, of colours the strongest channel.

    A fully transparent pixel never belongs. In a JPEG, whose compression leaves faint noise around every edge, the
    value must be at least half of 255. Raises `InputError` as `read_image` does.
    """
    return _mask_reading(Path(path), read_annotation).mask


def read_predicted_mask(path: Path) -> NDArray[np.bool_]:
    """As `read_mask`, but grey values are probabilities and belong from 0.5 (`read_probabilities`)."""
    return _mask_reading(Path(path), read_probabilities).mask


def read_instance_map(path: Path) -> NDArray[np.uint8]:
    """Read a mask as an instance map uint8 `H W`.

    A grey mask whose non-zero values are exactly 1..n (n < 255) numbers its lesions; any other mask (0/255, colours,
    palette) is one lesion, whether or not it is connected.
    """
    path = Path(path)
    pixels = _decode(path)
    reading = _read_pixels(pixels, read_annotation, path=path)
    return pixels.astype(np.uint8) if pixels.ndim == 2 and reading.numbered else reading.mask.astype(np.uint8)


def is_grey_mask(path: Path) -> bool:
    """Whether `read_mask` had to cut the mask's grey values (a soft edge, noise), which is worth a finding."""
    return _mask_reading(Path(path), read_annotation).cut


def _mask_reading(path: Path, read: Callable[..., MaskReading]) -> MaskReading:
    return _read_pixels(_decode(path), read, path=path)


def _read_pixels(pixels: NDArray[Any], read: Callable[..., MaskReading], *, path: Path) -> MaskReading:
    values = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        values = np.where(pixels[..., 3] != 0, values, 0)
    return MaskReading(values >= 128) if _is_jpeg(path) else read(values, path=path)


def read_colours(path: Path) -> NDArray[np.uint8]:
    """Read a colour-coded mask as uint8 `H W 3` (RGB); transparent pixels are black."""
    image = read_image(path)
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))


def write_png(
    path: Path, image: NDArray[np.uint8] | NDArray[np.bool_] | NDArray[np.uint16], *, software: str | None = None
) -> None:
    """Write `H W`, `1 H W`, `3 H W` (RGB) or `4 H W` (RGBA) as a PNG of its own depth; bool becomes 0 and 255.

    `software` is what made the picture; it stands in a text chunk of that name.
    """
    content = as_png(image)
    write_bytes(Path(path), content if software is None else _with_text(content, "Software", software))


def _with_text(png: bytes, keyword: str, text: str) -> bytes:
    """A PNG with an international text chunk, uncompressed and of no language, after its header."""
    chunk = b"iTXt" + keyword.encode("latin-1") + bytes(5) + text.encode()
    length, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return png[:PNG_HEADER] + length + chunk + check + png[PNG_HEADER:]


def as_png(image: NDArray[np.uint8] | NDArray[np.bool_] | NDArray[np.uint16]) -> bytes:
    """The PNG of what `write_png` takes."""
    if image.dtype not in (np.uint8, np.bool_, np.uint16):
        raise TypeError(f"a PNG is written from uint8, uint16 or bool, not {image.dtype}")
    pixels: Any = image.astype(np.uint8) * np.uint8(255) if image.dtype == np.bool_ else image
    if pixels.ndim == 3:
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels[[2, 1, 0, 3][: len(pixels)]].transpose(1, 2, 0)
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))
    if not done:
        raise ValueError(f"cannot encode an array of shape {image.shape} as PNG")
    return encoded.tobytes()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file with its header read; every failure of the decoder inside the block becomes an `InputError`."""
    decoder = _decoder(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=(decoder,))
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(path, f"declares {image.width} x {image.height} pixels")
            yield image
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path, "declares far more pixels than a frame has") from None
    except MemoryError:
        raise too_large_to_read(path) from None
    except Exception as error:  # a damaged file can make a decoder raise almost anything
        raise InputError(f"is not a readable {_READ} image, or it is damaged", remedy=_REPLACE, path=path) from error


def _decoder(path: Path) -> str:
    """Pillow's name of the file's format; raises `InputError` for what is no file with the content of an image."""
    try:
        if check_regular(path).st_size == 0:
            raise InputError("is empty (0 bytes)", remedy=_REPLACE, path=path)
        with path.open("rb") as stream:
            found = format_of(stream.read(RECOGNISED_WITHIN))
    except FileNotFoundError:
        raise InputError("no such file", remedy="check the path", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the path", path=path) from None
    if found not in _DECODERS:
        raise InputError(
            f"is not a readable {_READ} image but {found}", remedy="convert it to PNG, or leave it out", path=path
        )
    return _DECODERS[found]


def _too_large(path: Path, what: str) -> InputError:
    limit = f"at most {MAX_PIXELS // 1_000_000} million pixels are read"
    return InputError(f"{what}, {limit}", remedy="check the file; cut or scale the image if it is real", path=path)


def _orientation(image: Image.Image) -> int:
    """Only what the header holds: Pillow would decode a PNG to look behind its pixels. A TIFF it turns by itself."""
    if image.format == "TIFF" or "exif" not in image.info:
        return 1
    stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    return stated if stated in range(1, 9) else 1


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels `H W …` as they are meant to be seen (EXIF 2.32, tag 0x0112)."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _decode(path: Path) -> NDArray[Any]:
    """The file's own numbers: `H W`, `H W 3` (RGB) or `H W 4` (RGBA)."""
    with _opened(path) as image:
        _check_content(path, image)
        if _has_deep_colour(image):
            image.load()  # OpenCV believes the lengths in a damaged file, and takes gigabytes for them
            return _decode_deep_colour(path)
        if image.mode == "1":
            image = image.convert("L")
        elif image.mode in ("P", "PA"):
            transparent = image.mode == "PA" or "transparency" in image.info
            image = image.convert("RGBA" if transparent else "RGB")
        elif image.mode in ("LA", "La", "RGBa"):
            image = image.convert("RGBA")
        elif image.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
            image = image.convert("RGB")
        return np.array(image)


def _check_content(path: Path, image: Image.Image) -> None:
    """Raises `InputError` where the file is too short for the pixels that it declares, before any is decoded."""
    if image.format in _PACKED_WITHOUT_LIMIT:
        return
    bits = image.width * image.height * (8 * len(image.getbands()) if len(image.getbands()) > 1 else 1)
    if bits // 8 > MOST_PACKED * path.stat().st_size:
        raise InputError(
            f"declares {image.width} x {image.height} pixels, which its {path.stat().st_size} bytes cannot hold",
            remedy=_REPLACE,
            path=path,
        )


def _has_deep_colour(image: Image.Image) -> bool:
    """Whether colours have more than 8 bits, of which Pillow drops the lower ones."""
    if len(image.getbands()) < 2:
        return False
    for tile in getattr(image, "tile", ()):
        layout = tile[3] if isinstance(tile[3], str) else next(iter(tile[3] or ()), "")
        if ";16" in str(layout):
            return True
    return False


def _decode_deep_colour(path: Path) -> NDArray[Any]:
    with quiet_opencv():
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("the deep colours cannot be decoded")
    if pixels.ndim == 2:
        return pixels
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def _is_jpeg(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) == b"\xff\xd8"
