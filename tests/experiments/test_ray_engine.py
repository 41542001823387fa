"""What the Ray engine does without a cluster: what it says of failures, versions and shares of GPUs."""

from __future__ import annotations

import pickle
import re
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import exceptions
from torch import OutOfMemoryError

from bustle.core.errors import InputError
from bustle.experiments.engines.engine import Shown
from bustle.experiments.engines.ray_engine import THREADS_END_WITHIN, RayEngine, share_of_gpu
from bustle.experiments.engines.ray_errors import not_started, told
from bustle.experiments.engines.ray_worker import Worker, WorkerGiven
from bustle.experiments.engines.same_versions import SOURCE, check_versions, own_versions


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (exceptions.ObjectStoreFullError(), "--object-store-memory"),
        (exceptions.OutOfDiskError("0a1b", b"", ""), "free some space"),
        (exceptions.OutOfMemoryError("Task was killed\ndue to the node running low on memory."), "fewer --workers"),
        (OutOfMemoryError("CUDA out of memory."), "fewer --workers"),
        (MemoryError(), "fewer --workers"),
        (exceptions.ActorDiedError(), "`ray status`"),
        (exceptions.NodeDiedError("The node is dead."), "`ray status`"),
        (exceptions.GetTimeoutError("Timed out while starting actors."), "`ray status`"),
    ],
)
def test_what_a_cluster_lacks_is_one_line_with_a_remedy(error: Exception, remedy: str):
    found = told(error)
    assert isinstance(found, InputError)
    assert remedy in found.remedy
    assert found.remedy.endswith("--resume")
    assert "\n" not in str(found)


def test_a_mistake_of_bustle_stays_one():
    error = KeyError("lesion")
    assert told(error) is error


@pytest.mark.parametrize(
    ("error", "address", "remedy"),
    [
        (Exception("The current node timed out during startup."), None, "leave out --engine ray"),
        (ConnectionError("refused"), "head:6379", "leave out --address"),
        (exceptions.AuthenticationError("Token is missing"), "head:6379", "RAY_AUTH_MODE=token"),
    ],
)
def test_a_cluster_that_cannot_be_had_is_told(error: Exception, address: str | None, remedy: str):
    found = not_started(error, address=address)
    assert (address or "this machine") in found.problem
    assert remedy in found.remedy


def test_a_ray_that_does_not_start_is_no_mistake_of_bustle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def init(**given: Any) -> None:
        raise Exception("The current node timed out during startup. This could happen")  # as Ray does

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(InputError, match="timed out during startup"), RayEngine(out=tmp_path):
        pass


def fail(task: Exception) -> None:
    raise task


def given(work: Callable[[Any], Any], out: Path, **versions: str) -> WorkerGiven:
    return WorkerGiven(work=pickle.dumps(work), out=out, versions=own_versions() | versions, folder=str(out))


def failure(worker: Worker, task: Any) -> Any:
    row = worker({"task": [pickle.dumps(task)]})
    assert row["result"] == [b""]
    return pickle.loads(row["failed"][0])


def test_a_process_returns_what_its_tasks_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    row = Worker(given(len, tmp_path))({"task": [pickle.dumps("one"), pickle.dumps("more")]})
    assert row == {"failed": [b"", b""], "result": [pickle.dumps(3), pickle.dumps(4)]}


def test_what_fails_in_a_process_is_told_with_its_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    worker = Worker(given(fail, tmp_path))
    found = failure(worker, InputError("no space left", remedy="free some", path="out/part"))
    assert str(found) == "out/part: no space left; free some"
    mistake = failure(worker, KeyError("lesion"))
    assert isinstance(mistake, KeyError)
    assert "in fail" in mistake.__notes__[0]  # where it was, for --debug


