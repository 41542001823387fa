"""Pixels of every transfer syntax and kind, against what was written and pydicom's plain full decode."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openjpeg
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space, get_encoder
from tests.io.dicom.made_files import as_lossless_jpeg, data_set, scan, written

from bustle.core.errors import InputError
from bustle.io.dicom.frames import Frames
from bustle.io.dicom.header import read_header

JPEG_OF_12_BITS = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8X"
    "GBYUGBIUFRT/wQALDAAQABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAADAr/xAAbEAABBAMAAAAAAAAAAAAAAAALACc3RFRhcv/aAAgBAQAAPwAk"
    "EKoHdRA2eJR50mQAqgd1EDZ4lHnSl/FUDuogbPEo86TIAVQO6iBs8Sjzpf/Z"
)


H264 = (
    "AAAAAWdkAAqsshLYCIAAAAMAgAAABQeJEyQAAAABaOvDyyLAAAABZYiED//+92ifAptBg6oDXRY7+QAAAAFBiIg///73aJ8Cmez8qA10WO/g"
    "AAAAAUGIkD///vdonwKYUf6gNdFjv4E="
)


def frames_of(folder: Path, made: Dataset) -> Frames:
    return Frames(read_header(written(folder, made)))


def packed_by_pydicom(made: Dataset, syntax: str, **options: Any) -> Dataset:
    made.compress(syntax, generate_instance_uid=False, **options)
    return made


def jpeg(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_uncompressed(syntax: str, tmp_path: Path):
    pixels = scan()
    found = frames_of(tmp_path, data_set(pixels, syntax=syntax)).picture(1)
    np.testing.assert_array_equal(found, pixels[None])


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("width", [80, 81])
def test_big_endian_also_where_bytes_are_swapped_in_words(vr: str, width: int, tmp_path: Path):
    clip = np.stack([scan(61, width, seed=seed) for seed in range(3)])
    made = data_set(clip, syntax=uid.ExplicitVRBigEndian, frames=3)
    content = clip.tobytes() + b"\0" * (clip.size % 2)
    made.PixelData = np.frombuffer(content, "<u2").astype(">u2").tobytes() if vr == "OW" else content
    made["PixelData"].VR = vr
    frames = frames_of(tmp_path, made)
    for number in (1, 2, 3):
        np.testing.assert_array_equal(frames.picture(number), clip[None, number - 1])


def test_deflated(tmp_path: Path):
    pixels = scan()
    path = written(tmp_path, data_set(pixels, syntax=uid.DeflatedExplicitVRLittleEndian))
    assert b"Planted" not in path.read_bytes()
    np.testing.assert_array_equal(Frames(read_header(path)).picture(1), pixels[None])


def test_a_deflated_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bustle.io.dicom.header._INFLATED_AT_WILL", 1 << 16)
    path = written(tmp_path, data_set(scan(), syntax=uid.DeflatedExplicitVRLittleEndian))
    content = path.read_bytes()
    end = 144 + int.from_bytes(content[140:144], "little")
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(content[:end] + pack.compress(bytes(1 << 22)) + pack.flush())
    with pytest.raises(InputError, match="it inflates to more than 1 MB"):
        read_header(path)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_run_lengths(photometric: str, tmp_path: Path):
    clip = np.stack([scan(seed=seed, channels=3) for seed in range(2)])
    made = packed_by_pydicom(data_set(clip, frames=2, photometric=photometric), uid.RLELossless)
    expected = clip if photometric == "RGB" else convert_color_space(clip, "YBR_FULL", "RGB")
    frames = frames_of(tmp_path, made)
    for number in (2, 1):
        np.testing.assert_array_equal(frames.picture(number), expected[number - 1].transpose(2, 0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_ls(channels: int, tmp_path: Path):
    pixels = scan(channels=channels)
    photometric = "MONOCHROME2" if channels == 1 else "RGB"
    made = packed_by_pydicom(data_set(pixels, photometric=photometric), uid.JPEGLSLossless)
    expected = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    np.testing.assert_array_equal(frames_of(tmp_path, made).picture(1), expected)


def test_jpeg_ls_with_losses_stays_within_them(tmp_path: Path):
    pixels = scan()
    encoder = get_encoder(uid.JPEGLSNearLossless)
    made = data_set(pixels)
    packed = encoder.encode(made, index=0, jls_error=3)
    made = data_set(pixels, syntax=uid.JPEGLSNearLossless, packed=[packed])
    found = frames_of(tmp_path, made).picture(1)
    assert 0 < np.abs(found[0].astype(int) - pixels).max() <= 3


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.HTJ2KLossless, uid.HTJ2K, uid.HTJ2KLosslessRPCL])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_2000_and_its_high_throughput_form(syntax: str, channels: int, tmp_path: Path):
    """No encoder of the latter is at hand: OpenJPEG's decoder, which reads both, gets the older code stream."""
    pixels = scan(channels=channels)
    packed = bytes(openjpeg.encode(pixels, photometric_interpretation=1 if channels == 3 else 2))
    photometric = "MONOCHROME2" if channels == 1 else "RGB"
    made = data_set(pixels, photometric=photometric, syntax=syntax, packed=[packed])
    expected = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    np.testing.assert_array_equal(frames_of(tmp_path, made).picture(1), expected)


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_jpeg(syntax: str, tmp_path: Path):
    pixels = scan()
    packed = jpeg(pixels)
    found = frames_of(tmp_path, data_set(pixels, syntax=syntax, packed=[packed])).picture(1)
    np.testing.assert_array_equal(found[0], np.asarray(Image.open(io.BytesIO(packed))))


