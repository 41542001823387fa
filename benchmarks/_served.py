"""A page that a process of its own serves, and its API as a program asks it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parents[1] / "src"
LONGEST_WAIT = 180.0
"""Seconds: a machine may be busy."""


@dataclass(frozen=True)
class Served:
    """A server of its own process, and the address that it prints."""

    process: subprocess.Popen[str]
    address: str

    def ask(self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON, None of an empty one; `body` is a file's content, or is sent as JSON."""
        site, _, token = self.address.partition("/?token=")
        headers = {"Authorization": f"Bearer {token}", "X-Filename": "scan.png"}
        if isinstance(body, Mapping):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(f"{site}/api{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def stop(self) -> str:
        """End it as Ctrl-C does; what it has printed since its start."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[1]

    def wait_for(self, drop: str, *, cases: int) -> dict[str, Any]:
        """Until so many of its pictures are read."""
        end, told = time.monotonic() + LONGEST_WAIT, None
        while time.monotonic() < end:
            told = self.ask("GET", f"/drops/{drop}")
            if told["done"] >= cases:
                return told
            time.sleep(0.02)
        raise TimeoutError(told)


def started(folder: Path, *options: str) -> Served:
    words = [sys.executable, "-m", "bustle", "serve", "--port", "0", "--data-dir", str(folder), *options]
    variables = os.environ | {"PYTHONPATH": str(SOURCES)}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=variables)
    assert process.stderr is not None
    first = process.stderr.readline()
    found = re.search(r"http://\S+", first)
    assert found, first
    return Served(process, found.group())
