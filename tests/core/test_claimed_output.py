"""One writer for each output: locks, what an earlier call left, inputs in the way, leftovers of a kill."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from bustle.core import file_lock
from bustle.core.claimed_output import OutputKind, claim_file, claim_folder, refuse_inputs
from bustle.core.errors import InputError
from bustle.core.own_names import LOCK, OwnNames

KIND = OutputKind(
    "score",
    "a score",
    OwnNames(
        files=("table.csv", "table_*.csv", "score.json"),
        folders={"cases": OwnNames(folders={"*": OwnNames(("mask.png", "record.json"), signed_by=("record.json",))})},
        signed_by=("score.json",),
    ),
)
HOLDER = """
import sys
from pathlib import Path
from bustle.core.claimed_output import OutputKind, claim_folder
from bustle.core.own_names import OwnNames
with claim_folder(Path(sys.argv[1]), OutputKind("score", "a score", OwnNames(("table.csv",)))) as claim:
    claim.begin(clear=True)
    (claim.path / "table.csv").write_text("half")
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refusal(claim: AbstractContextManager[object]) -> str:
    """The line that refuses a claim."""
    with pytest.raises(InputError) as caught, claim:
        pass
    return str(caught.value)


def interrupted(folder: Path, **written: str) -> None:
    """A call of the command that ends in an error after it has written some files."""
    with claim_folder(folder, KIND) as claim:
        claim.begin(clear=True)
        for name, text in written.items():
            (folder / name).write_text(text)
        raise RuntimeError("full disk")


def write_scores(folder: Path, **extra: str) -> None:
    files = {"table.csv": "1", "table_other.csv": "2", "score.json": "3", "cases/a/mask.png": "", **extra}
    for name, text in {**files, "cases/a/record.json": ""}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_folder_of_a_living_process_is_refused_and_that_of_a_killed_one_is_free(tmp_path: Path):
    out = tmp_path / "out"
    with held_by_another_process(out) as process:
        with (
            pytest.raises(InputError, match="another bustle command is writing there") as caught,
            claim_folder(out, KIND),
        ):
            pass
        assert caught.value.path == out
        process.kill()
        process.wait()
        assert names(out) == [LOCK, "table.csv"]
        with claim_folder(out, KIND) as claim:
            claim.refuse_foreign()  # unsigned, but the lock file says whose it is
            claim.begin(clear=True)
    assert names(out) == []


def test_two_claims_in_one_process_exclude_each_other_too(tmp_path: Path):
    with claim_folder(tmp_path, KIND), pytest.raises(InputError, match="is writing"), claim_folder(tmp_path, KIND):
        pass
    with (
        claim_file(tmp_path / "a.json"),
        pytest.raises(InputError, match="is writing"),
        claim_file(tmp_path / "a.json"),
    ):
        pass
    with claim_folder(tmp_path, KIND), claim_file(tmp_path / "a.json"):
        pass
    assert names(tmp_path) == []


def test_a_claim_without_work_leaves_nothing_and_changes_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError), claim_folder(tmp_path / "new" / "out", KIND):
        raise RuntimeError("wrong input")
    assert names(tmp_path) == []
    write_scores(tmp_path)
    before = names(tmp_path)
    with pytest.raises(RuntimeError), claim_folder(tmp_path, KIND):
        raise RuntimeError("wrong input")
    assert names(tmp_path) == before


def test_what_an_earlier_call_left_is_removed_and_nothing_else(tmp_path: Path):
    write_scores(tmp_path)
    with claim_folder(tmp_path, KIND) as claim:
        claim.refuse_foreign()
        claim.begin(clear=True, keep=[tmp_path / "cases" / "a"])
        assert names(tmp_path) == [LOCK, "cases", "cases/a", "cases/a/mask.png", "cases/a/record.json"]
        claim.begin(clear=True)
        assert names(tmp_path) == [LOCK]


@pytest.mark.parametrize("foreign", ["notes.txt", "cases/notes.txt", "cases/a/notes.txt", "cases/b/mask.png"])
def test_foreign_content_is_refused_and_named(tmp_path: Path, foreign: str):
    write_scores(tmp_path, **{foreign: "mine"})
    with claim_folder(tmp_path, KIND) as claim, pytest.raises(InputError, match=f"holds {foreign}, which is not of"):
        claim.refuse_foreign()
    assert (tmp_path / foreign).read_text() == "mine"


def test_names_that_anybody_could_use_need_the_signature(tmp_path: Path):
    (tmp_path / "table.csv").write_text("my own table")
    with claim_folder(tmp_path, KIND) as claim, pytest.raises(InputError, match=r"holds table\.csv"):
        claim.refuse_foreign()
    assert names(tmp_path) == ["table.csv"]


def test_links_to_other_folders_are_neither_followed_nor_taken_for_own(tmp_path: Path):
    write_scores(tmp_path / "out")
    (tmp_path / "precious" / "a").mkdir(parents=True)
    (tmp_path / "precious" / "a" / "record.json").write_text("mine")
    (tmp_path / "out" / "cases" / "linked").symlink_to(tmp_path / "precious" / "a")
    with claim_folder(tmp_path / "out", KIND) as claim:
        with pytest.raises(InputError, match="holds cases/linked"):
            claim.refuse_foreign()
        claim.begin(clear=True)
    assert (tmp_path / "precious" / "a" / "record.json").read_text() == "mine"


