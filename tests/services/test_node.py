"""A node between real archives: Orthanc sends and takes, by DICOM and DICOMweb, and the node is killed in between."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from tests.conftest import network_uses
from tests.inference.hand_made_package import write_package
from tests.io.dicom.made_ultrasound import STUDY, ultrasound
from tests.node.stations import DEVICE, send

PACKAGES = {
    "/usr/sbin/Orthanc": "orthanc",
    "/usr/share/orthanc/plugins/libOrthancDicomWeb.so": "orthanc-dicomweb",
    "/usr/bin/dciodvfy": "dicom3tools",
}
KNOWN = re.compile(r"Warning .*(Unrecognized defined term = <99BUSTLE>|Laterality.* only permitted to be empty when)")
KILLS, IMAGES = 20, 2
LONGEST_WAIT = 300.0


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Everything here talks to this machine alone."""
    seen = len(network_uses)
    yield
    local = ("'127.0.0.1'", "getaddrinfo (None", "gethostbyname")
    assert [use for use in network_uses[seen:] if not any(word in use for word in local)] == []


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    lacking = sorted({package for file, package in PACKAGES.items() if not Path(file).exists()})
    if lacking:
        subprocess.run(["apt-get", "install", "--yes", *lacking], check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass(frozen=True)
class Orthanc:
    http: int
    dicom: int

    def ask(self, path: str, content: bytes | None = None) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data=content)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def instances(self) -> list[Dataset]:
        return [self.file(each) for each in self.ask("/instances")]

    def file(self, instance: str) -> Dataset:
        from io import BytesIO

        address = f"http://127.0.0.1:{self.http}/instances/{instance}/file"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return pydicom.dcmread(BytesIO(answer.read()))

    def of_modality(self, modality: str, *, study: str | None = None) -> list[Dataset]:
        found = [each for each in self.instances() if each.Modality == modality]
        return [each for each in found if study in (None, each.StudyInstanceUID)]


@contextlib.contextmanager
def orthanc(folder: Path, *, node_port: int) -> Iterator[Orthanc]:
    made = Orthanc(http=free_port(), dicom=free_port())
    folder.mkdir()
    settings = {
        "Name": folder.name,
        "StorageDirectory": str(folder / "kept"),
        "IndexDirectory": str(folder / "kept"),
        "HttpPort": made.http,
        "DicomPort": made.dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"bustle": ["BUSTLE", "127.0.0.1", node_port]},
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        until(lambda: answers(made))
        yield made
    finally:
        running.terminate()
        running.wait()


def answers(archive: Orthanc) -> bool:
    try:
        return bool(archive.ask("/system"))
    except (urllib.error.URLError, ConnectionError):
        return False


def until(true: Callable[[], bool], *, moving: Callable[[], object] = lambda: None) -> None:
    """Wait for what comes about, but no longer than `LONGEST_WAIT` without a change of what is `moving`."""
    seen, deadline = moving(), time.monotonic() + LONGEST_WAIT
    while not true():
        now = moving()
        if now != seen:
            seen, deadline = now, time.monotonic() + LONGEST_WAIT
        assert time.monotonic() < deadline, f"it does not come about: {seen}"
        time.sleep(0.2)


