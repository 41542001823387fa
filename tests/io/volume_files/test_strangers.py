"""What a header claims is compared with the file, and what it asks for is not done."""

from __future__ import annotations

import gzip
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.io.volume import read_header, read_numbers_volume, read_volume
from bustle.io.volume_files import detached_files

VOXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 16), dtype=np.uint8)
NRRD = ("NRRD0004", "type: uchar", "dimension: 3", "sizes: 16 20 12", "spacings: 0.2 0.07 0.5")
META = ("NDims = 3", "DimSize = 16 20 12", "ElementSpacing = 0.2 0.07 0.5", "ElementType = MET_UCHAR")


def write(path: Path, *lines: str, content: bytes = b"") -> Path:
    path.write_bytes("\n".join([*lines, ""]).encode("latin-1") + content)
    return path


def refused(path: Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_volume(path)
    assert caught.value.path == path
    assert len(str(caught.value)) < len(str(path)) + 300


LONG = ("foo: {}", "{}", "endian: {}", "space: {}", "kinds: {} domain domain", "data file: {}", "sizes: {} 20 12")


@pytest.mark.parametrize("length", [1100, 70_000])
@pytest.mark.parametrize("field", LONG)
def test_a_long_line_of_an_nrrd_header_is_refused_or_passed_over_and_crashes_nothing(
    tmp_path: Path, field: str, length: int
):
    own = [line for line in NRRD if line.partition(":")[0] != field.partition(":")[0]]
    axes = "space directions: (1,0,0) (0,1,0) (0,0,1)"
    path = write(
        tmp_path / "a.nrrd", *own, axes, "encoding: raw", field.format("1" * length), "", content=VOXELS.tobytes()
    )
    if field in ("foo: {}", "endian: {}"):  # says nothing about bytes
        np.testing.assert_array_equal(read_volume(path)[0], VOXELS)
    else:
        refused(path, "damaged|lacks its voxels|not a volume")


def test_a_long_name_in_a_metaimage_header_crashes_nothing(tmp_path: Path):
    lines = [f"Name = {'A' * 5000}", *META, "ElementDataFile = LOCAL"]
    path = write(tmp_path / "a.mha", *lines, content=VOXELS.tobytes())
    np.testing.assert_array_equal(read_volume(path)[0], VOXELS)


def test_a_header_that_does_not_end(tmp_path: Path):
    refused(write(tmp_path / "a.nrrd", *NRRD, "# " + "A" * (1 << 20)), "its header does not end")


@pytest.mark.parametrize("stated", [None, 0, 0.5, 0.99, 1.5])
def test_packed_voxels_of_another_length_than_the_header_states(tmp_path: Path, stated: float | None):
    packed = zlib.compress(VOXELS.tobytes())
    size = [] if stated is None else [f"CompressedDataSize = {int(stated * len(packed))}"]
    lines = [*META, "CompressedData = True", *size, "ElementDataFile = LOCAL"]
    path = write(tmp_path / "a.mha", *lines, content=packed + b"\0" * 10)
    if stated == 1.5:  # the stream ends before
        np.testing.assert_array_equal(read_volume(path)[0], VOXELS)
    else:
        refused(path, "damaged|cut short")


def test_fewer_files_than_slices(tmp_path: Path):
    (tmp_path / "s.raw").write_bytes(VOXELS.tobytes())
    refused(write(tmp_path / "a.mhd", *META, "ElementDataFile = LIST", "s.raw"), "it names 1 files for 12 slices")
    refused(
        write(tmp_path / "b.mhd", *META, "ElementDataFile = s%d.raw 1 2000000 1"), "names 2000000 files for 12 slices"
    )


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../v.raw", "sub/v.raw", "..\\v.raw", "C:v.raw", "..", ".//etc/passwd"]
)
def test_voxels_lie_beside_their_header_and_nowhere_else(tmp_path: Path, name: str):
    (tmp_path / "v.raw").write_bytes(VOXELS.tobytes())
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for path in (
        write(tmp_path / "in" / "a.nhdr", *NRRD, "encoding: raw", f"data file: {name}"),
        write(tmp_path / "in" / "a.mhd", *META, f"ElementDataFile = {name}"),
        write(tmp_path / "in" / "b.mhd", *META, "ElementDataFile = LIST", *[name] * 12),
    ):
        refused(path, "which is not a plain file name; put the file of the voxels beside its header")


def test_the_files_of_the_voxels_are_known(tmp_path: Path):
    nrrd = write(tmp_path / "a.nhdr", *NRRD, "encoding: raw", "data file: ./v.raw")
    meta = write(tmp_path / "a.mhd", *META, "ElementDataFile = v.raw")
    assert detached_files(nrrd) == detached_files(meta) == (tmp_path / "v.raw",)
    assert detached_files(write(tmp_path / "b.mha", *META, "ElementDataFile = LOCAL")) == ()
    assert detached_files(write(tmp_path / "damaged.mha", "nothing")) == ()


