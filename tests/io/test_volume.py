"""Volumes there and back at their place in the world, and what is refused in one line."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.io import volume
from bustle.io.raster import write_png
from bustle.io.volume import (
    check_same_grid,
    is_volume,
    read_header,
    read_instance_volume,
    read_mask_volume,
    read_volume,
    volume_stem,
    write_volume,
)

SHAPE = (12, 20, 16)
SPACING = (0.5, 0.07, 0.2)
ORIGIN = (-12.3, 45.6, 78.9)


def oblique() -> tuple[float, ...]:
    """Turned by 20 degrees about z, then by -35 about x."""
    a, b = np.radians(20), np.radians(-35)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return tuple(map(float, (about_z @ about_x).ravel()))


GEOMETRY = Geometry(SHAPE, spacing=SPACING, origin=ORIGIN, direction=oblique())


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str], Path]:
    """`put("a.nrrd")` writes the same noise to any ending."""

    def write(name: str) -> Path:
        write_volume(tmp_path / name, noise(), geometry=GEOMETRY)
        return tmp_path / name

    return write


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]):
    """No decoder may print, whatever it is given."""
    yield
    assert capfd.readouterr() == ("", "")


def refused(path: Path, said: str, *, read: Callable = read_volume) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


def test_the_endings():
    names = ["a.nrrd", "a.NII.GZ", "a.b.nii", "a.mha", "a.mhd", "a.nhdr"]
    assert all(is_volume(Path(name)) for name in names)
    assert [volume_stem(Path(name)) for name in names] == ["a", "a", "a.b", "a", "a", "a"]
    assert not any(is_volume(Path(name)) for name in ("a.png", "a.gz", "nrrd", "a.nii.png"))


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz"])
def test_there_and_back_with_oblique_anisotropic_voxels(put, name: str):
    """MetaImage keeps the place exactly, NRRD but for the last bit (it stores spacing times direction), NIfTI in
    single precision."""
    path = put(name)
    voxels, geometry = read_volume(path)
    np.testing.assert_array_equal(voxels, noise())
    assert voxels.dtype == np.uint8
    if name.endswith("mha"):
        assert geometry == GEOMETRY
    double = 4 * np.finfo(np.float64).eps  # the length of an axis is the root of three squares
    tolerance = 1e-7 if ".nii" in name else double
    assert geometry.original_size == SHAPE
    assert geometry.spacing == pytest.approx(SPACING, rel=tolerance)
    assert geometry.origin == pytest.approx(ORIGIN, rel=tolerance)
    assert geometry.direction == pytest.approx(oblique(), abs=tolerance)
    assert read_header(path).geometry() == geometry
    assert [file.name for file in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz"])
def test_capital_endings_are_read(put, name: str):
    path = put(name)
    np.testing.assert_array_equal(read_volume(path.rename(path.with_name(name.upper())))[0], noise())


def test_a_mask_comes_back_at_the_place_of_its_volume(put, tmp_path: Path):
    """Whatever the two formats, a mask written with a volume's geometry has the volume's grid."""
    mask = noise() > 128
    for source in ("a.nrrd", "a.mha", "a.nii.gz"):
        _, geometry = read_volume(put(source))
        for target in ("m.nrrd", "m.mha", "m.nii.gz"):
            write_volume(tmp_path / target, mask, geometry=geometry)
            check_same_grid(tmp_path / target, like=geometry)
            np.testing.assert_array_equal(read_mask_volume(tmp_path / target), mask)


def test_another_library_finds_the_same_voxels(put):
    """(slice, depth, lateral) here are z, y, x in ITK."""
    image = SimpleITK.ReadImage(str(put("a.mha")))
    assert image.GetSize() == (16, 20, 12)
    assert image.GetSpacing() == (0.2, 0.07, 0.5)
    assert image.GetPixel(3, 5, 7) == noise()[7, 5, 3]


def test_probabilities_are_written_as_they_are(tmp_path: Path):
    values = np.random.default_rng(0).random(SHAPE, np.float32)
    write_volume(tmp_path / "p.nii.gz", values, geometry=GEOMETRY)
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "p.nii.gz"))), values
    )
    assert (tmp_path / "p.nii.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_files_are_compressed_and_none_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("a.nrrd", "a.mha", "a.nii.gz"):
        write_volume(tmp_path / name, np.zeros((40, 40, 40), bool), geometry=Geometry((40, 40, 40)))
        assert (tmp_path / name).stat().st_size < 2000
    before = (tmp_path / "a.nrrd").read_bytes()

    def fail(*_args, **_keywords):
        raise RuntimeError("disk")

    monkeypatch.setattr(SimpleITK, "WriteImage", fail)
    with pytest.raises(InputError, match=r"a\.nrrd: cannot be written"):
        write_volume(tmp_path / "a.nrrd", noise(), geometry=GEOMETRY)
    assert (tmp_path / "a.nrrd").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_detached_header_is_read_but_never_written(put, tmp_path: Path):
    image = SimpleITK.ReadImage(str(put("a.mha")))
    for name in ("d.nhdr", "d.mhd"):
        SimpleITK.WriteImage(image, str(tmp_path / name))
        np.testing.assert_array_equal(read_volume(tmp_path / name)[0], noise())
        with pytest.raises(ValueError, match="is not written as"):
            write_volume(tmp_path / name, noise(), geometry=GEOMETRY)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255], np.int16), [0, 255]),
        (np.array([0, 1023], np.uint16), [0, 255]),
        (np.array([0, 4095], np.int32), [0, 255]),
        (np.array([0, 300], np.int64), [0, 75]),
        (np.array([0, 65535], np.uint16), [0, 255]),
        (np.array([0, 200], np.float32), [0, 200]),
        (np.array([3, 4000], np.float64), [0, 249]),
    ],
)
def test_deeper_values_are_scaled_as_those_of_images(tmp_path: Path, values: np.ndarray, expected: list[int]):
    store(tmp_path / "a.nrrd", np.resize(values, (4, 6, 8)))
    voxels, _ = read_volume(tmp_path / "a.nrrd")
    assert voxels.dtype == np.uint8
    assert voxels[0, 0, :2].tolist() == expected


def store(path: Path, voxels: np.ndarray, *, components: bool = False) -> None:
    """Write any type of values as ITK does, spacing 1."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels, isVector=components), str(path))


