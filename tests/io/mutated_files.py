"""Damages files in seeded ways and reads them: only a result or one line of `InputError` may come of it.

Run as a program, since what it looks for may end the interpreter: `python -m tests.io.mutated_files COUNT FOLDER`,
with the word `dicom` behind it for DICOM files.
Prints what went wrong, and the file's number before it is read, on the last line of `FOLDER/now`.
"""

from __future__ import annotations

import faulthandler
import io
import re
import signal
import struct
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import SimpleITK
from PIL import Image
from tests.inference.hand_made_package import write_package
from tests.io.dicom.mutated_dicom import dicom_files_of_every_kind, look_at_dicom, with_other_element

from bustle.core.errors import InputError
from bustle.inference.package import MODEL, RECORD, WEIGHTS, Package
from bustle.io.raster import image_size, picture_count, read_image, read_instance_map, read_mask
from bustle.io.volume import read_header, read_instance_volume, read_volume
from bustle.io.volume_files import detached_files

SECONDS, BYTES = 5, 2_000_000_000

Mutation = Callable[[bytes, np.random.Generator], bytes]

SENSELESS = (b"-1", b"0", b"1e308", b"nan", b"inf", b"99999999999", b"2147483647", b"4294967296", b"", b"%d", b"../x")
SIZES = (0, 1, -1, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, -(2**31), 100_000)


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    # half of them near the beginning, where headers are
    for _ in range(int(rng.integers(1, 9))):
        end = len(changed) if rng.random() < 0.5 else min(len(changed), 400)
        changed[int(rng.integers(0, end))] = int(rng.integers(0, 256))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(content)))
    piece = content[start : start + int(rng.integers(1, 2000))]
    return content[:start] + piece * int(rng.integers(2, 40)) + content[start:]


def inserted(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, min(len(content), 600)))
    filling = rng.bytes(int(rng.integers(1, 3000))) if rng.random() < 0.5 else b"A" * int(rng.integers(1, 200_000))
    return content[:start] + filling + content[start:]


def with_senseless_number(content: bytes, rng: np.random.Generator) -> bytes:
    """A whole number in the binary header, of two, four or eight bytes, either way round."""
    changed = bytearray(content)
    form = ("<h", ">h", "<i", ">i", "<q", ">q", "<f", ">f")[int(rng.integers(0, 8))]
    value = SIZES[int(rng.integers(0, len(SIZES)))]
    place = int(rng.integers(0, max(1, min(len(changed), 600) - 8)))
    low, high = {"h": (-(2**15), 2**15 - 1), "i": (-(2**31), 2**31 - 1)}.get(form[1], (-(2**63), 2**63 - 1))
    special = (float("nan"), float("inf"), -5.0, 1e-30, 1e30)
    number = special[int(rng.integers(0, 5))] if form[1] == "f" else min(max(value, low), high)
    struct.pack_into(form, changed, place, number)
    return bytes(changed)


def with_senseless_word(content: bytes, rng: np.random.Generator) -> bytes:
    """One word of a text header replaced, removed, doubled or made very long."""
    start = content[:700]
    places = [at for at, byte in enumerate(start) if byte in b" \n"]
    if len(places) < 2:
        return flipped(content, rng)
    number = int(rng.integers(0, len(places) - 1))
    first, last = places[number] + 1, places[number + 1]
    choice = int(rng.integers(0, 4))
    words = (SENSELESS[int(rng.integers(0, len(SENSELESS)))], b"A" * 2000, content[first:last] * 2, rng.bytes(5))
    return content[:first] + words[choice] + content[last:]


MUTATIONS: tuple[Mutation, ...] = (
    flipped,
    cut,
    repeated,
    inserted,
    with_senseless_number,
    with_senseless_word,
    with_senseless_word,
)