def nifti(path: Path, *edits: tuple[int, str, float], content: bytes = VOXELS.tobytes()) -> Path:
    header = bytearray(352)
    placed: list[tuple[int, str, float]] = [(0, "<i", 348), (70, "<h", 2), (72, "<h", 8), (108, "<f", 352)]
    placed += [(40 + 2 * i, "<h", size) for i, size in enumerate((3, 16, 20, 12))]
    placed += [(76 + 4 * i, "<f", step) for i, step in enumerate((1, 0.2, 0.07, 0.5))]
    for offset, form, value in (*placed, *edits):
        struct.pack_into(form, header, offset, value)
    header[344:348] = b"n+1\0"
    whole = bytes(header) + content
    path.write_bytes(gzip.compress(whole, 1) if path.name.endswith(".gz") else whole)
    return path


QFORM, SFORM = (252, "<h", 1), (254, "<h", 1)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ([(108, "<f", -5)], "senseless place of the voxels"),
        ([(108, "<f", INF)], "senseless place of the voxels"),
        ([(108, "<f", NAN)], "senseless place of the voxels"),
        ([(112, "<f", NAN)], "scales the values by no number"),
        ([(112, "<f", 1), (116, "<f", INF)], "scales the values by no number"),
        ([QFORM, (256, "<f", NAN)], "places it nowhere"),
        ([QFORM, (268, "<f", INF)], "places it nowhere"),
        ([SFORM, (280, "<f", NAN)], "places it nowhere"),
        ([SFORM], "its axes have no direction"),
        ([SFORM, *((offset, "<f", 1) for offset in (280, 284, 288, 296, 300, 304, 312, 316, 320))], "span a space"),
        ([(80, "<f", NAN)], "states no voxel spacing"),
        ([(80, "<f", 1e-30)], "states a voxel spacing of 0.5 x 0.07 x 1e-30 mm; correct it"),
        ([(80, "<f", 1e30)], "states a voxel spacing of 0.5 x 0.07 x 1e.30 mm; correct it"),
        ([(42, "<h", 30000), (44, "<h", 30000)], r"declares 12 x 30000 x 30000 voxels, at most"),
    ],
)
def test_senseless_numbers_in_a_nifti_header(tmp_path: Path, edits: list[tuple[int, str, float]], said: str):
    refused(nifti(tmp_path / "a.nii", *edits), said)
    refused(nifti(tmp_path / "a.nii.gz", *edits), said)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
@pytest.mark.parametrize("spacing", ["1e-30 1 1", "1 1 1e30", "nan 1 1"])
def test_senseless_spacing_of_other_formats(tmp_path: Path, name: str, spacing: str):
    nrrd = [*NRRD[:-1], f"spacings: {spacing}", "encoding: raw", ""]
    meta = [*META[:2], f"ElementSpacing = {spacing}", META[3], "ElementDataFile = LOCAL"]
    path = write(tmp_path / name, *(nrrd if name == "a.nrrd" else meta), content=VOXELS.tobytes())
    refused(path, "states (no|a) voxel spacing")


def test_what_unpacks_to_far_more_than_the_header_declares_is_left_packed(tmp_path: Path):
    """A gigabyte of zeros behind the voxels would take seconds."""
    bomb = nifti(tmp_path / "a.nii.gz", content=VOXELS.tobytes() + bytes(1 << 26))
    packed = bomb.read_bytes()
    bomb.write_bytes(packed * 16)
    begun = time.process_time()
    assert read_header(bomb).size == (12, 20, 16)
    refused(bomb, "unpacks to more than its header declares")
    assert time.process_time() - begun < 0.5


def test_a_declared_size_that_the_packed_file_cannot_hold_is_refused_before_unpacking(tmp_path: Path):
    path = nifti(tmp_path / "a.nii.gz", (42, "<h", 500), (44, "<h", 500), (46, "<h", 500))
    refused(path, "is cut short")


def test_a_nifti_header_whose_voxels_would_lie_in_another_file(tmp_path: Path):
    path = nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes().replace(b"n+1\0", b"ni1\0"))
    (tmp_path / "a.img").write_bytes(VOXELS.tobytes())
    refused(path, "is no NIfTI file of its own")


def test_voxels_of_a_link_elsewhere_are_read(tmp_path: Path):
    """Data sets under DataLad are links into its store."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "x").write_bytes(VOXELS.tobytes())
    (tmp_path / "v.raw").symlink_to("store/x")
    np.testing.assert_array_equal(
        read_numbers_volume(write(tmp_path / "a.mhd", *META, "ElementDataFile = v.raw")), VOXELS
    )
