"""Programs that ask a served page: the one in its documentation, an upload cut off by the network, and a training."""

from __future__ import annotations

import http.client
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from benchmarks._served import Served, started
from tests.test_docs import SERVED_PAGE, python_blocks

from bustle.cli.main import main
from bustle.client import PageClient
from bustle.webapp.demo_cases import PICTURES


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = started(tmp_path_factory.mktemp("served") / "data")
    yield server
    assert "Traceback" not in server.stop()


def test_the_program_of_the_documentation_runs(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("scan.png").write_bytes((PICTURES / "case043.png").read_bytes())
    with zipfile.ZipFile("study.zip", "w") as archive:
        archive.write(PICTURES / "case213.png", "case213.png")
    (program,) = python_blocks(SERVED_PAGE)
    known: dict[str, Any] = {}
    exec(program.replace("http://127.0.0.1:8765/?token=…", served.address), known)
    assert Path("report.pdf").read_bytes().startswith(b"%PDF")
    assert known["page"].case(known["case"].id).status == "signed"


def test_a_connection_that_is_lost_in_the_middle_of_a_file_loses_nothing_of_it(served: Served):
    content = (PICTURES / "case227.png").read_bytes()
    site, _, token = served.address.partition("/?token=")
    drop = served.ask("POST", "/drops", b"")["id"]
    upload = served.ask("POST", f"/drops/{drop}/uploads", {"name": "scan.png", "size": len(content)})["id"]
    connection = http.client.HTTPConnection(urlsplit(site).netloc)
    connection.putrequest("PATCH", f"/api/drops/{drop}/uploads/{upload}")
    for name, value in (
        ("Authorization", f"Bearer {token}"),
        ("Upload-Offset", "0"),
        ("Content-Length", len(content)),
    ):
        connection.putheader(name, str(value))
    connection.endheaders(content[:10_000])
    while served.ask("GET", f"/drops/{drop}/uploads/{upload}")["sent"] == 0:
        pass
    connection.close()
    PageClient(served.address)._send_parts(f"/drops/{drop}/uploads/{upload}", io.BytesIO(content))
    served.ask("POST", f"/drops/{drop}/read", b"")
    assert served.wait_for(drop, cases=1)["files"][0]["problem"] is None


def test_corrected_cases_train_a_network(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site, _, token = served.address.partition("/?token=")
    page = PageClient(site, token=token)
    drop = page.read(sorted(PICTURES.glob("*.png")))
    square = ((50.0, 60.0), (150.0, 60.0), (150.0, 160.0), (50.0, 160.0))
    for number, case in enumerate(page.cases(drop=drop.id)):
        detail = page.save_reading(
            page.case(case.id), verdict="corrected", outlines=[square], birads="2" if number % 2 else "5"
        )
        page.sign(detail, reader="Dr. Anna Example")
    monkeypatch.setenv("BUSTLE_TOKEN", token)
    recipe = Path(__file__).parents[1] / "training" / "tiny.yaml"
    words = ["train", str(recipe), "--data", f"app:{site}", "--holdout", "0.4", "--set", "training.epochs=1"]
    assert main([*words, "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").is_file()
