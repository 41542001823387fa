"""One server for all tests of this folder, with two cases read by the shipped model.

They are an example picture, and the same pixels as a DICOM file; only `test_reading` and `test_drops` change them.
The page keeps its rows in a file, or in the PostgreSQL database whose URL the variable BUSTLE_TEST_DATABASE holds,
which is emptied.
"""

from __future__ import annotations

import io
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient
from tests.io.dicom.made_files import data_set, region, written

from bustle.client import PageClient
from bustle.inference.shipped import default_model
from bustle.io.raster import read_image
from bustle.webapp import passwords
from bustle.webapp.access import Access
from bustle.webapp.accounts import add_account, make_token, named_account
from bustle.webapp.app import make_app, open_server
from bustle.webapp.database import connected
from bustle.webapp.demo_cases import PICTURES
from bustle.webapp.roles import Role
from bustle.webapp.server import PageSettings, Server

PICTURE = PICTURES / "case227.png"
HOST = "http://127.0.0.1:8765"
LONGEST_WAIT = 60.0
"""Seconds: a machine may be busy."""


@dataclass(frozen=True)
class Page:
    """The server as a program sees it that has the token."""

    client: TestClient
    app: FastAPI
    folder: Path

    @property
    def server(self) -> Server:
        """What its routes share."""
        return self.app.state.server

    @property
    def place(self) -> list[str]:
        """Where it is, as commands are told."""
        database = self.server.settings.database
        return ["--data-dir", str(self.folder), *([] if database is None else ["--database", database])]

    def served_by(self, server: Server) -> Page:
        """The same with another server of the same folder."""
        app = make_app(server, self.app.state.access)
        return Page(TestClient(app, base_url=HOST, headers=self.client.headers), app, self.folder)

    def program_of(self, name: str, role: Role) -> TestClient:
        """The server as a program sees it that has a token of an account, which is made."""
        with self.server.sessions.begin() as session:
            add_account(session, name, full_name=f"Dr. {name}", role=role, by="owner")
            account = named_account(session, name)
            account.is_first_password = False
            _, secret = make_token(session, account, title="a test's", days=1)
        return self.program(secret)

    def program(self, secret: str) -> TestClient:
        """The server as a program sees it that shows this token."""
        return TestClient(self.app, base_url=HOST, headers={"Authorization": f"Bearer {secret}"})

    def browser(self) -> TestClient:
        """The server as a browser sees it in which nobody is signed in."""
        return TestClient(self.app, base_url=HOST, follow_redirects=False)

    def send(self, files: dict[str, bytes]) -> str:
        """Send files, and do not ask for their reading; the drop's id."""
        drop = self.client.post("/api/drops").json()["id"]
        for name, content in files.items():
            sent = self.client.post(f"/api/drops/{drop}/files", content=content, headers={"X-Filename": quote(name)})
            assert sent.status_code == 201, sent.text
        return drop

    def drop(self, files: dict[str, bytes]) -> dict[str, Any]:
        """Send files and wait until they are read."""
        drop = self.send(files)
        assert self.client.post(f"/api/drops/{drop}/read").status_code == 202
        return self.wait(drop)

    def wait(self, drop: str) -> dict[str, Any]:
        """Until a drop is read."""
        end = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end:
            told = self.client.get(f"/api/drops/{drop}").json()
            if told["state"] in ("done", "failed"):
                return told
            time.sleep(0.02)
        raise TimeoutError(f"the drop is still {told['state']}")

    def cases(self, name: str = "") -> list[dict[str, Any]]:
        """The worklist's rows of what was dropped under a name."""
        return [case for case in self.client.get("/api/cases").json() if case["name"].startswith(name)]

    def case(self, name: str) -> dict[str, Any]:
        (row,) = self.cases(name)
        return self.client.get(f"/api/cases/{row['id']}").json()


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(4, 8, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "data"


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pseudonyms are the same in the fixtures of a module and in its tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BUSTLE_CACHE", str(tmp_path_factory.getbasetemp() / "bustle-cache"))
        yield


@pytest.fixture(scope="module")
def database() -> str | None:
    """Of `bustle serve --database`."""
    url = os.environ.get("BUSTLE_TEST_DATABASE")
    if url is not None:
        engine = connected(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE; DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    return url


@pytest.fixture(scope="module")
def volume_model() -> Path | None:
    """Of `bustle serve --volume-model`."""
    return None


@pytest.fixture(scope="module")
def page(
    folder: Path, database: str | None, volume_model: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    access = Access()
    pixels = read_image(PICTURE)[0]
    height, width = pixels.shape
    made = data_set(pixels, regions=[region((0, 0, height - 1, width - 1))])
    dicom = written(tmp_path_factory.mktemp("dicom"), made)
    headers = {"Authorization": f"Bearer {access.token}"}
    settings = PageSettings(
        data=folder, model=default_model(), volume_model=volume_model, database=database, poll=0.02
    )
    with open_server(settings) as server:
        app = make_app(server, access)
        client = TestClient(app, base_url=HOST, headers=headers)
        page = Page(client, app, folder)
        told = page.drop({"DOE^JANE.png": PICTURE.read_bytes(), "image.dcm": dicom.read_bytes()})
        assert told["state"] == "done", told
        yield page
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def program(page: Page) -> Iterator[PageClient]:
    """The client of programs, whose requests the application of the tests answers."""

    def opened(request: urllib.request.Request, timeout: float) -> Any:
        where = request.full_url.removeprefix(HOST)
        content: Any = request.data
        told = page.client.request(request.get_method(), where, content=content, headers=dict(request.header_items()))
        if told.status_code >= 400:
            raise urllib.error.HTTPError(where, told.status_code, "", Message(), io.BytesIO(told.content))
        return io.BytesIO(told.content)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(urllib.request, "urlopen", opened)
        patched.setenv("BUSTLE_TOKEN", page.client.headers["Authorization"].removeprefix("Bearer "))
        yield PageClient(HOST)
