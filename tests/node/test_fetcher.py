"""What is fetched from a server that is asked, and what is left there."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from tests.io.dicom.made_ultrasound import SERIES, STUDY, ultrasound

from bustle.jobs.stage import PostponedError
from bustle.node import fetcher
from bustle.node.fetcher import Fetcher
from bustle.node.incoming import Incoming
from bustle.node.settings import Limits, WebSource

SOURCE = WebSource(url="http://pacs/dicom-web")
LIMITS = Limits(instance=1, study=1, free=0)


class Server:
    """In place of a client of a server that gives at most two things at a time."""

    def __init__(self, *images: Dataset):
        self.images = {str(image.SOPInstanceUID): image for image in images}
        self.asked: list[dict[str, str]] = []
        self.retrieved: list[str] = []

    def search_for_studies(self, *, search_filters: dict[str, str], limit: int, offset: int) -> list[dict]:
        self.asked.append(search_filters)
        return [element("0020000D", STUDY)]  # the same for ever, whatever the offset

    def search_for_series(self, study: str, *, search_filters: dict[str, str], limit: int, offset: int) -> list[dict]:
        return [element("0020000E", SERIES)][offset:]

    def search_for_instances(self, study: str, series: str, *, limit: int, offset: int) -> list[dict]:
        return [element("00080018", uid) for uid in self.images][offset : offset + 2]

    def retrieve_instance(self, study: str, series: str, instance: str, *, media_types: Any) -> Dataset:
        self.retrieved.append(instance)
        return self.images[instance]


def element(tag: str, value: str) -> dict[str, Any]:
    return {tag: {"vr": "UI", "Value": [value]}}


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    return Incoming(tmp_path, limits=LIMITS)


def fetch(server: Server, incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    @contextlib.contextmanager
    def client(source: WebSource, *, most: int) -> Iterator[Server]:
        yield server

    came: list[str] = []
    monkeypatch.setattr(fetcher, "web_client", client)
    Fetcher(SOURCE, incoming, limits=LIMITS, on_arrival=came.append).fetch()
    return came


def test_every_image_of_the_last_days_is_fetched_once(
    incoming: Incoming, scan: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    server = Server(*(ultrasound(scan, number=number) for number in (1, 2, 3, 4, 5)))
    assert fetch(server, incoming, monkeypatch) == [STUDY] * 5
    assert incoming.instances(STUDY) == tuple(server.images)
    assert fetch(server, incoming, monkeypatch) == []
    assert server.retrieved == list(server.images)
    asked = server.asked[0]
    assert asked["ModalitiesInStudy"] == "US"
    assert asked["StudyDate"].endswith(f"-{datetime.now():%Y%m%d}")


def test_answers_other_objects_and_what_is_mixed_up_stay_there(
    incoming: Incoming, scan: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    answer = ultrasound(scan, changes={"ManufacturerModelName": "bustle", "ContentQualification": "RESEARCH"})
    report = ultrasound(scan, number=2, changes={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"})
    elsewhere = ultrasound(scan, number=3, changes={"StudyInstanceUID": "1.2.3"})
    assert fetch(Server(answer, report, elsewhere), incoming, monkeypatch) == []
    assert list(incoming.studies()) == []


def test_an_image_that_cannot_be_had_does_not_keep_the_others_from_being_fetched(
    incoming: Incoming, scan: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    server = Server(*(ultrasound(scan, number=number) for number in (1, 2, 3)))
    damaged, *others = server.images
    given = server.retrieve_instance

    def retrieve(study: str, series: str, instance: str, *, media_types: Any) -> Dataset:
        if instance == damaged:
            raise InvalidDicomError
        return given(study, series, instance, media_types=media_types)

    monkeypatch.setattr(server, "retrieve_instance", retrieve)
    assert fetch(server, incoming, monkeypatch) == [STUDY] * 2
    assert incoming.instances(STUDY) == tuple(others)
    assert f"{damaged} was not fetched (InvalidDicomError)" in caplog.text


def test_a_server_that_is_away_is_a_line_of_the_log(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    server = Server()

    def away(**_: Any) -> list[dict]:
        raise PostponedError("http://pacs/dicom-web cannot be reached (ConnectionError)")

    monkeypatch.setattr(server, "search_for_studies", away)
    assert fetch(server, incoming, monkeypatch) == []
    assert "cannot be reached" in caplog.text


class OverTheWeb(BaseHTTPRequestHandler):
    """A server whose answers have no declared length; every object is `size` bytes, compressed to nearly nothing."""

    size = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        if self.path.split("?")[0].endswith(("/studies", "/series", "/instances")):
            tag, uid = {"studies": ("0020000D", STUDY), "series": ("0020000E", SERIES)}.get(
                self.path.split("?")[0].rsplit("/", 1)[1], ("00080018", "1.2.3")
            )
            self.send_header("Content-Type", "application/dicom+json")
            self.end_headers()
            self.wfile.write(json.dumps([element(tag, uid)]).encode())
            return
        self.send_header("Content-Type", "application/dicom")
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(gzip.compress(bytes(self.size)))

    def log_message(self, *_: Any) -> None:
        pass


def test_an_object_that_is_larger_than_allowed_is_cut_off_and_not_asked_for_again(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(OverTheWeb, "size", 1_000_001)
    monkeypatch.setattr(OverTheWeb, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), OverTheWeb) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        source = WebSource(url=f"http://127.0.0.1:{server.server_address[1]}")
        asking = Fetcher(source, incoming, limits=LIMITS, on_arrival=lambda _: None)
        for _ in range(2):
            asking.fetch()
        server.shutdown()
    assert sum(path.endswith("/instances/1.2.3") for path in OverTheWeb.asked) == 1
    assert "1.2.3 was not fetched: it is larger than 1 MB" in caplog.text


def test_a_study_that_grows_too_large_is_not_fetched_to_its_end(
    incoming: Incoming, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    server = Server(*(ultrasound(np.zeros((600, 1000), np.uint8), number=number) for number in (1, 2)))
    first, second = server.images
    assert fetch(server, incoming, monkeypatch) == [STUDY]
    assert incoming.instances(STUDY) == (first,)
    assert f"{second} was not fetched: its study is larger than 1 MB" in caplog.text
