from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, features

from bustle.core.errors import InputError
from bustle.io.raster import (
    image_size,
    orientation,
    picture_count,
    read_image,
    read_instance_map,
    read_mask,
    write_png,
)


@pytest.fixture
def grey() -> np.ndarray:
    """24 x 32, every value from 0 to 255 occurs."""
    return (np.arange(24 * 32) % 256).astype(np.uint8).reshape(24, 32)


@pytest.fixture
def colour() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def png_with_declared_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "tiff", "PNG"])
def test_lossless_formats_keep_every_grey_value(tmp_path: Path, grey: np.ndarray, ending: str):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read_image(path), grey[None])
    assert image_size(path) == (24, 32)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_colour_comes_as_rgb_channels_first(tmp_path: Path, colour: np.ndarray, ending: str):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(colour).save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image, colour.transpose(2, 0, 1))
    assert image.flags["C_CONTIGUOUS"]


def test_jpeg_is_read_and_a_grey_one_has_one_channel(tmp_path: Path):
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    Image.fromarray(smooth).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (1, 48, 64)
    assert np.abs(image[0].astype(int) - smooth).max() <= 4


def test_rgb_with_equal_channels_is_grey_and_one_differing_pixel_makes_it_colour(tmp_path: Path, grey: np.ndarray):
    rgb = np.repeat(grey[..., None], 3, axis=2)
    Image.fromarray(rgb).save(tmp_path / "equal.png")
    np.testing.assert_array_equal(read_image(tmp_path / "equal.png"), grey[None])
    rgb[3, 4] = (255, 0, 0)
    Image.fromarray(rgb).save(tmp_path / "marked.png")
    image = read_image(tmp_path / "marked.png")
    assert image.shape[0] == 3
    assert image[:, 3, 4].tolist() == [255, 0, 0]


def test_transparency_is_composited_over_black(tmp_path: Path, colour: np.ndarray):
    opacity = np.full((24, 32, 1), 255, np.uint8)
    opacity[:8], opacity[8:16] = 0, 128
    Image.fromarray(np.concatenate([colour, opacity], axis=2)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png").transpose(1, 2, 0)
    assert not image[:8].any()
    np.testing.assert_allclose(image[8:16], colour[8:16] * (128 / 255), atol=0.5 + 1e-9)
    np.testing.assert_array_equal(image[16:], colour[16:])


def test_grey_with_alpha(tmp_path: Path, grey: np.ndarray):
    opacity = np.full_like(grey, 255)
    opacity[0] = 0
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(opacity)]).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (1, 24, 32)
    assert not image[0, 0].any()
    np.testing.assert_array_equal(image[0, 1:], grey[1:])


def test_palette_image_gives_its_colours_not_its_indices(tmp_path: Path):
    indices = np.zeros((10, 12), np.uint8)
    indices[2:5, 3:7] = 1
    image = Image.fromarray(indices, mode="P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png")
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]
    assert pixels[:, 3, 4].tolist() == [200, 100, 50]


def test_one_bit_image(tmp_path: Path):
    bits = np.zeros((9, 11), np.bool_)
    bits[2:4] = True
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], bits * 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), bits)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_is_scaled_from_its_full_range(tmp_path: Path, grey: np.ndarray, ending: str):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path), grey[None])


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_in_a_16_bit_file_do_not_turn_black(tmp_path: Path, bits: int):
    values = np.linspace(0, 2**bits - 1, 400).round().astype(np.uint16).reshape(20, 20)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    expected = np.round(values / (2**bits - 1) * 255)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], expected)


def test_16_bit_colour(tmp_path: Path, colour: np.ndarray):
    cv2.imwrite(str(tmp_path / "a.png"), colour[..., ::-1].astype(np.uint16) * 257)
    image = read_image(tmp_path / "a.png").transpose(1, 2, 0)
    assert np.abs(image.astype(int) - colour).max() <= 1


