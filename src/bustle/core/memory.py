"""How much memory is left for this process, of what the machine has free and of what limits leave; giving it back."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from bustle.core.errors import InputError

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_USED = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}
"""The file of a limit, and that of what counts against it: in control groups of version 2 and 1."""


def available_memory() -> int | None:
    """Bytes that can be used without swapping, or failing; None where the system does not tell.

    That is the least of what the machine has free, what `ulimit -v` leaves, and what the limits of the control
    groups (containers, batch systems) leave.
    """
    left = [*_machine(), *_address_space(), *_control_groups()]
    return max(0, min(left)) if left else None


def give_back_freed_memory() -> None:
    """Return to the system what the C library keeps of freed blocks; nothing happens where it is not glibc."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def too_large_to_read(path: Path) -> InputError:
    """What is said of a file whose content does not fit."""
    return InputError(
        "needs more memory to be read than there is",
        remedy="close other programs, or raise the limit of memory",
        path=path,
    )


def _machine() -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
                return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        yield os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _address_space() -> Iterator[int]:
    """What `ulimit -v` leaves to this process."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield limit - pages * os.sysconf("SC_PAGE_SIZE")


def _control_groups() -> Iterator[int]:
    """What each limited group from the process's own up to the root leaves."""
    with contextlib.suppress(OSError):
        for line in _MEMBERSHIP.read_text(encoding="utf-8").splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            root = _CGROUPS / controllers
            folder = root / own.lstrip("/")
            while folder != root.parent:
                yield from _group(folder)
                folder = folder.parent


def _group(folder: Path) -> Iterator[int]:
    for limit, used in _USED.items():
        with contextlib.suppress(OSError, ValueError):  # the root has no limit, and "max" is none
            yield int(_text(folder / limit)) - int(_text(folder / used)) + _reclaimable(folder)


def _reclaimable(folder: Path) -> int:
    """Bytes of files that the system keeps in memory and drops when it needs the room."""
    with contextlib.suppress(OSError, ValueError):
        for line in _text(folder / "memory.stat").splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    return 0


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii").strip()
