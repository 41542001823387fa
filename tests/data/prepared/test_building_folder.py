"""What killed processes left of unfinished caches is removed, and nothing of those that are at work."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

from bustle.data.prepared.building_folder import building_folder


def begin(root: Path, name: Connection) -> None:
    with building_folder(root) as folder:
        (folder / "images.raw").write_bytes(b"half")
        name.send(folder.name)
        name.recv()  # until it is killed


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=begin, args=(tmp_path, there))
    process.start()
    left = tmp_path / here.recv()
    os.utime(left / "lock", (0, 0))  # an hour-long preparation
    with building_folder(tmp_path):
        assert (left / "images.raw").exists()
    process.kill()
    process.join()
    with building_folder(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_just_made_is_left_alone(tmp_path: Path):
    young = tmp_path / ".preparing-x"
    young.mkdir()
    (young / "lock").touch()
    with building_folder(tmp_path):
        assert young.exists()
