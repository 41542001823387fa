"""What is told by content, kind of file and count, not by the name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bustle.core.errors import InputError
from bustle.io.raster import image_size, picture_count, read_image, read_mask, write_png
from bustle.io.video import read_video_frame, video_size
from bustle.io.volume import read_header, read_volume

GREY = (np.arange(24 * 32) % 256).astype(np.uint8).reshape(24, 32)


def refused(read: Callable[[Path], object], path: Path, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert caught.value.path == path


def test_a_dicom_file_with_a_tiff_header_before_it_is_no_picture(tmp_path: Path):
    Image.fromarray(GREY).save(tmp_path / "a.tif")
    tiff = (tmp_path / "a.tif").read_bytes()
    both = tiff[:8].ljust(128, b"\0") + b"DICM" + tiff[132:]
    for name in ("b.tif", "b.png", "b.nrrd"):
        (tmp_path / name).write_bytes(both)
        refused(read_volume if name == "b.nrrd" else read_image, tmp_path / name, "but a DICOM file")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\0\0\0\x18ftypheic", "a HEIC image"),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"NRRD0004\n", "an NRRD volume"),
    ],
)
def test_the_format_of_what_is_no_image_is_named(tmp_path: Path, content: bytes, name: str):
    (tmp_path / "a.png").write_bytes(content.ljust(600, b"\0"))
    refused(
        read_image,
        tmp_path / "a.png",
        f"WebP, JPEG 2000 or AVIF image but {name}",
    )
    if name != "an NRRD volume":
        (tmp_path / "a.nrrd").write_bytes(content.ljust(600, b"\0"))
        refused(read_header, tmp_path / "a.nrrd", f"is not a readable NRRD, NIfTI or MHA volume but {name}")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP image"),
        (b"GIF89a", "a GIF image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"\0\0\0\x1cftypavif", "an AVIF image"),
    ],
)
def test_an_image_cut_after_its_first_bytes_is_damaged_and_no_volume(tmp_path: Path, content: bytes, name: str):
    (tmp_path / "a.png").write_bytes(content.ljust(600, b"\0"))
    refused(read_image, tmp_path / "a.png", "or it is damaged")
    (tmp_path / "a.nrrd").write_bytes(content.ljust(600, b"\0"))
    refused(read_header, tmp_path / "a.nrrd", f"is not a readable NRRD, NIfTI or MHA volume but {name}")


def test_an_image_under_the_name_of_another_format_is_read(tmp_path: Path):
    write_png(tmp_path / "a.png", GREY)
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg")[0], GREY)
    write_png(tmp_path / "b.png", GREY)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.jpg"), read_mask(tmp_path / "b.png"))


@pytest.fixture
def irregular(tmp_path: Path) -> Path:
    """A folder of what hangs or fails when it is opened, under the names of images, volumes and videos."""
    for ending in (".png", ".nrrd", ".mha", ".nii.gz", ".mp4"):
        os.mkfifo(tmp_path / f"pipe{ending}")
        (tmp_path / f"zeros{ending}").symlink_to("/dev/zero")
        (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")
        (tmp_path / f"folder{ending}").mkdir()
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(tmp_path / f"socket{ending}"))  # the names of sockets are short
    return tmp_path


def test_only_regular_files_are_opened(irregular: Path):
    readers: dict[str, list[Callable[[Path], object]]] = {
        ".png": [read_image, image_size, read_mask, picture_count],
        ".nrrd": [read_header, read_volume],
        ".mha": [read_header],
        ".nii.gz": [read_header],
        ".mp4": [video_size, lambda path: read_video_frame(path, number=0)],
    }
    for ending, reads in readers.items():
        for kind in ("pipe", "zeros", "loop", "folder", "socket"):
            for read in reads:
                refused(read, irregular / f"{kind}{ending}", "cannot be read")


def test_what_stands_in_the_way_is_named(irregular: Path):
    refused(read_image, irregular / "pipe.png", r"cannot be read \(it is a named pipe, not a file\)")
    refused(read_image, irregular / "zeros.png", r"cannot be read \(it is a device, not a file\)")
    refused(read_image, irregular / "folder.png", r"cannot be read \(it is a folder, not a file\)")


def test_detached_voxels_are_a_regular_file(irregular: Path):
    (irregular / "v.raw").symlink_to("/dev/zero")
    header = (
        "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 16 20 12\nencoding: raw\nspacings: 1 1 1\ndata file: v.raw\n"
    )
    (irregular / "a.nhdr").write_text(header)
    refused(read_volume, irregular / "a.nhdr", "lacks its voxels")


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_deep_colours_are_scaled_as_grey_values_are(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str, bits: int
):
    top = (1 << bits) - 1
    grey = np.linspace(0, top, 24 * 32).round().astype(np.uint16).reshape(24, 32)
    rgb = np.dstack([grey, grey // 2, grey // 4])
    opaque = np.dstack([rgb, np.full((24, 32), top, np.uint16)])
    expected = np.round(rgb * (255 / top)).transpose(2, 0, 1)
    for pixels in (rgb, opaque):
        cv2.imwrite(str(tmp_path / f"a{ending}"), pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
        capfd.readouterr()
        np.testing.assert_allclose(read_image(tmp_path / f"a{ending}"), expected, atol=1)
        assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_mask_may_have_deep_colours(tmp_path: Path, ending: str):
    drawn = np.zeros((24, 32), bool)
    drawn[6:12, 5:20] = True
    cv2.imwrite(str(tmp_path / f"m{ending}"), np.dstack([drawn, drawn, drawn * 0]).astype(np.uint16) * 4095)
    np.testing.assert_array_equal(read_mask(tmp_path / f"m{ending}"), drawn)


def test_pictures_in_one_file_are_counted(tmp_path: Path):
    pages = [Image.fromarray(GREY + np.uint8(number)) for number in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "moving.png", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.png")
    assert [picture_count(tmp_path / name) for name in ("pages.tif", "moving.png", "one.png")] == [3, 3, 1]
    np.testing.assert_array_equal(read_image(tmp_path / "pages.tif")[0], GREY)


def test_memory_that_does_not_suffice_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_png(tmp_path / "a.png", GREY)

    def fail(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "tobytes", fail)
    refused(read_image, tmp_path / "a.png", "needs more memory to be read than there is")


def test_a_declared_size_that_the_file_cannot_hold_is_refused_before_decoding(tmp_path: Path):
    Image.new("RGB", (2000, 2000)).save(tmp_path / "black.tif", compression="tiff_lzw")
    assert read_image(tmp_path / "black.tif").shape == (1, 2000, 2000)
    Image.new("RGB", (40, 40)).save(tmp_path / "a.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    for tag in (b"\x00\x01", b"\x01\x01"):  # width and height
        at = content.index(tag + b"\x03\x00\x01\x00\x00\x00\x28\x00")
        content[at + 8 : at + 10] = (7000).to_bytes(2, "little")
    (tmp_path / "a.tif").write_bytes(content)
    assert image_size(tmp_path / "a.tif") == (7000, 7000)
    refused(read_image, tmp_path / "a.tif", r"declares 7000 x 7000 pixels, which its \d+ bytes cannot hold")
