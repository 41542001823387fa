"""`bustle serve` says what is wrong in one line before anything is opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bustle.cli.main import main
from bustle.webapp.public_url import public_url
from bustle.webapp.serve import name_in_address


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--port={port}"])
    assert ended.value.code == 2
    assert "is no port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://Scans.Example.org/", "https://scans.example.org"),
        ("https://scans.example.org:443", "https://scans.example.org"),
        ("http://[::1]:8443", "http://[::1]:8443"),
    ],
)
def test_a_public_address_is_the_origin_that_browsers_send(given: str, origin: str):
    assert public_url(given) == origin


@pytest.mark.parametrize(
    "given", ["scans.example.org", "https://", "https://a/b", "https://a?b", "https://me@a", "https://a:x", "ftp://a"]
)
def test_what_is_no_public_address_is_refused(given: str, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--public-url", given]) == 2
    assert "is no address of a page" in capsys.readouterr().err


def test_a_port_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["serve", "--data-dir", str(tmp_path / "data"), "--port", str(port)]) == 2
    assert "give another --port" in capsys.readouterr().err


def test_a_file_in_the_way_of_the_data_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "data").write_text("somebody's")
    assert main(["serve", "--data-dir", str(tmp_path / "data"), "--port", "0"]) == 2
    assert str(tmp_path / "data") in capsys.readouterr().err


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["serve", "--model", str(tmp_path / "model"), "--data-dir", str(tmp_path / "data"), "--port", "0"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "does not exist" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("host", "named"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", None), ("::", None)],
)
def test_the_printed_address_names_where_the_server_listens(host: str, named: str | None):
    assert name_in_address(host) == (named or socket.gethostname())
