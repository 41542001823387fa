"""Free memory is what the narrowest limit leaves."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from bustle.core import memory
from bustle.core.memory import available_memory, give_back_freed_memory


def test_it_is_a_number_of_bytes():
    found = available_memory()
    assert found is None or 10**7 < found < 10**14


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of the address space are those of Linux")
def test_a_limit_of_the_address_space_is_respected():
    script = "from bustle.core.memory import available_memory; print(available_memory())"
    limited = f"ulimit -v 1000000; exec '{sys.executable}' -c '{script}'"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=True)
    assert 10**8 < int(done.stdout) < 1_000_000 * 1024


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "membership")
    return tmp_path


def limited(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"memory.{name}").write_text(content)


def test_the_limit_of_any_control_group_above_is_respected(groups: Path):
    """Version 2: the outer of two groups is the narrower; files in memory can be dropped."""
    (groups / "membership").write_text("0::/batch/job\n")
    limited(groups / "cgroup" / "batch" / "job", max="max\n", current="900000\n")
    stat = "anon 500000\ninactive_file 300000\n"
    limited(groups / "cgroup" / "batch", max="2000000\n", current="1500000\n", stat=stat)
    assert available_memory() == 800_000


def test_the_limit_of_a_container_of_version_1(groups: Path):
    """Its own group is mounted as the root."""
    (groups / "membership").write_text("7:cpu:/docker/x\n4:memory:/docker/x\n")
    limited(groups / "cgroup" / "memory", limit_in_bytes="3000000", usage_in_bytes="1000000", stat="cache 1")
    assert available_memory() == 2_000_000


def test_a_group_that_is_full_leaves_nothing(groups: Path):
    (groups / "membership").write_text("0::/\n")
    limited(groups / "cgroup", max="100", current="300", stat="")
    assert available_memory() == 0


def held() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what others return")
def test_freed_blocks_below_one_in_use_are_given_back():
    blocks = [b"x" * 100_000 for _ in range(300)]
    last = blocks[-1]
    del blocks
    before = held()
    give_back_freed_memory()
    assert before - held() > 20_000_000
    assert last