@pytest.mark.parametrize(
    "values",
    [
        np.array([-1, 5], np.int16),
        np.array([0, 70000], np.int32),
        np.array([0, 0.5], np.float32),
        np.array([0, np.nan], np.float32),
        np.array([0, np.inf], np.float64),
    ],
)
def test_values_that_are_no_grey_values(tmp_path: Path, values: np.ndarray):
    store(tmp_path / "a.nrrd", np.resize(values, (4, 6, 8)))
    refused(tmp_path / "a.nrrd", "holds neither 8-bit nor 16-bit values; save it")


def test_a_rescaled_nifti_file_is_read_in_its_scaled_values(put):
    """The file then holds 8-bit voxels, the volume is one of floats: it is not cut short."""
    path = patched(put("a.nii"), (112, "<f", 2.0), (116, "<f", 1.0))
    voxels, _ = read_volume(path)
    np.testing.assert_array_equal(voxels, np.round((noise() * 2.0 + 1) * (255 / 1023)).astype(np.uint8))


def test_instances_and_masks(tmp_path: Path):
    numbered = np.zeros(SHAPE, np.uint8)
    numbered[1:3, 2:5, 2:5], numbered[6:8, 2:5, 2:5] = 1, 2
    write_volume(tmp_path / "n.nrrd", numbered, geometry=GEOMETRY)
    np.testing.assert_array_equal(read_instance_volume(tmp_path / "n.nrrd"), numbered)
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "n.nrrd"), numbered > 0)
    store(tmp_path / "b.nrrd", (numbered > 0) * np.float32(255))
    assert read_instance_volume(tmp_path / "b.nrrd").max() == 1
    store(tmp_path / "e.nrrd", numbered * 0)
    assert not read_instance_volume(tmp_path / "e.nrrd").any()


def test_what_is_no_volume(tmp_path: Path):
    write_png(tmp_path / "flat.png", noise()[0])
    refused(tmp_path / "flat.png", "is no volume; give NRRD, NIfTI or MHA files")
    (tmp_path / "png.nrrd").write_bytes((tmp_path / "flat.png").read_bytes())
    refused(tmp_path / "png.nrrd", "is not a readable NRRD")
    (tmp_path / "empty.nrrd").touch()
    refused(tmp_path / "empty.nrrd", r"is empty \(0 bytes\); restore")
    refused(tmp_path / "absent.nrrd", "cannot be read")
    (tmp_path / "folder.nrrd").mkdir()
    refused(tmp_path / "folder.nrrd", "cannot be read")


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha"])
def test_other_numbers_of_axes(tmp_path: Path, ending: str):
    path = tmp_path / f"a{ending}"
    store(path, noise()[0])
    refused(path, "is an image of 20 x 16 voxels, not a volume", read=read_header)
    store(path, noise()[:1])
    refused(path, "is an image of 1 x 20 x 16 voxels, not a volume")
    SimpleITK.WriteImage(SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(noise())] * 2), str(path))
    refused(path, r"has 4 axes \(2 x 12 x 20 x 16\); save one volume per file", read=read_header)
    store(path, np.stack([noise()] * 3, axis=-1), components=True)
    refused(path, "has 3 values per voxel; save it as grey values")


def nrrd(path: Path, *fields: str) -> Path:
    header = ["NRRD0004", "type: unsigned char", "dimension: 3", "sizes: 16 20 12", "encoding: raw", *fields]
    path.write_bytes("\n".join(header).encode() + b"\n\n" + noise().tobytes())
    return path


@pytest.mark.parametrize(
    "field",
    [
        "content: nothing",
        "# spacings: in a comment",
        "note:=spacings: 1 1 1",
        "thicknesses: 1 1 1",
        "spacings: 0 1 1",
        "spacings: -1 1 1",
        "spacings: nan 1 1",
        "space: left-posterior-superior\nspace directions: none none none",
        "space: left-posterior-superior\nspace directions: (0,0,0) (0,1,0) (0,0,1)",
    ],
)
def test_nrrd_without_spacing(tmp_path: Path, field: str):
    """ITK would take 1 mm for most of them."""
    refused(nrrd(tmp_path / "a.nrrd", field), "states no voxel spacing; write the spacing in mm", read=read_header)


