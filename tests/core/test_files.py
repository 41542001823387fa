from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.files import (
    atomic_path,
    read_json,
    remove_file,
    sha256_of_file,
    write_bytes,
    write_json,
    write_text,
)


def test_writes_make_parent_folders_and_leave_nothing_else_behind(tmp_path: Path):
    target = tmp_path / "a" / "b" / "note.txt"
    write_text(target, "größer ±1\n")
    assert target.read_text(encoding="utf-8") == "größer ±1\n"
    write_bytes(target, b"\x00\xff")
    assert target.read_bytes() == b"\x00\xff"
    assert [p.name for p in target.parent.iterdir()] == ["note.txt"]


def test_a_failure_while_writing_keeps_the_old_file(tmp_path: Path):
    target = tmp_path / "best.safetensors"
    write_bytes(target, b"old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"half of the n")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_half()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


def test_the_temporary_file_keeps_the_suffix_that_encoders_choose_a_format_by(tmp_path: Path):
    with atomic_path(tmp_path / "mask.png") as temporary:
        assert temporary.suffix == ".png"
        assert temporary.parent == tmp_path


def test_threads_that_write_at_once_leave_the_umask_as_it_was(tmp_path: Path):
    before = os.umask(0o027)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: write_text(tmp_path / f"{number}.txt", "x"), range(200)))
    finally:
        sys.setswitchinterval(switching)
        left = os.umask(before)
    assert left == 0o027
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_new_files_get_the_permissions_of_the_umask(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "no space left on the disk"),
        (errno.EROFS, "choose a folder that you may write to"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_full_or_read_only_disk_is_told_in_one_line_and_keeps_the_old_file(tmp_path: Path, code: int, said: str):
    target = tmp_path / "last.ckpt"
    write_bytes(target, b"old")

    def write_fails() -> None:
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"new")
            raise OSError(code, os.strerror(code))

    with pytest.raises(InputError, match=said) as caught:
        write_fails()
    assert caught.value.path == target
    assert "\n" not in str(caught.value)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_disk_that_is_full_only_when_flushed_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "a.json"
    write_json(target, {"a": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="no space left"):
        write_json(target, {"a": 2})
    assert read_json(target) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder(tmp_path: Path):
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(InputError, match="choose a folder that you may write to"):
        write_text(folder / "a.txt", "x")


def test_a_file_where_a_folder_should_be(tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="a file is in the way"):
        write_text(tmp_path / "out" / "a.txt", "x")
    with pytest.raises(InputError, match="a file is in the way"):
        write_text(tmp_path / "out" / "deeper" / "a.txt", "x")


def test_removing_a_file(tmp_path: Path):
    write_text(tmp_path / "a", "x")
    remove_file(tmp_path / "a")
    remove_file(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    write_text(tmp_path / "a", "x")
    with pytest.raises(InputError, match="a file is in the way"):
        remove_file(tmp_path / "a" / "b")


def test_json_refuses_what_json_does_not_have_and_keeps_the_old_file(tmp_path: Path):
    target = tmp_path / "metrics.json"
    write_json(target, {"dice": 0.5, "missing": None})
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(target, {"dice": bad})
    assert read_json(target) == {"dice": 0.5, "missing": None}


def test_json_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "absent.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": ')
    with pytest.raises(InputError, match="not readable JSON") as caught:
        read_json(broken)
    assert caught.value.path == broken
    broken.write_bytes(b'"\xff\xfe"')
    with pytest.raises(InputError, match="not readable JSON"):
        read_json(broken)
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path)


def test_sha256_of_file(tmp_path: Path):
    (tmp_path / "w").write_bytes(b"weights" * 100_000)
    assert sha256_of_file(tmp_path / "w") == hashlib.sha256(b"weights" * 100_000).hexdigest()
