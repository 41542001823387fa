"""Files from an address: what is too large, too slow or never ends is told, one row each, and holds nothing up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import pytest
from tests.conftest import network_uses

from bustle.archive.contents import ContentsOfPart
from bustle.archive.layout import ArchiveLayout
from bustle.archive.listed import ListedPart
from bustle.archive.tables import read_rows
from bustle.core.files import sha256_of_file

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
def server() -> Iterator[str]:
    """It answers each address in its own way, until the tests are over."""
    for slow in ("aiohttp", "dicomweb_client"):  # to import, for the limits of these tests
        import_module(slow)
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = self.path.split("/")[1]
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
