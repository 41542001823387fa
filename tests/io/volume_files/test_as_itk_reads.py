"""ITK as the witness: every way in which a volume is written, it and we read the same voxels at the same place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from bustle.io.volume import read_header, read_numbers_volume
from bustle.io.volume_files import read_stored

SIZES = (16, 20, 12)


def turn(degrees: float, *, mirrored: bool = False) -> np.ndarray:
    a = np.radians(degrees)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    return about_z @ about_x @ np.diag([1, 1, -1 if mirrored else 1])


def image(dtype: str = "u1", *, direction: np.ndarray | None = None) -> SimpleITK.Image:
    voxels = np.random.default_rng(1).integers(0, 128, SIZES[::-1]).astype(dtype)
    made = SimpleITK.GetImageFromArray(voxels)
    made.SetSpacing((0.2, 0.07, 0.5))
    made.SetOrigin((-12.5, 45.25, 78.75))
    made.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    return made


def assert_as_itk(path: Path) -> None:
    seen = SimpleITK.ReadImage(str(path))
    stored = read_stored(path)
    assert stored.sizes[:3] == seen.GetSize()[:3]
    header = read_header(path)
    np.testing.assert_allclose(header.spacing[::-1], seen.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(header.origin, seen.GetOrigin(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(header.direction, seen.GetDirection(), atol=1e-6)
    np.testing.assert_array_equal(stored.read(), SimpleITK.GetArrayFromImage(seen))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"])
def test_every_type_of_value(tmp_path: Path, dtype: str, suffix: str):
    for packed in (False, True):
        SimpleITK.WriteImage(image(dtype), str(tmp_path / f"a{suffix}"), useCompression=packed)
        assert_as_itk(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("code", ["LPS", "RAS", "LAS", "PIR", "SLA", "AIR"])
def test_every_orientation(tmp_path: Path, suffix: str, code: str):
    for direction in (np.eye(3), turn(20), turn(-35, mirrored=True)):
        made = SimpleITK.DICOMOrient(image(direction=direction), code)
        SimpleITK.WriteImage(made, str(tmp_path / f"a{suffix}"))
        assert_as_itk(tmp_path / f"a{suffix}")


def nifti(path: Path, *edits: tuple[int, str, float]) -> Path:
    """ITK's own file of a turned volume with some bytes of its header changed: (offset, struct format, value)."""
    SimpleITK.WriteImage(image(direction=turn(20, mirrored=True)), str(path))
    content = bytearray(path.read_bytes())
    for offset, form, value in edits:
        struct.pack_into(form, content, offset, value)
    path.write_bytes(content)
    return path


QFORM, SFORM, UNITS, SLOPE, INTERCEPT = 252, 254, 123, 112, 116


@pytest.mark.parametrize(
    "edits",
    [
        [(QFORM, "<h", 0)],
        [(SFORM, "<h", 0)],
        [(QFORM, "<h", 0), (SFORM, "<h", 0)],
        [(QFORM, "<h", 2), (SFORM, "<h", 4)],
        [(SFORM, "<h", 4), (268, "<f", 7.0)],
        [(UNITS, "b", 1), (80, "<f", 0.0002), (84, "<f", 0.00007), (88, "<f", 0.0005), (SFORM, "<h", 0)],
        [(UNITS, "b", 3), (80, "<f", 200.0), (84, "<f", 70.0), (88, "<f", 500.0), (SFORM, "<h", 0)],
        [(SLOPE, "<f", 2.0), (INTERCEPT, "<f", 3.0)],
        [(SLOPE, "<f", 0.0), (INTERCEPT, "<f", 0.0)],
    ],
)
def test_the_forms_of_nifti(tmp_path: Path, edits: list[tuple[int, str, float]]):
    assert_as_itk(nifti(tmp_path / "a.nii", *edits))


AXES = "space directions: (0.2,0,0) (0,0.07,0) (0,0,0.5)"


def voxels() -> bytes:
    return SimpleITK.GetArrayFromImage(image()).tobytes()


