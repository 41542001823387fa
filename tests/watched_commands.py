"""Runs commands in one process, and prints what Python did on the network.

`python watched_commands.py FOLDER COMMAND …` works in FOLDER, as a person would with a home folder of their own. Each
look-up or connection is a line of standard output that begins with `network:`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.network_use import on_network_use

RECIPE = Path(__file__).parent / "training" / "tiny.yaml"
PHANTOMS = "phantom:?cases=12&seed=5&size=64"
TRAINED = (
    f"train {RECIPE} --data {PHANTOMS} --holdout 0.3 --set training.epochs=1 --device cpu --out run",
    f"evaluate --model run --data {PHANTOMS} --out evaluated",
    "export run --out made.bustle",
)
USED = (
    "data phantom --cases 2 --size 64 --out phantoms",
    "predict phantoms/images --model made.bustle --out predicted",
    "evaluate --model made.bustle --data folder:phantoms --out evaluated-package",
)


def watched(folder: Path, *commands: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run commands in a process of their own, whose home is `folder/home`; `before` are the words of a tracer."""
    switches = {"CI", "ORT_DISABLE_TELEMETRY"}  # each of them switches some reporting off
    environment = {name: value for name, value in os.environ.items() if name not in switches}
    (folder / "home").mkdir()
    environment |= {
        "HOME": str(folder / "home"),
        "BUSTLE_CACHE": str(folder / "cache"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [*before, sys.executable, __file__, str(folder), *commands]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    on_network_use(lambda event: print("network:", event, flush=True))

    from bustle.cli.main import main

    for words in sys.argv[2:]:
        if code := main(words.split()):
            sys.exit(code)