def test_nrrd_with_spacing_only(tmp_path: Path):
    assert read_header(nrrd(tmp_path / "a.nrrd", "spacings: 0.2 0.07 0.5")).spacing == SPACING


@pytest.mark.parametrize(
    "line", ["", "ElementSpacing = 0 1 1\n", "ElementSpacing = -1 1 1\n", "ElementSpacing = nan 1 1\n"]
)
def test_metaimage_without_spacing(put, line: str):
    path = put("a.mha")
    header, local, rest = path.read_bytes().partition(b"DimSize")
    before, _, _ = header.partition(b"ElementSpacing")
    path.write_bytes(before + line.encode() + local + rest)
    refused(path, "states no voxel spacing", read=read_header)


def patched(path: Path, *edits: tuple[int, str, float]) -> Path:
    """An uncompressed file with some bytes of its header changed: (offset, struct format, value)."""
    content = bytearray(path.read_bytes())
    for offset, form, value in edits:
        struct.pack_into(form, content, offset, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("step", [0.0, -0.2, float("nan"), float("inf")])
def test_nifti_without_spacing(put, step: float):
    refused(patched(put("a.nii"), (80, "<f", step)), "states no voxel spacing", read=read_header)


@pytest.mark.parametrize("edit", [(40, "<h", 9), (42, "<h", 0), (44, "<h", -20), (70, "<h", 12345), (0, "<i", 7)])
def test_nifti_with_a_damaged_header(put, edit: tuple[int, str, float]):
    refused(patched(put("a.nii"), edit), "damaged", read=read_header)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz", "raw.nrrd", "raw.mha"])
def test_a_file_that_is_cut_short_anywhere(put, tmp_path: Path, name: str):
    image = SimpleITK.ReadImage(str(put("a.mha")))
    path = put(name)
    if name.startswith("raw"):
        SimpleITK.WriteImage(image, str(path), useCompression=False)
    whole = path.read_bytes()
    for kept in (10, 200, len(whole) // 8, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:kept])
        refused(path, "damaged|cut short")


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
def test_detached_voxels_that_are_cut_short_or_absent(put, tmp_path: Path, name: str):
    image = SimpleITK.ReadImage(str(put("source.mha")))
    SimpleITK.WriteImage(image, str(tmp_path / name))
    (data,) = tmp_path.glob("a.*raw*")
    data.write_bytes(data.read_bytes()[:-100])
    refused(tmp_path / name, "damaged|cut short")
    data.unlink()
    refused(tmp_path / name, "lacks its voxels|couldn't open")


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii.gz"])
def test_a_flipped_byte_among_compressed_voxels(put, name: str):
    path = put(name)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 0x5A
    path.write_bytes(content)
    refused(path, "damaged|cut short")


def test_nifti_voxels_that_begin_behind_the_end(put):
    refused(patched(put("a.nii"), (108, "<f", 10000.0)), "is cut short")


def test_more_voxels_than_the_memory_holds(put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A declared size is believed before anything is decoded: 2 GB of voxels, 1 GB of memory."""
    path = patched(put("a.nii"), (42, "<h", 1250), (44, "<h", 1250), (46, "<h", 1280))
    monkeypatch.setattr(volume, "available_memory", lambda: 10**9)
    monkeypatch.setattr(SimpleITK.ImageFileReader, "Execute", lambda self: pytest.fail("decoded"))
    said = r"a\.nii: needs 6\.0 GB of memory to be read, 1\.0 GB are free; close other programs"
    refused(path, said)
    refused(path, said, read=read_mask_volume)
    assert read_header(path).size == (1280, 1250, 1250)
    monkeypatch.setattr(volume, "available_memory", lambda: None)
    refused(path, "is cut short")


def test_available_memory_is_a_number_of_bytes():
    found = volume.available_memory()
    assert found is None or 10**7 < found < 10**14


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"original_size": (12, 20, 15)}, "is 12 x 20 x 16 voxels, its volume 12 x 20 x 15; resample the mask"),
        (
            {"spacing": (0.5, 0.08, 0.2)},
            r"has a spacing of 0\.5 x 0\.07 x 0\.2 mm, its volume 0\.5 x 0\.08 x 0\.2 mm",
        ),
        ({"origin": (-12.3, 45.6, 79.0)}, "lies at another place than its volume"),
        ({"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "lies in another direction than its volume"),
    ],
)
def test_masks_on_another_grid(put, change: dict, said: str):
    path = put("a.nii.gz")
    check_same_grid(path, like=GEOMETRY)
    refused(path, said, read=lambda file: check_same_grid(file, like=replace(GEOMETRY, **change)))


def test_no_nifti_inside_of_gzip(tmp_path: Path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"something else" * 100))
    refused(tmp_path / "a.nii.gz", "is no NIfTI file, or it is damaged", read=read_header)
