"""Bad files: each gives one line that names the file and the remedy, and never a patient's data."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.io.dicom.made_files import data_set, scan, written

from bustle.core.errors import InputError
from bustle.io.dicom.image import DicomImage, read_dicom
from bustle.io.dicom.pictures import pictures_of, read_picture, read_study
from bustle.io.dicom.recognition import is_dicom

CLIP = np.stack([scan(seed=seed) for seed in range(4)])
CT = "1.2.840.10008.5.1.4.1.1.2"


def jpeg(frame: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG")
    return stream.getvalue()


def with_elements(**elements: object) -> Callable[[], Dataset]:
    return lambda: data_set(scan(), **elements)


def without(keyword: str) -> Callable[[], Dataset]:
    def made() -> Dataset:
        found = data_set(scan())
        delattr(found, keyword)
        return found

    return made


def without_pixels(**elements: object) -> Dataset:
    made = data_set(scan(), **elements)
    del made.PixelData
    return made


def encrypted() -> Dataset:
    return without_pixels(EncryptedAttributesSequence=Sequence([Dataset()]))


def packed_as(syntax: str) -> Callable[[], Dataset]:
    return lambda: data_set(scan(), syntax=syntax, packed=[b"\0" * 100])


def too_few_frames() -> Dataset:
    return data_set(CLIP, frames=9, syntax=uid.JPEGBaseline8Bit, packed=[jpeg(frame) for frame in CLIP])


def unclear_fragments() -> Dataset:
    packed = [jpeg(frame)[:-2] for frame in CLIP]
    return data_set(CLIP, frames=2, syntax=uid.JPEGBaseline8Bit, packed=packed)


def jpeg_of_16_bits() -> Dataset:
    """The header of a lossy stream says so; what follows does not matter."""
    stream = bytearray(jpeg(scan()))
    start = stream.index(b"\xff\xc0")
    stream[start + 1], stream[start + 4] = 0xC1, 16
    return data_set(scan().astype(np.uint16), syntax=uid.JPEGExtended12Bit, packed=[bytes(stream)], BitsStored=16)


BAD: dict[str, tuple[Callable[[], Dataset], str]] = {
    "CT": (with_elements(SOPClassUID=CT), "is of the kind CT Image; leave it out; ultrasound images"),
    "SR": (
        lambda: without_pixels(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"),
        "is of the kind Comprehensive SR; leave it out",
    ),
    "presentation state": (
        lambda: without_pixels(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1"),
        "is of the kind Grayscale Softcopy Presentation State; leave it out",
    ),
    "a name where the kind should be": (
        with_elements(SOPClassUID="Planted^Name"),
        "is of the kind something unknown; leave it out",
    ),
    "no pixels": (without_pixels, "holds no pixel data; leave it out"),
    "encrypted": (encrypted, "has encrypted pixels; decrypt it, or leave it out"),
    "no rows": (without("Rows"), "it lacks the number of its rows or columns; fetch it again"),
    "no study": (without("StudyInstanceUID"), "lacks its StudyInstanceUID; fetch it again"),
    "huge": (
        with_elements(Rows=60_000, Columns=60_000),
        "declares 60000 x 60000 pixels; use 8 pixels a side or more, and at most 64 million",
    ),
    "more frames than there are": (
        lambda: data_set(CLIP, frames=4, NumberOfFrames=5),
        "is cut short in frame 5: 19200 of 24000 bytes; fetch it again",
    ),
    "no frames": (lambda: data_set(CLIP, frames=4, NumberOfFrames=0), "its number of frames is none"),
    "too few fragments": (too_few_frames, "declares 9 frames and holds 4; fetch it again"),
    "fragments of no known frame": (unclear_fragments, "its offset table does not say which belong together"),
    "JPEG XL": (
        packed_as("1.2.840.10008.1.2.4.110"),
        "is stored as JPEG XL Lossless, which is not read; store it anew as JPEG 2000, RLE or uncompressed",
    ),
    "lossy JPEG of 16 bits": (
        jpeg_of_16_bits,
        "is stored as JPEG Extended (Process 2 and 4) with 16 bits, which is not read; store it anew as JPEG 2000",
    ),
    "JPIP": (packed_as("1.2.840.10008.1.2.4.94"), "is stored as JPIP Referenced, which is not read"),
    "no syntax": (packed_as("Planted^Name"), "is stored as something unknown, which is not read"),
    "a video that is none": (
        packed_as("1.2.840.10008.1.2.4.102"),
        "is a video stored as MPEG-4 AVC/H.264 High Profile / Level 4.1, which cannot be decoded here; store its",
    ),
    "retired colours": (
        lambda: data_set(scan(channels=3), photometric="HSV"),
        "has pixels of the kind HSV with 3 values, which are not read",
    ),
    "unknown colours": (with_elements(PhotometricInterpretation="PLANTED"), "has pixels of an unknown kind"),
    "bits": (with_elements(BitsStored=40), "stores its pixels in no 8 or 16 bits"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line(name: str, tmp_path: Path):
    make, said = BAD[name]
    path = written(tmp_path, make())
    with pytest.raises(InputError) as caught:
        read_dicom(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "Planted" not in str(caught.value)
    assert "PLANTED" not in str(caught.value)


def test_an_identifier_that_is_in_the_files_head_only_suffices_and_none_does_not(tmp_path: Path):
    made = without("SOPInstanceUID")()
    assert read_dicom(written(tmp_path, made)).sop_uid == "1.2.3.9"
    made.file_meta.MediaStorageSOPInstanceUID = ""
    made.save_as(tmp_path / "b.dcm", enforce_file_format=False)
    with pytest.raises(InputError, match="lacks its SOPInstanceUID; fetch it again"):
        read_dicom(tmp_path / "b.dcm")


@pytest.mark.parametrize("found", ["../../x", "1..2", "Planted^Name", "1" * 65])
def test_an_identifier_that_would_lead_out_of_a_folder_is_none(found: str, tmp_path: Path):
    path = written(tmp_path, data_set(scan(), SOPInstanceUID="1.2.840.1"))
    before, old, after = path.read_bytes().rpartition(b"UI\x0a\x001.2.840.1\0")
    assert old
    padded = found if len(found) % 2 == 0 else f"{found}\0"
    path.write_bytes(before + b"UI" + len(padded).to_bytes(2, "little") + padded.encode() + after)
    with pytest.raises(InputError, match="has a SOPInstanceUID that is none"):
        read_dicom(path)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.97])
def test_a_file_that_ends_too_early(place: float, tmp_path: Path):
    packed = [jpeg(frame) for frame in CLIP]
    path = written(tmp_path, data_set(CLIP, frames=4, syntax=uid.JPEGBaseline8Bit, packed=packed))
    content = path.read_bytes()
    path.write_bytes(content[: int(place * len(content))])
    with pytest.raises(InputError, match=r"is cut short in frame \d; fetch it again from where it is kept"):
        read_dicom(path)


def test_a_damaged_frame_is_named_and_the_others_are_read(tmp_path: Path):
    packed = [jpeg(frame) for frame in CLIP]
    packed[2] = b"\xff\xd8" + b"\0" * 200 + b"\xff\xd9"
    path = written(tmp_path, data_set(CLIP, frames=4, syntax=uid.JPEGBaseline8Bit, packed=packed))
    pictures = list(pictures_of(read_dicom(path)))
    with pytest.raises(InputError, match=r"frame 3 cannot be decoded as JPEG Baseline \(Process 1\); fetch it again"):
        read_picture(pictures[2])
    assert read_picture(pictures[3])[0].shape == (1, 60, 80)


def test_a_lossless_stream_of_another_size_does_not_reach_the_decoder(tmp_path: Path):
    path = written(tmp_path, data_set(scan(), syntax=uid.JPEGLosslessSV1, packed=[jpeg(scan(24, 32))]))
    (picture,) = pictures_of(read_dicom(path))
    with pytest.raises(InputError, match="its picture cannot be decoded as JPEG Lossless"):
        read_picture(picture)


def test_one_identifier_for_two_pictures(tmp_path: Path):
    one = written(tmp_path, data_set(scan(), SOPInstanceUID="1.5"), "a.dcm")
    copy = tmp_path / "b.dcm"
    copy.write_bytes(one.read_bytes())
    other = written(tmp_path, data_set(scan(seed=1), SOPInstanceUID="1.5"), "c.dcm")
    found = dict(read_study([one, copy, other]))
    assert isinstance(found[one], DicomImage)
    assert found[copy] is None
    assert "c.dcm: has the SOPInstanceUID of another file and another content; find out which" in str(found[other])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not a DICOM file but a PNG image; give DICOM files"),
        (b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" + bytes(200), r"but an encrypted one \(CMS\)"),
        (bytes(128) + b"DICM" + bytes(300), r"does not say what it is \(no SOP class\)"),
        (bytes(128) + b"DICM", r"does not say what it is \(no SOP class\)"),
    ],
)
def test_what_is_no_dicom_file(content: bytes, said: str, tmp_path: Path):
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_dicom(tmp_path / "a.dcm")


def test_pydicoms_warnings_quote_values_and_are_kept_from_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    made = data_set(scan(), StudyDate="20260101")
    path = written(tmp_path, made)
    path.write_bytes(path.read_bytes().replace(b"20260101", b"Planted!"))
    caplog.clear()
    assert dict(read_study([path]))[path] is not None
    read_dicom(path)
    assert "Planted" not in caplog.text
    assert not any("Planted" in str(warning.message) for warning in recwarn)


def test_files_are_known_by_their_content(tmp_path: Path):
    path = written(tmp_path, data_set(scan()), "scan.png")
    bare = data_set(scan(), syntax=uid.ImplicitVRLittleEndian)
    bare.save_as(tmp_path / "bare", enforce_file_format=False, implicit_vr=True, little_endian=True)
    content = (tmp_path / "bare").read_bytes()
    (tmp_path / "bare").write_bytes(content[content.index(b"\x08\x00\x16\x00") :])
    (tmp_path / "text").write_text("no DICOM at all, but a text without an ending")
    assert is_dicom(path)
    assert is_dicom(tmp_path / "bare")
    assert not is_dicom(tmp_path / "text")
    assert not is_dicom(tmp_path)
    assert not is_dicom(tmp_path / "missing")
    np.testing.assert_array_equal(read_picture(next(pictures_of(read_dicom(tmp_path / "bare"))))[0][0], scan())