def test_jpeg_of_12_bits_is_decoded_and_a_damaged_one_ends_nothing(tmp_path: Path):
    """The stream is libjpeg-turbo's: what it says there differs from the picture by 2 at most."""
    rows, columns = np.indices((16, 16), np.uint16)
    pixels = 150 * columns + 120 * rows
    packed = base64.b64decode(JPEG_OF_12_BITS)
    form = {"syntax": uid.JPEGExtended12Bit, "BitsStored": 12, "HighBit": 11}
    found = frames_of(tmp_path, data_set(pixels, packed=[packed], **form))
    assert np.abs(found.stored(1).astype(int) - pixels).max() <= 2
    expected = np.round(pixels * (255 / 4095))
    np.testing.assert_allclose(found.picture(1)[0], expected, atol=1)
    with pytest.raises(InputError, match="its picture cannot be decoded as JPEG Extended"):
        frames_of(tmp_path, data_set(pixels, packed=[packed[:120]], **form)).picture(1)


@pytest.mark.parametrize("bits", [8, 12])
def test_lossless_jpeg(bits: int, tmp_path: Path):
    pixels = scan().astype(np.uint8 if bits == 8 else np.uint16)
    made = data_set(pixels if bits == 8 else pixels * 16, BitsStored=bits, HighBit=bits - 1)
    found = Frames(read_header(as_lossless_jpeg(written(tmp_path, made)))).picture(1)
    np.testing.assert_array_equal(found[0], pixels if bits == 8 else np.round(pixels * 16 * (255 / 4095)))


def test_jpeg_in_colour_is_converted_once(tmp_path: Path):
    pixels = np.full((64, 64, 3), (200, 40, 90), np.uint8)
    packed = jpeg(pixels)
    made = data_set(pixels, photometric="YBR_FULL_422", syntax=uid.JPEGBaseline8Bit, packed=[packed])
    found = frames_of(tmp_path, made).picture(1)
    assert np.abs(found.astype(int) - np.array([200, 40, 90])[:, None, None]).max() <= 3


def test_frames_of_several_fragments_without_an_offset_table(tmp_path: Path):
    clip = [scan(seed=seed) for seed in range(3)]
    packed = [jpeg(frame) for frame in clip]
    made = data_set(np.stack(clip), frames=3, syntax=uid.JPEGBaseline8Bit, packed=packed)
    made.PixelData = pydicom.encaps.encapsulate(packed, fragments_per_frame=2, has_bot=False)
    frames = frames_of(tmp_path, made)
    for number in (3, 1, 2):
        expected = np.asarray(Image.open(io.BytesIO(packed[number - 1])))
        np.testing.assert_array_equal(frames.picture(number)[0], expected)