def test_a_process_on_another_source_or_package_does_nothing(tmp_path: Path):
    of_command = given(len, tmp_path, **{"onnxruntime": "0.0.1", SOURCE: "another"})
    found = str(failure(Worker(of_command), ""))
    assert re.search(r"has onnxruntime \S+ instead of 0.0.1, source of bustle [0-9a-f]{12} instead of another", found)


def test_a_process_that_does_not_see_the_output_does_nothing(tmp_path: Path):
    found = failure(Worker(given(len, tmp_path / "elsewhere")), "")
    assert isinstance(found, InputError)
    assert "not all machines of the cluster see this folder" in found.problem
    assert found.path == tmp_path / "elsewhere"


def test_versions_that_differ_are_named_with_their_machine():
    own = {"python": "3.12.1", "torch": "2.11.0", "openvino": "2026.0"}
    check_versions(own, own=own, machine="a")
    with pytest.raises(InputError) as raised:
        check_versions({"python": "3.12.1", "torch": "2.10.0", "timm": "1.0"}, own=own, machine="gpu-2")
    assert raised.value.problem == (
        "the machine gpu-2 of the cluster has torch 2.10.0 instead of 2.11.0, openvino none instead of 2026.0, "
        "timm 1.0 instead of none"
    )


def test_builds_of_one_version_are_the_same_and_two_sources_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bustle.experiments.engines.same_versions.versions", lambda: {"torch": "2.11.0+cpu"})
    monkeypatch.setattr("bustle.__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "a.py").write_text("a = 1\n")
    first = own_versions()
    assert first["torch"] == "2.11.0"
    assert own_versions() == first
    (tmp_path / "a.py").write_text("a = 2\n")
    assert own_versions()[SOURCE] != first[SOURCE]


@pytest.mark.parametrize(("workers", "gpus", "share"), [(2, 1, 0.5), (3, 2, 0.5), (2, 2, 1), (1, 4, 1), (4, 0, 0)])
def test_more_workers_than_gpus_share_them(workers: int, gpus: int, share: float):
    assert share_of_gpu(workers, gpus=gpus) == share


def test_all_workers_find_room_as_ray_counts():
    for workers in range(1, 65):
        for gpus in range(1, 9):
            taken = round(10_000 * share_of_gpu(workers, gpus=gpus))  # of each GPU, in Ray's ten-thousandths
            assert gpus * (10_000 // taken) >= workers


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (InputError("no space left", remedy="free some"), "no space left"),
        (MemoryError(), "does not fit"),
        (None, "object store"),
    ],
)
def test_a_run_ends_with_what_failed(
    row: Exception | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def rows(*given: Any) -> Generator[tuple[bytes, bytes]]:
        yield b"", pickle.dumps("first")
        if row is None:
            raise exceptions.ObjectStoreFullError
        yield pickle.dumps(row), b""

    monkeypatch.setattr(RayEngine, "_rows", rows)
    came: list[str] = []
    with pytest.raises(InputError, match=problem):
        RayEngine(out=tmp_path).run(str, [], shown=Shown("answer", "part", 2), each=came.append)
    assert came == ["first"]


def test_a_run_that_fails_waits_for_the_threads_of_its_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that still reads a row when the connection is closed would end the process."""
    read: list[str] = []

    def read_slowly() -> None:
        time.sleep(0.3)
        read.append("the next row")

    def rows(*given: Any) -> Generator[tuple[bytes, bytes]]:
        threading.Thread(target=read_slowly).start()
        threading.Thread(target=threading.Event().wait, name="Prefetcher", daemon=True).start()  # for ever
        yield pickle.dumps(InputError("no space left", remedy="free some")), b""

    monkeypatch.setattr(RayEngine, "_rows", rows)
    started = time.monotonic()
    with pytest.raises(InputError, match="no space left"):
        RayEngine(out=tmp_path).run(str, [], shown=Shown("answer", "part", 1))
    assert read == ["the next row"]
    assert time.monotonic() - started < THREADS_END_WITHIN / 2, "it waited for what never ends"