@dataclass
class RunningNode:
    settings: Path
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        log = (self.settings.parent / "log").open("a")
        words = [sys.executable, "-m", "bustle", "node", "run", self.settings]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert self.process.stdout is not None
        assert "listens" in self.process.stdout.readline(), (self.settings.parent / "log").read_text()[-2000:]

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.poll() is None, "the node ended by itself"
        self.process.kill()
        self.process.communicate()

    def status(self) -> Any:
        words = [sys.executable, "-m", "bustle", "node", "status", self.settings, "--json"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
        return json.loads(done.stdout)


@contextlib.contextmanager
def node(folder: Path, *, port: int, archives: list[dict[str, Any]], **others: Any) -> Iterator[RunningNode]:
    folder.mkdir()
    settings = {
        "port": port,
        "data": "data",
        "senders": ["ORTHANC", DEVICE],
        "answers": archives,
        "quiet_seconds": 2,
        "model": str(write_package(folder / "made.bustle")),
        "limits": {"free": 0},
        **others,
    }
    (folder / "node.yaml").write_text(json.dumps(settings))
    running = RunningNode(folder / "node.yaml")
    running.start()
    try:
        yield running
    finally:
        running.kill()


def scan(seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).integers(20, 60, (64, 64), dtype=np.uint8)
    made[20:40, 24:44] += 180
    return made


def test_orthanc_sends_a_study_and_finds_the_answers_beside_it(tmp_path: Path):
    port = free_port()
    with orthanc(tmp_path / "first", node_port=port) as first, orthanc(tmp_path / "second", node_port=port) as second:
        archives = [
            {"to": "dicom", "ae": "ORTHANC", "host": "127.0.0.1", "port": first.dicom},
            {"to": "dicomweb", "url": f"http://127.0.0.1:{second.http}/dicom-web"},
        ]
        with node(tmp_path / "node", port=port, archives=archives) as running:
            for number in (1, 2):
                ultrasound(scan(number), number=number).save_as(tmp_path / "image.dcm", enforce_file_format=True)
                first.ask("/instances", (tmp_path / "image.dcm").read_bytes())
            (study,) = first.ask("/studies")
            first.ask("/modalities/bustle/store", study.encode())
            until(lambda: running.status()["studies"]["answered"] == 1)
            for archive in (first, second):
                outlines, reports = archive.of_modality("SEG", study=STUDY), archive.of_modality("SR", study=STUDY)
                assert (len(outlines), len(reports)) == (2, 1)
                for each in (*outlines, *reports):
                    assert faults(each, tmp_path) == []
            first.ask("/modalities/bustle/store", study.encode())  # with the answers, which are no images to read
            time.sleep(5)
            assert sum(running.status()["studies"].values()) == 1
            assert (len(first.instances()), len(second.instances())) == (5, 3)


def test_a_study_that_orthanc_does_not_send_is_fetched_over_the_web(tmp_path: Path):
    port, today = free_port(), f"{datetime.datetime.now():%Y%m%d}"
    with orthanc(tmp_path / "archive", node_port=port) as archive:
        address = f"http://127.0.0.1:{archive.http}/dicom-web"
        archives = [{"to": "dicomweb", "url": address}]
        sources = [{"url": address, "every_seconds": 1}]
        for number, date in ((1, today), (2, today), (3, "20200101")):
            changes = {"StudyDate": date, "StudyInstanceUID": STUDY if date == today else "2.25.7"}
            made = ultrasound(scan(number), number=number, changes=changes)
            made.save_as(tmp_path / "image.dcm", enforce_file_format=True)
            archive.ask("/instances", (tmp_path / "image.dcm").read_bytes())
        with node(tmp_path / "node", port=port, archives=archives, sources=sources) as running:
            until(lambda: running.status()["studies"]["answered"] == 1)
            time.sleep(5)
            assert sum(running.status()["studies"].values()) == 1
        assert len(archive.of_modality("SEG", study=STUDY)) == 2
        assert len(archive.instances()) == 6


def test_earlier_studies_are_found_in_orthanc_and_answered_too(tmp_path: Path):
    """One study is sent; of the two others of this patient in the archive one is in time."""
    port = free_port()
    with orthanc(tmp_path / "archive", node_port=port) as archive:
        station = {"ae": "ORTHANC", "host": "127.0.0.1", "port": archive.dicom}
        for number, date in ((1, "20260102"), (2, "20250102"), (3, "20100102")):
            uids = {"StudyInstanceUID": f"{STUDY}.{number}", "SeriesInstanceUID": f"{STUDY}.{number}.1"}
            made = ultrasound(scan(number), number=number, changes={**uids, "StudyDate": date})
            made.save_as(tmp_path / "image.dcm", enforce_file_format=True)
            archive.ask("/instances", (tmp_path / "image.dcm").read_bytes())
        with node(tmp_path / "node", port=port, archives=[{"to": "dicom", **station}], priors=station) as running:
            sent = next(
                each
                for each in archive.ask("/studies")
                if archive.ask(f"/studies/{each}")["MainDicomTags"]["StudyDate"] == "20260102"
            )
            archive.ask("/modalities/bustle/store", sent.encode())
            until(lambda: running.status()["studies"]["answered"] == 2)
            time.sleep(15)
            assert sum(running.status()["studies"].values()) == 2
        reports = archive.of_modality("SR")
        assert sorted(each.StudyInstanceUID for each in reports) == [f"{STUDY}.1", f"{STUDY}.2"]


def faults(made: Dataset, folder: Path) -> list[str]:
    made.save_as(folder / "judged.dcm", enforce_file_format=True)
    done = subprocess.run(["dciodvfy", "-new", folder / "judged.dcm"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines
    return [line for line in lines if line.startswith(("Error", "Warning")) and not KNOWN.search(line)]


def test_killed_at_any_moment_no_study_is_lost_or_answered_twice(tmp_path: Path):
    """A device sends all the while, each image until it hears of success, as devices do."""
    moments, port = random.Random(0), free_port()
    with orthanc(tmp_path / "archive", node_port=port) as archive:
        archives = [{"to": "dicom", "ae": "ORTHANC", "host": "127.0.0.1", "port": archive.dicom}]
        with node(tmp_path / "node", port=port, archives=archives) as running:
            device = Device(port)
            device.start()
            for _ in range(KILLS):
                time.sleep(moments.uniform(0, 6))
                running.kill()
                running.start()
            device.enough.set()
            device.join()
            until(
                lambda: running.status()["studies"]["answered"] == len(device.sent),
                moving=lambda: running.status()["studies"],
            )
            status = running.status()
        taken = archive.instances()
    assert len(device.sent) > KILLS
    assert (status["studies"]["failed"], sum(status["studies"].values())) == (0, len(device.sent))
    assert sorted(each.StudyInstanceUID for each in taken if each.Modality == "SR") == sorted(device.sent)
    outlines = [each.StudyInstanceUID for each in taken if each.Modality == "SEG"]
    assert sorted(outlines) == sorted(IMAGES * device.sent)


class Device(threading.Thread):
    """Sends one study after another until `enough`; `sent` are those of which all images were taken."""

    def __init__(self, port: int):
        super().__init__()
        self.port = port
        self.enough = threading.Event()
        self.sent: list[str] = []

    def run(self) -> None:
        while not self.enough.is_set():
            study = f"2.25.99{len(self.sent):04}"
            for image in range(1, IMAGES + 1):
                self._send(f"{study}.{image}", study=study, seed=10 * len(self.sent) + image)
            self.sent.append(study)
            time.sleep(0.5)

    def _send(self, uid: str, *, study: str, seed: int) -> None:
        made = ultrasound(scan(seed), changes={"StudyInstanceUID": study, "SOPInstanceUID": uid})
        made.file_meta.MediaStorageSOPInstanceUID = uid
        while True:
            with contextlib.suppress(ConnectionError):
                if send([made], port=self.port) == [0]:
                    return
            time.sleep(0.1)
