"""Measurements that need a process of their own: peak memory, and settings of the C library."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal


def measured(measure: Callable[..., Any], *, own_process: bool, **arguments: Any) -> Any:
    """`measure(**arguments)`, in a new interpreter on one thread if `own_process`; all of it is JSON."""
    told = json.dumps(arguments)
    if not own_process:
        return measure(**json.loads(told))
    command = [sys.executable, "-m", "benchmarks._process", measure.__module__, measure.__name__, told]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=root, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def peak_bytes(process: int | Literal["self"] = "self") -> int:
    """The most memory that a process has held (Linux).

    Not `getrusage`: there a process inherits the peak of the one that started it.
    """
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell a process's peak memory")


if __name__ == "__main__":
    module, name, told = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(told))))