@pytest.mark.parametrize(
    "fields",
    [
        ["spacings: 0.2 0.07 0.5"],
        [
            "space: right-anterior-superior",
            "space directions: (0.2,0,0) (0,0.07,0) (0,0,0.5)",
            "space origin: (1,2,3)",
        ],
        ["space: LAS", "space directions: (0,0.2,0) (0.07,0,0) (0,0,-0.5)", "space origin: (1,2,3)"],
        ["space dimension: 3", AXES],
        ["space: scanner-xyz", AXES, "space origin: (1,2,3)"],
        ["kinds: domain domain domain", "spacings: 1 1 1", "content: " + "A" * 5000, "note:=" + "B" * 5000],
        ["# a remark", "spacings: 1 1 1", "centerings: cell cell cell", 'units: "mm" "mm" "mm"'],
    ],
)
def test_the_forms_of_nrrd(tmp_path: Path, fields: list[str]):
    header = ["NRRD0005", "type: uchar", "dimension: 3", "sizes: 16 20 12", "encoding: raw", *fields]
    for line_break in ("\n", "\r\n"):
        (tmp_path / "a.nrrd").write_bytes((line_break.join(header) + 2 * line_break).encode() + voxels())
        assert_as_itk(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("hex", voxels().hex().encode()),
        ("ascii", " ".join(map(str, voxels())).encode()),
    ],
)
def test_voxels_that_are_written_out(tmp_path: Path, encoding: str, content: bytes):
    header = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 16 20 12\nencoding: {encoding}\nspacings: 1 1 1\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + content)
    assert_as_itk(tmp_path / "a.nrrd")


@pytest.mark.parametrize("skip", [0, 10, -1])
def test_voxels_behind_other_bytes(tmp_path: Path, skip: int):
    (tmp_path / "v.raw").write_bytes(b"x" * (skip if skip >= 0 else 10) + voxels())
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 16 20 12\nencoding: raw\nspacings: 1 1 1\n"
    (tmp_path / "a.nhdr").write_text(f"{header}byte skip: {skip}\ndata file: v.raw\n")
    assert_as_itk(tmp_path / "a.nhdr")
    (tmp_path / "a.mhd").write_text(
        "NDims = 3\nDimSize = 16 20 12\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n"
        f"HeaderSize = {skip}\nElementDataFile = v.raw\n"
    )
    assert_as_itk(tmp_path / "a.mhd")


@pytest.mark.parametrize("named", ["LIST", "%02d"])
def test_a_file_for_each_slice(tmp_path: Path, named: str):
    slices = SimpleITK.GetArrayFromImage(image())
    names = [f"s{number:02d}.raw" for number in range(1, 13)]
    for name, pixels in zip(names, slices, strict=True):
        (tmp_path / name).write_bytes(pixels.tobytes())
    after = "".join(f"{name}\n" for name in names) if named == "LIST" else ""
    data = "LIST" if named == "LIST" else "s%02d.raw 1 12 1"
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 16 20 12\nencoding: raw\nspacings: 1 1 1\n"
    (tmp_path / "a.nhdr").write_text(f"{header}data file: {data}\n{after}")
    assert_as_itk(tmp_path / "a.nhdr")
    (tmp_path / "a.mhd").write_text(
        "NDims = 3\nDimSize = 16 20 12\nElementSpacing = 1 1 1\nElementType = MET_UCHAR\n"
        f"ElementDataFile = {data}\n{after}"
    )
    assert_as_itk(tmp_path / "a.mhd")
    assert len(read_stored(tmp_path / "a.mhd").detached) == 12


@pytest.mark.parametrize("matrix", ["TransformMatrix", "Rotation", "Orientation"])
@pytest.mark.parametrize("place", ["Offset", "Position", "Origin"])
def test_the_names_of_metaimage(tmp_path: Path, matrix: str, place: str):
    header = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        f"{matrix} = 0 1 0 -1 0 0 0 0 1",
        f"{place} = 1 2 3",
        "ElementSize = 0.2 0.07 0.5",
        "DimSize = 16 20 12",
        "DistanceUnits = cm",
        "ElementByteOrderMSB = True",
        "ElementType = MET_SHORT",
        "ElementDataFile = LOCAL",
    ]
    values = SimpleITK.GetArrayFromImage(image("i2")).astype(">i2")
    (tmp_path / "a.mha").write_bytes("\n".join(header).encode() + b"\n" + values.tobytes())
    assert_as_itk(tmp_path / "a.mha")


def test_a_packed_and_an_unpacked_nifti_file_of_one_name_side_by_side(tmp_path: Path):
    """ITK's library takes the voxels of the one for those of the other."""
    for name, value in (("a.nii", 1), ("a.nii.gz", 2)):
        SimpleITK.WriteImage(image() * 0 + value, str(tmp_path / name))
    assert read_numbers_volume(tmp_path / "a.nii").max() == 1
    assert read_numbers_volume(tmp_path / "a.nii.gz").max() == 2