def test_a_folder_that_another_command_began_is_refused(tmp_path: Path):
    with pytest.raises(RuntimeError):
        interrupted(tmp_path, **{"table.csv": "half"})
    other = OutputKind("compare", "a comparison", OwnNames(("table.csv",)))
    with claim_folder(tmp_path, other) as claim, pytest.raises(InputError, match="what `bustle score` has begun"):
        claim.refuse_foreign()
    with claim_folder(tmp_path, KIND) as claim:
        claim.refuse_foreign()


def test_the_systems_own_files_count_for_nothing(tmp_path: Path):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_text("")
    (tmp_path / "lost+found").mkdir()
    with claim_folder(tmp_path, KIND) as claim:
        assert claim.is_empty
        claim.refuse_foreign()
        claim.begin(clear=True)
    assert len(names(tmp_path)) == 4


def test_temporaries_of_killed_writers_are_swept_and_other_hidden_files_stay(tmp_path: Path):
    left = [".last.ckpt.x8fj_2ka.ckpt", ".mask.nrrd.abcdefgh.nrrd", ".prediction.json.01234567.json"]
    left += [".scan.nii.gz.abcd1234.nii.gz", ".plain.abcd_123", f".{'n' * 40}.abcd1234.json"]
    stay = [".gitignore", ".config.json", ".notes.20250101.txt", ".mask.png.ABCDEFGH.png", ".mask.png.abc.png"]
    for name in (*left, *stay):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / name).write_text("")
    with claim_folder(tmp_path, KIND) as claim:
        assert not claim.is_empty
    assert sorted(names(tmp_path / "deep")) == sorted(stay)


def test_temporaries_of_a_file_are_swept_beside_it(tmp_path: Path):
    for name in (".splits.json.abcd1234.json", ".other.json.abcd1234.json"):
        (tmp_path / name).write_text("")
    (tmp_path / ".model.bustle.abcd1234.bustle" / "package").mkdir(parents=True)
    for name in ("splits.json", "model.bustle"):
        with claim_file(tmp_path / name):
            pass
    assert names(tmp_path) == [".other.json.abcd1234.json"]


def test_a_file_is_replaced_only_where_it_is_known(tmp_path: Path):
    path = tmp_path / "deep" / "splits.json"
    with claim_file(path, is_own=lambda _: False, noun="a split"):
        path.write_text("own")
    foreign = claim_file(path, is_own=lambda _: False, noun="a split")
    assert "splits.json: is not a split, which would be replaced" in refusal(foreign)
    with claim_file(path, is_own=lambda known: known.read_text() == "own", noun="a split"):
        pass
    assert names(tmp_path) == ["deep", "deep/splits.json"]


def test_inputs_in_the_folder_are_refused_through_links_too(tmp_path: Path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    for folder in (out / "a", elsewhere):
        folder.mkdir(parents=True)
    (out / "a" / "mask.png").write_text("")
    (elsewhere / "scan.png").write_text("")
    (elsewhere / "link.png").symlink_to(out / "a" / "mask.png")
    (tmp_path / "other-name").symlink_to(out)
    (out / "a" / "link.png").symlink_to(elsewhere / "scan.png")
    inside = [out / "a" / "mask.png", elsewhere / "link.png", tmp_path / "other-name" / "a" / "mask.png", out]
    for path in (*inside, out / "a" / "link.png", tmp_path / "other-name"):
        with pytest.raises(InputError, match="lies in the folder"):
            refuse_inputs(out, [elsewhere / "scan.png", path])
        with pytest.raises(InputError, match="lies in the folder"):
            refuse_inputs(tmp_path / "other-name", [path])
    refuse_inputs(out, [elsewhere / "scan.png", elsewhere, tmp_path])
    refuse_inputs(tmp_path / "absent", [elsewhere / "scan.png"])


def test_a_file_system_without_locks_is_told_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def no_locks(_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock, "_lock", no_locks)
    with claim_folder(tmp_path / "out", KIND) as claim:
        claim.begin(clear=True)
        (claim.path / "score.json").write_text("")
    assert names(tmp_path / "out") == ["score.json"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("out: this file system has no locks; let no other command write there")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_file_system_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(file_lock.os, "open", fails)
    line = refusal(claim_folder(tmp_path / "out", KIND))
    assert line == f"{tmp_path / 'out'}: cannot be written; choose a folder that you may write to"
    assert not (tmp_path / "out").exists()


def test_a_file_that_its_holder_removed_meanwhile_is_locked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, lock = tmp_path / LOCK, file_lock._lock
    holder = file_lock.FileLock(path)
    assert holder.take() == "taken"
    seen: list[int] = []

    def lock_after_the_holder_has_gone(descriptor: int) -> None:
        if not seen:
            holder.release(remove=True)
        seen.append(descriptor)
        lock(descriptor)

    monkeypatch.setattr(file_lock, "_lock", lock_after_the_holder_has_gone)
    second = file_lock.FileLock(path)
    assert second.take() == "taken"
    assert len(seen) == 2
    assert path.exists()
    second.release(remove=True)
