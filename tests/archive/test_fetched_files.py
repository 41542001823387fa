"""Files from an address are what they are on a disk; what is too large, too slow or never ends holds nothing up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from tests.conftest import network_uses
from tests.inference.hand_made_package import scene, write_package
from tests.io.dicom.made_ultrasound import write_ultrasound

from bustle.archive.contents import ContentsOfPart
from bustle.archive.layout import ArchiveLayout
from bustle.archive.listed import ListedPart
from bustle.archive.predict_archive import predict_archive
from bustle.archive.tables import read_rows
from bustle.core.files import sha256_of_file
from bustle.experiments.engines.engine import LocalEngine
from bustle.inference.predictor import Predictor

GOOD = b"a picture" * 50
INSTANCE = "studies/1.2/series/1.3/instances/1.4"


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """A server of this machine is asked, and nobody else."""
    seen = len(network_uses)
    yield
    assert [use for use in network_uses[seen:] if "'127.0.0.1'" not in use] == []


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bustle.archive.arrival.MOST_BYTES", 400_000)
    monkeypatch.setattr("bustle.archive.arrival.MOST_SECONDS", 0.5)
    monkeypatch.setattr("bustle.archive.arrival.MOST_SILENT_SECONDS", 0.2)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DICOM file, which the server has, too."""
    pixels = np.ascontiguousarray(scene(64, 70)[0])
    return write_ultrasound(tmp_path_factory.mktemp("archive") / "instance.dcm", pixels)


@pytest.fixture(scope="module")
def server(instance: Path) -> Iterator[str]:
    """It answers each address in its own way, until the tests are over."""
    for slow in ("fsspec.implementations.http", "dicomweb_client"):  # to import, for the limits of these tests
        import_module(slow)
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = self.path.split("/")[1]
            if kind == "wado":
                self.answer_as_wado_rs()
                return
            length = {"good": len(GOOD), "large": 500_000, "silent": 10_000, "refused": 0}.get(kind)
            self.send_response(403 if kind == "refused" else 200)
            self.send_header("Content-Type", "image/png")
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if kind == "good":
                self.wfile.write(GOOD)
            elif kind == "large":
                over.wait()  # it is refused before anything comes
            elif kind == "silent":
                self.wfile.write(b"half")
                over.wait()
            while kind in ("endless", "drip") and not over.is_set():
                try:
                    self.wfile.write(b"x" * 10_240)
                except OSError:
                    return
                over.wait(0.0 if kind == "endless" else 0.05)

        def answer_as_wado_rs(self) -> None:
            accepted = self.headers["Accept"]
            found = self.path == f"/wado/{INSTANCE}"
            assert accepted.startswith('multipart/related; type="application/dicom"'), accepted
            part = b"--border\r\nContent-Type: application/dicom\r\n\r\n" + instance.read_bytes()
            body = part + b"\r\n--border--\r\n" if found else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", 'multipart/related; type="application/dicom"; boundary=border')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    over.set()
    made.shutdown()
    made.server_close()


def problems(places: list[str], folder: Path) -> list[str | None]:
    ContentsOfPart(folder, folder)(ListedPart(0, tuple(places)))
    return [row["problem"] for row in read_rows(ArchiveLayout(folder).contents(0))]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("large", "larger than 0.4 MB"),
        ("endless", "larger than 0.4 MB"),
        ("silent", "sends nothing for 0.2 s"),
        ("drip", "not come within 0.5 s"),
        ("refused", "answers 403"),
    ],
)
@pytest.mark.parametrize("form", ["{server}/{kind}/a.png", "dicomweb+{server}/{kind}/" + INSTANCE])
def test_an_answer_beyond_the_limits_is_the_problem_of_its_row(
    server: str, tmp_path: Path, kind: str, words: str, form: str
):
    started = time.monotonic()
    (told,) = problems([form.format(server=server, kind=kind)], tmp_path)
    assert told is not None
    assert words in told
    assert "127.0.0.1" not in told
    assert time.monotonic() - started < 5


def test_a_file_of_the_web_is_fetched_between_two_that_do_not_come(server: str, tmp_path: Path):
    (tmp_path / "good").write_bytes(GOOD)
    bad, good = f"{server}/silent/a.png", f"{server}/good/a.png"
    assert [told is None for told in problems([bad, good, bad], tmp_path)] == [False, True, False]
    assert read_rows(ArchiveLayout(tmp_path).contents(0))[1]["sha256"] == sha256_of_file(tmp_path / "good")


def test_a_name_with_a_colon_is_a_file_and_a_broken_address_the_problem_of_its_row(tmp_path: Path):
    (tmp_path / "left:1.png").write_bytes(GOOD)
    found, broken, of_web = problems(["left:1.png", "http://[planted/a.png", "dicomweb+http://[planted/x"], tmp_path)
    assert found is None
    assert broken == of_web == "this is no address that can be read; correct the manifest"


def test_an_instance_from_dicomweb_is_the_file_that_the_server_holds(
    server: str, instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bustle.archive.arrival.MOST_SECONDS", 60.0)
    monkeypatch.setattr("bustle.archive.arrival.MOST_SILENT_SECONDS", 60.0)
    address = f"dicomweb+{server}/wado/{INSTANCE}"
    manifest, out = tmp_path / "manifest.csv", tmp_path / "out"
    manifest.write_text("\n".join(["image", address, f"{address}.5", str(instance)]))
    package = write_package(tmp_path / "hand.bustle")
    summary = predict_archive(lambda: Predictor.open(package, device="cpu"), manifest, out, engine=LocalEngine())
    assert (summary.contents, summary.copies, summary.unread, summary.failed) == (1, 1, 1, 0)
    first, missing, on_disk = read_rows(ArchiveLayout(out).contents(0))
    assert first["sha256"] == on_disk["sha256"] == sha256_of_file(instance)
    assert missing["problem"] == "the server answers 404; check the address and the account"
    (answer,) = read_rows(ArchiveLayout(out).answers(0))
    assert (answer["unit"], answer["row_spacing_mm"]) == ("mm", 0.08)