def test_floating_point_tiff_is_refused(tmp_path: Path):
    Image.fromarray(np.random.default_rng(0).random((20, 20), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: holds neither 8-bit nor 16-bit values; save it as"):
        read_image(tmp_path / "a.tif")


def test_decoders_agree_with_opencv_on_real_images(real_data: Path):
    folder = real_data / "busi" / "Dataset_BUSI_with_GT" / "benign"
    for name in ("benign (1).png", "benign (240).png", "benign (195)_mask_2.png"):
        path = folder / name
        expected = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        image = np.broadcast_to(read_image(path), (3, *expected.shape[:2])).transpose(1, 2, 0)
        np.testing.assert_array_equal(image, expected[..., ::-1])


@pytest.mark.parametrize("stated", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_an_exif_orientation_is_stated_and_applied_on_request(tmp_path: Path, ending: str, stated: int):
    exif = Image.Exif()
    exif[0x0112] = stated
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)).save(path, exif=exif)
    assert orientation(path) == stated
    np.testing.assert_array_equal(read_image(path)[0], np.asarray(Image.open(path)))
    np.testing.assert_array_equal(
        read_image(path, upright=True)[0], np.asarray(ImageOps.exif_transpose(Image.open(path)))
    )


def test_masks_of_every_kind_are_the_same_mask(tmp_path: Path):
    lesion = np.zeros((20, 30), np.bool_)
    lesion[4:9, 5:15] = True
    on = lesion.astype(np.uint8)
    palette = Image.fromarray(on, mode="P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    transparent = np.zeros((20, 30, 4), np.uint8)
    transparent[lesion] = 255
    hidden = np.full((20, 30, 4), 255, np.uint8)
    hidden[~lesion, 3] = 0
    opaque = np.dstack([on * 255, on * 255, on * 255, np.full_like(on, 255)])
    kinds = {
        "0 and 255": Image.fromarray(on * 255),
        "0 and 1": Image.fromarray(on),
        "1 bit": Image.fromarray(lesion),
        "palette": palette,
        "red": Image.fromarray(np.dstack([on * 255, on * 0, on * 0])),
        "white on transparent black": Image.fromarray(transparent),
        "white on transparent white": Image.fromarray(hidden),
        "white on opaque black": Image.fromarray(opaque),
        "16 bit": Image.fromarray(on.astype(np.uint16) * 300),
    }
    for kind, image in kinds.items():
        path = tmp_path / f"{kind}.png"
        image.save(path)
        mask = read_mask(path)
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, lesion, err_msg=kind)
        np.testing.assert_array_equal(read_instance_map(path), on, err_msg=kind)


def test_jpeg_mask_ignores_the_noise_around_its_edges(tmp_path: Path):
    lesion = np.zeros((64, 64), np.uint8)
    lesion[21:43, 19:41] = 255
    Image.fromarray(lesion).save(tmp_path / "a.jpg", quality=60)
    noisy = np.asarray(Image.open(tmp_path / "a.jpg"))
    assert ((noisy > 0) & (lesion == 0)).any()
    assert (read_mask(tmp_path / "a.jpg") != (lesion > 0)).sum() <= 4


def test_instance_maps_number_their_lesions(tmp_path: Path):
    numbered = np.zeros((20, 20), np.uint8)
    numbered[2:5, 2:5], numbered[8:12, 8:12], numbered[15:, 15:] = 1, 2, 3
    for name, array in {"8": numbered, "16": numbered.astype(np.uint16)}.items():
        Image.fromarray(array).save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_instance_map(tmp_path / f"{name}.png"), numbered)


def test_values_with_gaps_are_one_lesion(tmp_path: Path):
    soft = np.zeros((20, 20), np.uint8)
    soft[5:15, 5:15], soft[4, 5:15] = 255, 150
    Image.fromarray(soft).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_instance_map(tmp_path / "a.png"), soft > 0)


@pytest.mark.parametrize("shape", [(11, 13), (1, 11, 13), (3, 11, 13)])
def test_written_png_returns_unchanged(tmp_path: Path, shape: tuple[int, ...]):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    write_png(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), image.reshape(-1, 11, 13))


