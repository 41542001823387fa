from __future__ import annotations

import os
from pathlib import Path

import pytest

from bustle.core.cache_folder import cache_directory, give_libraries_their_caches
from bustle.core.errors import InputError

VARIABLES = ("BUSTLE_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home folder, as a container's user id that no password file knows."""

    def no_home(path: str = "") -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (*VARIABLES, "HOME"):
        monkeypatch.setenv(name, "")  # so that what is set in a test is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"BUSTLE_CACHE": "/own", "XDG_CACHE_HOME": "/shared"}, "/own"),
        ({"BUSTLE_CACHE": "", "XDG_CACHE_HOME": "/shared"}, "/shared/bustle"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/somebody/.cache/bustle"),
        ({}, "/home/somebody/.cache/bustle"),
    ],
)
def test_where_the_cache_is(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("BUSTLE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/somebody"} | variables).items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)


@pytest.mark.usefixtures("nobody")
def test_without_a_home_folder_the_error_names_the_variable():
    with pytest.raises(InputError, match=r"no home folder.*BUSTLE_CACHE=FOLDER"):
        cache_directory()


def test_a_tilde_in_the_variable_is_the_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/of/me")
    monkeypatch.setenv("BUSTLE_CACHE", "~/fast")
    assert cache_directory() == Path("/home/of/me/fast")


@pytest.mark.usefixtures("nobody")
def test_libraries_without_a_home_folder_keep_their_files_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    give_libraries_their_caches()
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "cache" / "matplotlib")


@pytest.mark.usefixtures("nobody")
def test_libraries_without_any_folder_have_one_for_this_run():
    give_libraries_their_caches()
    assert os.access(os.environ["MPLCONFIGDIR"], os.W_OK)


@pytest.mark.parametrize("home", ["a file", "read only"])
def test_libraries_whose_home_folder_cannot_be_written_keep_their_files_in_the_cache(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    if home == "a file":
        (tmp_path / "home").touch()
    else:
        (tmp_path / "home").mkdir()
        monkeypatch.setattr(
            os, "access", lambda path, mode: Path(path) != tmp_path / "home"
        )  # root may write anywhere
    give_libraries_their_caches()
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "cache" / "matplotlib")


def test_libraries_that_can_write_in_the_home_folder_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    give_libraries_their_caches()
    assert os.environ == before
