from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Finding
from bustle.data import sources
from bustle.data.sources import DataSpec, ReaderDescription, open_sources, parse_spec, reader_ids

EXPECTED = {"busi", "udiat", "bus-bra", "breast", "bus-uclm", "folder", "manifest", "coco", "phantom"}


def test_reader_ids_come_from_the_folder():
    assert set(reader_ids()) >= EXPECTED


def test_every_reader_is_documented():
    for reader in reader_ids():
        description = sources.reader_module(reader).DESCRIPTION
        for text in (description.title, description.layout, description.licence, description.obtain):
            assert text.strip(), f"{reader} lacks a description"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("busi:data/BUSI", DataSpec("busi", Path("data/BUSI"), "busi", {})),
        ("folder:a b/c?name=site-2", DataSpec("folder", Path("a b/c"), "site-2", {})),
        ("phantom:?cases=8&seed=0", DataSpec("phantom", None, "phantom", {"cases": "8", "seed": "0"})),
        ("bus-bra:x?folds=official&name=b", DataSpec("bus-bra", Path("x"), "b", {"folds": "official"})),
        ("folder:C:/data", DataSpec("folder", Path("C:/data"), "folder", {})),
        ("folder:x?odd=", DataSpec("folder", Path("x"), "folder", {"odd": ""})),
    ],
)
def test_parsing(text: str, spec: DataSpec):
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a data spec; write READER:PATH, with one of: "),
        ("data/BUSI", "is not a data spec"),
        (":data", "is not a data spec"),
        ("bussi:data", "unknown reader 'bussi'; did you mean busi"),
        ("folder:x?name=", "'' cannot name a source"),
        ("folder:x?name=..", r"'\.\.' cannot name a source"),
        ("folder:x?name=a/b", "'a/b' cannot name a source"),
    ],
)
def test_malformed_specs(text: str, said: str):
    with pytest.raises(InputError, match=said):
        parse_spec(text)


def never_loaded() -> None:
    raise AssertionError("listing cases must not decode them")


@pytest.fixture
def two_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers `one` and `two`, each with a case named after the source and a finding."""

    def read(path: Path | None, *, name: str, options: dict[str, str]) -> Collection:
        stem = options.get("stem", "a")
        case = Case(case_id=f"{name}/{stem}", source=name, load=never_loaded)  # type: ignore[arg-type]
        return Collection((case,), (Finding("note", (case.case_id,), f"read from {path}"),))

    description = ReaderDescription("t", "l", "c", "c", "o", options={"stem": "the file's stem"})
    monkeypatch.setattr(sources, "reader_ids", lambda: ["one", "two"])
    monkeypatch.setattr(sources, "reader_module", lambda reader: SimpleNamespace(DESCRIPTION=description, read=read))


@pytest.mark.usefixtures("two_readers")
def test_sources_are_joined_in_the_given_order(tmp_path: Path):
    collection = open_sources(["two:?stem=z", f"one:{tmp_path}"])
    assert [case.case_id for case in collection.cases] == ["two/z", "one/a"]
    assert [finding.message for finding in collection.findings] == ["read from None", f"read from {tmp_path}"]


@pytest.mark.usefixtures("two_readers")
def test_a_case_id_must_be_unique_over_all_sources():
    with pytest.raises(InputError, match=r"case id 'one/a' occurs in 'one:' and in 'one:\?stem=a'"):
        open_sources(["one:", "one:?stem=a"])
    assert len(open_sources(["one:", "one:?stem=a&name=second"]).cases) == 2


@pytest.mark.usefixtures("two_readers")
def test_unknown_options_and_missing_paths(tmp_path: Path):
    with pytest.raises(InputError, match="unknown option of one 'stm'; did you mean stem"):
        open_sources(["one:?stm=b"])
    with pytest.raises(InputError, match="does not exist") as caught:
        open_sources([f"one:{tmp_path / 'absent'}"])
    assert caught.value.path == tmp_path / "absent"


@pytest.mark.parametrize(
    ("text", "path", "options"),
    [
        ("folder:what?", "what?", {}),
        ("folder:what??masks=x", "what?", {"masks": "x"}),
        ("folder:a?b?masks=x", "a?b", {"masks": "x"}),
        ("folder:plain?masks=x", "plain", {"masks": "x"}),
        ("folder:absent?masks=x?", "absent", {"masks": "x?"}),
        ("folder:~/mine?masks=x", "home/mine", {"masks": "x"}),
        ("folder:~/what?", "home/what?", {}),
        ("folder:~nobody-at-all/x", "~nobody-at-all/x", {}),
    ],
)
def test_a_path_that_exists_is_a_path_and_a_tilde_the_home_folder(
    text: str, path: str, options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for folder in ("what?", "a?b", "plain", "home/what?"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    spec = parse_spec(text)
    assert spec.path is not None
    assert tmp_path / spec.path == tmp_path / path
    assert spec.options == options


@pytest.mark.parametrize("text", [r"C:\Users\me\busi", "d:/data", "c:", "my:set"])
def test_a_path_without_a_reader_is_told_so(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my:set").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is a path without a reader; write READER:") as caught:
        parse_spec(text)
    assert "unknown reader" not in str(caught.value)