def test_an_offset_table_that_points_elsewhere_is_not_believed(tmp_path: Path):
    clip = [scan(seed=seed) for seed in range(3)]
    packed = [jpeg(frame) for frame in clip]
    content = bytearray(pydicom.encaps.encapsulate(packed, fragments_per_frame=2, has_bot=True))
    content[12:16] = (7).to_bytes(4, "little")
    made = data_set(np.stack(clip), frames=3, syntax=uid.JPEGBaseline8Bit, packed=packed)
    made.PixelData = bytes(content)
    found = frames_of(tmp_path, made).picture(2)
    np.testing.assert_array_equal(found[0], np.asarray(Image.open(io.BytesIO(packed[1]))))


def test_a_video_as_far_as_opencv_decodes_it(tmp_path: Path):
    """Also where one picture is declared, as some scanners do: what is not declared is not read."""
    stream = tmp_path / "clip.mpg"
    writer = cv2.VideoWriter(str(stream), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mpg2"), 25, (96, 64))
    for level in range(20, 220, 40):
        writer.write(np.full((64, 96, 3), level, np.uint8))
    writer.release()
    clip = np.zeros((5, 64, 96, 3), np.uint8)
    form = {"photometric": "YBR_PARTIAL_420", "syntax": uid.MPEG2MPML, "packed": [stream.read_bytes()]}
    frames = frames_of(tmp_path, data_set(clip, frames=5, **form))
    for number in (5, 1, 3):
        found = frames.picture(number)
        assert found.shape == (1, 64, 96)
        assert np.abs(found.astype(int) - (20 + 40 * (number - 1))).max() <= 6
    assert frames_of(tmp_path, data_set(clip[0], **form)).count == 1
    with pytest.raises(InputError, match="declares 9 frames of 96 x 64 pixels, its video has 5 of 96 x 64"):
        frames_of(tmp_path, data_set(clip, frames=9, **form))


def test_a_video_stored_as_h264(tmp_path: Path):
    """The stream is x264's, of three frames of one level each: 30, 90 and 150 of the 16 to 235 of video."""
    form = {"photometric": "YBR_PARTIAL_420", "syntax": uid.MPEG4HP41, "packed": [base64.b64decode(H264)]}
    frames = frames_of(tmp_path, data_set(np.zeros((3, 32, 32, 3), np.uint8), frames=3, **form))
    for number in (3, 1, 2):
        level = (60 * number - 30 - 16) * 255 / 219
        assert np.abs(frames.picture(number).astype(int) - level).max() <= 4


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_by_pixel_and_by_plane(planar: int, tmp_path: Path):
    pixels = scan(channels=3)
    made = data_set(pixels, photometric="RGB", PlanarConfiguration=planar)
    if planar:
        made.PixelData = pixels.transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(frames_of(tmp_path, made).picture(1), pixels.transpose(2, 0, 1))


def test_halved_colour(tmp_path: Path):
    brightness, blue, red = scan(), scan(60, 40, seed=1), scan(60, 40, seed=2)
    halved = np.stack([brightness[:, ::2], brightness[:, 1::2], blue, red], axis=-1)
    whole = np.stack([brightness, blue.repeat(2, axis=1), red.repeat(2, axis=1)], axis=-1)
    made = data_set(whole, photometric="YBR_FULL_422")
    made.PixelData = halved.tobytes()
    expected = convert_color_space(whole, "YBR_FULL", "RGB").transpose(2, 0, 1)
    np.testing.assert_array_equal(frames_of(tmp_path, made).picture(1), expected)


def test_dark_and_bright_exchanged(tmp_path: Path):
    pixels = scan()
    found = frames_of(tmp_path, data_set(pixels, photometric="MONOCHROME1")).picture(1)
    np.testing.assert_array_equal(found[0], 255 - pixels)


@pytest.mark.parametrize(("stored", "high"), [(12, 11), (10, 9), (12, 15)])
def test_fewer_bits_than_there_is_room_for(stored: int, high: int, tmp_path: Path):
    """What other bits hold, such as an overlay, is not shown."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 1 << stored, (40, 50)).astype(np.uint16)
    shift = high + 1 - stored
    others = rng.integers(0, 1 << 16, (40, 50)).astype(np.uint16) & ~np.uint16(((1 << stored) - 1) << shift)
    made = data_set((values << shift) | others, BitsStored=stored, HighBit=high)
    found = frames_of(tmp_path, made).picture(1)
    np.testing.assert_array_equal(found[0], np.round(values * (255.0 / ((1 << stored) - 1))).astype(np.uint8))


def test_signed_values_rescaled_and_seen_through_a_window(tmp_path: Path):
    values = np.linspace(-2000, 2000, 60 * 80).reshape(60, 80).astype(np.int16)
    window = {"WindowCenter": 100, "WindowWidth": 401, "RescaleSlope": 0.5, "RescaleIntercept": 10}
    made = data_set(values.view(np.uint16), PixelRepresentation=1, **window)
    found = frames_of(tmp_path, made).picture(1)[0].astype(int)
    expected = np.clip(((values * 0.5 + 10) - 99.5) / 400 + 0.5, 0, 1) * 255
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


def test_a_table_of_the_values_of_interest_comes_before_a_window(tmp_path: Path):
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    entries = (np.arange(256)[::-1] // 2).astype(np.uint8)
    table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    made = data_set(scan(), VOILUTSequence=[table], WindowCenter=50, WindowWidth=10)
    np.testing.assert_array_equal(frames_of(tmp_path, made).picture(1)[0], entries[scan()])


def with_palette(pixels: NDArray[Any], tables: list[NDArray[np.uint16]], *, bits: int, first: int = 0) -> Dataset:
    made = data_set(pixels, photometric="PALETTE COLOR")
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [len(table) % 65536, first, bits])
        content = table.astype("<u2" if bits == 16 else "u1").tobytes()
        made.add_new(f"{colour}PaletteColorLookupTableData", "OW", content)
    return made


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 16])
def test_palettes(bits: int, first: int, tmp_path: Path):
    rng = np.random.default_rng(1)
    tables = [rng.integers(0, 1 << bits, 200).astype(np.uint16) for _ in range(3)]
    pixels = scan()
    found = frames_of(tmp_path, with_palette(pixels, tables, bits=bits, first=first)).picture(1)
    index = np.clip(pixels.astype(int) - first, 0, 199)
    expected = np.stack([table[index] >> (bits - 8) for table in tables])
    np.testing.assert_array_equal(found, expected)


def test_a_palette_for_values_of_16_bits(tmp_path: Path):
    rng = np.random.default_rng(2)
    tables = [np.sort(rng.integers(0, 1 << 16, 65536)).astype(np.uint16) for _ in range(3)]
    pixels = rng.integers(0, 1 << 16, (40, 50)).astype(np.uint16)
    found = frames_of(tmp_path, with_palette(pixels, tables, bits=16)).picture(1)
    np.testing.assert_array_equal(found, np.stack([table[pixels] >> 8 for table in tables]))


def test_a_palette_in_segments(tmp_path: Path):
    """Four entries of 0, then a line up to 0xFF00 in 252 steps, in green and blue half as steep."""
    made = data_set(scan(), photometric="PALETTE COLOR")
    for colour, top in (("Red", 0xFF00), ("Green", 0x7F80), ("Blue", 0x7F80)):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        segments = np.array([0, 4, 0, 0, 0, 0, 1, 252, top], "<u2")
        made.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", segments.tobytes())
    found = frames_of(tmp_path, made).picture(1)
    expected = apply_color_lut(scan(), made) >> 8
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))
    assert (found[:, scan() < 4] == 0).all()
    assert found.max() == 0xFF
