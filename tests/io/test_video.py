"""Frames of video files: the right one, however they are asked for, and one line for whatever is no video."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.io.made_videos import HEIGHT, WIDTH, cut, number_in, write_video

from bustle.core.errors import InputError
from bustle.io import video
from bustle.io.video import VideoSize, read_video_frame, video_size

FORMS = [("a.avi", "MJPG"), ("a.avi", "XVID"), ("a.mp4", "mp4v"), ("a.mkv", "MJPG"), ("a.webm", "VP80")]


@pytest.mark.parametrize(("name", "codec"), FORMS)
def test_every_frame_in_any_order(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, frames=60, codec=codec)
    assert video_size(path) == VideoSize(60, HEIGHT, WIDTH)
    orders = [list(range(60)), list(range(0, 60, 7)), [59, 0, 58, 1, 30], random.Random(0).sample(range(60), 20)]
    for number in itertools.chain(*orders):
        frame = read_video_frame(path, number=number)
        assert frame.shape == (1, HEIGHT, WIDTH)
        assert frame.dtype == np.uint8
        assert number_in(frame) == number


def test_a_frame_is_the_same_whatever_was_read_before(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=40, codec="mp4v")
    in_order = [read_video_frame(path, number=number) for number in range(40)]
    for number in (39, 3, 20):
        video._decoder.cache_clear()
        np.testing.assert_array_equal(read_video_frame(path, number=number), in_order[number])
    in_order[5][:] = 0  # what a caller does to its frame is nobody else's business
    assert number_in(read_video_frame(path, number=5)) == 5


def test_colour_is_kept_as_rgb(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", frames=2, colour=True)
    frame = read_video_frame(path, number=1)
    assert frame.shape == (3, HEIGHT, WIDTH)
    red, green, blue = frame[:, 80, 30].astype(int)
    assert red > 180
    assert max(green, blue) < 60


def test_threads_in_order_decode_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.avi", frames=200)
    opened = []
    real = video._open
    monkeypatch.setattr(video, "_open", lambda file: opened.append(file) or real(file))
    video._decoder.cache_clear()

    def look(number: int) -> int:
        time.sleep(0.003)  # who uses a frame does some work with it
        return _number(path, number)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(200))) == list(range(200))
    assert len(opened) < 50


def _number(path: Path, number: int) -> int:
    return number_in(read_video_frame(path, number=number))


def test_a_forked_process_has_its_own_position(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=50, codec="mp4v")
    assert _number(path, 10) == 10
    with multiprocessing.get_context("fork").Pool(2) as pool:
        child = pool.starmap_async(_number, [(path, number) for number in range(11, 50)])
        assert [_number(path, number) for number in range(11, 50)] == list(range(11, 50))
        assert child.get(timeout=60) == list(range(11, 50))


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", frames=5)
    assert _number(path, 3) == 3
    write_video(path, frames=9, first=100)
    assert _number(path, 3) == 103


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
def test_a_cut_file_is_refused(tmp_path: Path, name: str) -> None:
    path = cut(write_video(tmp_path / name, frames=60, codec="MJPG" if name == "a.avi" else "mp4v"), part=0.6)
    with pytest.raises(InputError, match=rf"{name}: .*cut short.*; restore it from its source, or convert it"):
        video_size(path)


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty.avi").write_bytes(b"")
    for name, said in (
        ("text.mp4", "text.mp4: cannot be opened as a video: it is damaged, cut short or of an unknown codec"),
        ("empty.avi", r"empty.avi: is empty \(0 bytes\)"),
        ("gone.avi", r"gone.avi: cannot be read \(No such file or directory\); check the path"),
    ):
        for read in (video_size, lambda path: read_video_frame(path, number=0)):
            with pytest.raises(InputError, match=said) as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)


def test_frames_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.avi", frames=5)
    with pytest.raises(InputError, match=r"a.avi: has no frame 5, it ends after 5"):
        read_video_frame(path, number=5)
    assert _number(path, 4) == 4
    damaged = write_video(tmp_path / "damaged.avi", frames=5)
    damaged.write_bytes(damaged.read_bytes().replace(b"00dc", b"JUNK"))
    with pytest.raises(InputError, match=r"damaged.avi: holds no frame that can be decoded"):
        video_size(damaged)
    monkeypatch.setattr(video, "MIN_SIDE", 100)
    with pytest.raises(InputError, match=r"declares frames of 128 x 96 pixels"):
        video_size(path)


def test_messages_of_opencv_are_as_before(tmp_path: Path) -> None:
    spoken = cv2.utils.logging.getLogLevel()
    assert spoken != cv2.utils.logging.LOG_LEVEL_SILENT
    path = write_video(tmp_path / "a.avi", frames=2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: video_size(path), range(64)))
    assert cv2.utils.logging.getLogLevel() == spoken