def checksums_mended(png: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold, so that a decoder looks further."""
    done, at = bytearray(png[:8]), 8
    while at + 8 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        body = png[at + 4 : at + 8 + length]
        if len(body) < 4 + length:
            return png
        done += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(done)


def files(folder: Path) -> dict[str, bytes]:
    """Whole files of every kind by name."""
    rng = np.random.default_rng(0)
    voxels = SimpleITK.GetImageFromArray((rng.random((6, 10, 8)) * 4095).astype(np.uint16))
    voxels.SetSpacing((0.2, 0.07, 0.5))
    for suffix in ("nrrd", "nhdr", "mha", "mhd", "nii", "nii.gz"):
        for packed in (False, True):
            SimpleITK.WriteImage(voxels, str(folder / f"{'p' if packed else 'u'}.{suffix}"), useCompression=packed)
    grey = (rng.random((20, 24)) * 255).astype(np.uint8)
    colour = rng.integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(colour).save(folder / "colour.png")
    Image.fromarray(colour).convert("P").save(folder / "palette.png")
    Image.fromarray(grey).save(
        folder / "moving.png", save_all=True, append_images=[Image.fromarray(grey + np.uint8(1))] * 2
    )
    cv2.imwrite(str(folder / "deep.png"), colour.astype(np.uint16) * 16)
    for name, compression in (("plain", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate")):
        Image.fromarray(colour).save(folder / f"{name}.tif", compression=compression)
    Image.fromarray(grey).save(folder / "pages.tif", save_all=True, append_images=[Image.fromarray(grey)] * 2)
    cv2.imwrite(str(folder / "deep.tif"), colour.astype(np.uint16) * 16)
    Image.fromarray(colour).save(folder / "a.jpg")
    Image.fromarray(grey).save(folder / "a.bmp")
    package = write_package(folder / "made")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(package.iterdir()):
            archive.write(file, file.name)
    (folder / "whole.bustle").write_bytes(packed.getvalue())
    (folder / "record.bustle").write_bytes((package / RECORD).read_bytes())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def dicom_files(folder: Path) -> dict[str, bytes]:
    """Whole DICOM files of every kind by name."""
    dicom_files_of_every_kind(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def mutated(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    if name.endswith(".dcm") and rng.random() < 0.6:
        return with_other_element(content, rng)
    changed = MUTATIONS[int(rng.integers(0, len(MUTATIONS)))](content, rng)
    if rng.random() < 0.2:
        changed = MUTATIONS[int(rng.integers(0, len(MUTATIONS)))](changed or content, rng)
    return checksums_mended(changed) if name.endswith(".png") and rng.random() < 0.7 else changed


def read(path: Path, package: Path) -> None:
    """Everything that is read of such a file."""
    if path.name == "record.bustle":  # what the checksums of a zip would hide
        (package / RECORD).write_bytes(path.read_bytes())
        tried(lambda: Package(package).checked(MODEL))
    elif path.suffix == ".dcm":
        tried(lambda: look_at_dicom(path))
    elif path.suffix == ".bustle":
        tried(lambda: [Package(path).checked(name) for name in (MODEL, WEIGHTS)])
    elif path.suffix in (".png", ".tif", ".jpg", ".bmp"):
        for look in (image_size, picture_count, read_image, read_mask, read_instance_map):
            tried(lambda look=look: look(path))
    else:
        for look in (read_header, detached_files, read_volume, read_instance_volume):
            tried(lambda look=look: look(path))


def tried(look: Callable[[], object]) -> None:
    try:
        look()
    except InputError as error:
        if "\n" in str(error) or len(str(error)) > 1000:
            raise ValueError(f"not one line: {error}") from None


def _peak_bytes() -> int:
    """Of this program alone: what `getrusage` says counts the process that started it too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def main(count: int, folder: Path, *, dicom: bool) -> int:
    faulthandler.enable()
    whole, target = folder / "whole", folder / "mutated"
    whole.mkdir()
    target.mkdir()
    kinds = dicom_files(whole) if dicom else files(whole)
    for name in ("u.raw", "p.raw.gz", "p.zraw", "u.raw.gz", "p.raw"):  # beside the detached headers
        if name in kinds:
            (target / name).write_bytes(kinds[name])
    names = [name for name in kinds if "raw" not in name]
    wrong = 0
    signal.signal(signal.SIGPROF, lambda *_: (_ for _ in ()).throw(TimeoutError("a hang")))
    for number in range(count):
        name = names[number % len(names)]
        path = target / name
        path.write_bytes(mutated(name, kinds[name], np.random.default_rng(number)))
        (folder / "now").write_text(f"{number} {name}")
        begun = time.process_time()  # as if nobody else used the machine
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            read(path, whole / "made")
        except Exception:
            print(f"{number} {name}: {traceback.format_exc()}")
            wrong += 1
        signal.setitimer(signal.ITIMER_PROF, 0)
        if time.process_time() - begun > SECONDS:
            print(f"{number} {name}: takes {time.process_time() - begun:.1f} s")
            wrong += 1
    peak = _peak_bytes()
    if peak > BYTES:
        print(f"took {peak / 1e9:.1f} GB of memory")
        wrong += 1
    print(f"{count} files read, {wrong} wrong, {peak / 1e6:.0f} MB of memory")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), dicom="dicom" in sys.argv[3:]))