def test_written_mask_is_black_and_white(tmp_path: Path):
    mask = np.random.default_rng(1).random((11, 13)) > 0.5
    write_png(tmp_path / "a.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), mask)
    assert set(np.unique(read_image(tmp_path / "a.png"))) == {0, 255}
    with pytest.raises(TypeError, match="float64"):
        write_png(tmp_path / "b.png", np.zeros((9, 9)))  # type: ignore[arg-type]


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_png(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    with pytest.raises(ValueError, match="shape"):
        write_png(tmp_path / "a.png", np.ones((9, 9), np.uint8))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("kept", [0.02, 0.5])
def test_truncated_files_are_refused(tmp_path: Path, colour: np.ndarray, ending: str, kept: float):
    path = tmp_path / f"cut.{ending}"
    Image.fromarray(np.tile(colour, (4, 4, 1))).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: max(4, int(len(content) * kept))])
    for reader in (read_image, read_mask):
        with pytest.raises(InputError, match=rf"cut\.{ending}: is not a readable .* or it is damaged; restore"):
            reader(path)


def test_flipped_bits_are_refused(tmp_path: Path, colour: np.ndarray):
    path = tmp_path / "bad.png"
    Image.fromarray(colour).save(path)
    content = bytearray(path.read_bytes())
    for index in range(len(content) // 2, len(content) // 2 + 20):
        content[index] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png: is not a readable"):
        read_image(path)


@pytest.mark.parametrize("content", [b"not an image at all", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a" + bytes(40)])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for reader in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.png: is not a readable PNG, .* image, or it is damaged"):
            reader(path)


def test_empty_absent_and_folder(tmp_path: Path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty\.png: is empty \(0 bytes\); restore"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(InputError, match=r"absent\.png: no such file; check the path"):
        read_image(tmp_path / "absent.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"folder\.png: "):
        read_image(tmp_path / "folder.png")


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (12_000, 10_000), (8_001, 8_000)])
def test_image_bomb_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int
):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_with_declared_size(width, height))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for reader in (read_image, read_mask, image_size):
            with pytest.raises(InputError, match=r"bomb\.png: declares .* at most 64 million pixels"):
                reader(path)


def test_size_comes_from_the_header_alone(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png_with_declared_size(640, 480))
    assert image_size(tmp_path / "a.png") == (480, 640)
    with pytest.raises(InputError):
        read_image(tmp_path / "a.png")


def test_tiny_images_are_refused_but_not_tiny_masks(tmp_path: Path):
    Image.fromarray(np.full((7, 20), 255, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: is only 20 x 7 pixels; use images of at least 8 pixels a side"):
        read_image(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png").all()


def test_decoding_writes_nothing_to_the_terminal(real_data: Path, capfd: pytest.CaptureFixture[str]):
    for path in sorted((real_data / "breast" / "BrEaST-Lesions_USG-images_and_masks").glob("*.png"))[:12]:
        read_image(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "options", "largest_difference"),
    [
        ("a.gif", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.jp2", {}, 0),
        ("a.avif", {"quality": 100, "subsampling": "4:4:4"}, 6),
    ],
)
def test_newer_formats_are_read_with_their_first_picture(
    tmp_path: Path, name: str, options: dict[str, Any], largest_difference: int
):
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    smooth = np.add.outer(np.arange(40) * 2, np.arange(50) * 3).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / name, **options)
    assert image_size(tmp_path / name) == (40, 50)
    read = read_image(tmp_path / name)
    assert read.shape[1:] == (40, 50)
    assert np.abs(read.astype(int) - smooth).max() <= largest_difference
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="or it is damaged"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_empty_mask_takes_few_bytes_and_an_animation_holds_several_pictures(tmp_path: Path, name: str):
    empty = Image.fromarray(np.zeros((900, 1200), np.uint8))
    empty.save(tmp_path / name, lossless=True)
    assert not read_mask(tmp_path / name).any()
    assert picture_count(tmp_path / name) == 1
    other = Image.fromarray(np.full((900, 1200), 90, np.uint8))
    empty.save(tmp_path / name, save_all=True, append_images=[other], lossless=True)
    assert picture_count(tmp_path / name) == 2
