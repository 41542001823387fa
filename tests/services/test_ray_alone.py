"""What Ray does that bustle starts on this machine: nothing of it leaves the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.inference.hand_made_package import scene, write_package

from bustle.io.raster import write_png

ALONE = ("unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable)


def watched(*words: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [*ALONE, str(Path(__file__).with_name("alone.py")), sys.executable, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_name_that_is_looked_up_is_seen():
    looked_up = "import contextlib, socket\nwith contextlib.suppress(OSError): socket.getaddrinfo('example.org', 80)"
    assert "example.org" in watched("-c", looked_up)["seen"]


def test_an_archive_on_ray_needs_no_network_and_sends_nothing(tmp_path: Path):
    write_package(tmp_path / "hand.bustle")
    names = [f"{size}.png" for size in (64, 70, 80)]
    for name in names:
        write_png(tmp_path / name, scene(64, int(name.removesuffix(".png"))))
    (tmp_path / "manifest.csv").write_text("\n".join(["image", *names]))
    out = tmp_path / "out"
    seen = watched(
        *("-m", "bustle", "predict", f"manifest:{tmp_path / 'manifest.csv'}", "--out", str(out)),
        *("--model", str(tmp_path / "hand.bustle"), "--engine", "ray", "--workers", "1"),
        HOME=str(tmp_path),
        RAY_USAGE_STATS_REPORT_INTERVAL_S="1",  # where it reported, it would do so now
    )
    assert seen == {"code": 0, "tried": ["192.0.2.1:80"], "seen": []}
    assert json.loads((out / "summary.json").read_text())["contents"] == 3
    assert (tmp_path / ".ray" / "auth_token").exists(), "who may use its ports must know a secret"
