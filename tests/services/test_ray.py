"""A real Ray cluster of two nodes: the same answers as one process, also when a worker or a node dies.

A node with other versions is refused, whenever it joins.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from pyarrow import parquet
from ray.cluster_utils import Cluster
from tests.conftest import network_uses
from tests.inference.hand_made_package import scene, write_package

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.run_layout import RunLayout
from bustle.experiments.engines.engine import Shown
from bustle.experiments.engines.ray_engine import RayEngine
from bustle.experiments.sweep.trials import SweepLayout
from bustle.io.raster import write_png

TINY = Path(__file__).parents[1] / "training" / "tiny.yaml"
IMAGES = 600


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """The nodes speak with each other on this machine alone."""
    seen = len(network_uses)
    yield
    here = ("127.0.0.1", "localhost", *own_addresses())
    assert [use for use in network_uses[seen:] if not any(address in use for address in here)] == []


def own_addresses() -> list[str]:
    return subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that does no work, and two nodes of one processor each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setattr("ray._private.auto_init_hook.enable_auto_connect", False)  # as where the engine imports Ray
        patch.setenv("RAY_USAGE_STATS_REPORT_URL", "http://127.0.0.1:9")  # it reports also that it does not report
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            made.add_node(num_cpus=1)
        made.wait_for_nodes()
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, many images and their manifest."""
    folder = tmp_path_factory.mktemp("archive")
    write_package(folder / "hand.bustle")
    places = []
    for number in range(IMAGES):
        image = scene(64, 80)
        image[0, 0, 0], image[0, 0, 1] = number % 256, number // 256
        places.append(f"{number}.png")
        write_png(folder / places[-1], image)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image",), *((place,) for place in places)])
    return folder


def command(archive: Path, out: Path, *more: str) -> list[str]:
    model = ["--model", str(archive / "hand.bustle")]
    return ["predict", f"manifest:{archive / 'manifest.csv'}", "--out", str(out), *model, *more]


def answers(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {file.name: parquet.ParquetFile(file).read().to_pylist() for file in (out / "answers").glob("*.parquet")}


@pytest.fixture(scope="module")
def expected(archive: Path) -> dict[str, list[dict[str, Any]]]:
    assert main(command(archive, archive / "local")) == 0
    return answers(archive / "local")


def begun(archive: Path, out: Path, *more: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "bustle", *command(archive, out, "--engine", "ray", *more)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=stderr)


def wait_for_parts(out: Path, count: int, *, of: subprocess.Popen[bytes]) -> None:
    while len(list((out / "answers").glob("part-*.parquet"))) < count:
        assert of.poll() is None, "it ended too early"
        time.sleep(0.02)


def test_a_worker_and_then_a_node_die_and_another_joins(
    cluster: Cluster, archive: Path, expected: dict[str, list[dict[str, Any]]], tmp_path: Path
):
    out = tmp_path / "out"
    driver = begun(archive, out)
    wait_for_parts(out, 1, of=driver)
    kill_a_worker()
    wait_for_parts(out, 3, of=driver)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    cluster.add_node(num_cpus=1)
    assert driver.wait() == 0
    assert answers(out) == expected


def kill_a_worker() -> None:
    """Kill one process that holds the model."""
    found = subprocess.run(["pgrep", "-f", "^ray::.*MapWorker"], capture_output=True, text=True, check=True)
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)


def test_a_driver_that_is_killed_is_taken_up_again(
    cluster: Cluster, archive: Path, expected: dict[str, list[dict[str, Any]]], tmp_path: Path
):
    out = tmp_path / "out"
    driver = begun(archive, out)
    wait_for_parts(out, 1, of=driver)
    driver.kill()
    driver.wait()
    before = {file: file.stat().st_mtime_ns for file in (out / "answers").glob("part-*.parquet")}
    assert main(command(archive, out, "--engine", "ray", "--resume")) == 0
    assert answers(out) == expected
    kept = [file for file, modified in before.items() if file.stat().st_mtime_ns == modified]
    assert kept  # what was done was not done again


def test_a_node_with_another_version_is_named_when_it_joins_and_when_it_is_there(
    cluster: Cluster, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    planted = tmp_path / "planted" / "onnxruntime-0.0.1.dist-info"
    planted.mkdir(parents=True)
    (planted / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(planted.parent), os.environ.get("PYTHONPATH", "")])
    out = tmp_path / "out"
    driver = begun(archive, out, "--workers", "3", stderr=subprocess.PIPE)  # the third waits for a processor
    wait_for_parts(out, 1, of=driver)
    node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": path})
    try:
        _, told = driver.communicate()
        assert driver.returncode == 2
        assert "of the cluster has onnxruntime 0.0.1 instead of" in told.decode()
        assert answers(out)  # what is done stays
        assert main(command(archive, tmp_path / "another", "--engine", "ray")) == 2
        assert "of the cluster has onnxruntime 0.0.1 instead of" in capsys.readouterr().err
        assert not (tmp_path / "another").exists()
    finally:
        cluster.remove_node(node)


@dataclass(frozen=True)
class Meeting:
    """Two tasks that wait for each other, and one that has nothing to wait for; they tell where they are."""

    out: Path

    def __call__(self, task: int) -> Path:
        if task == 2:
            raise InputError("comes too late", remedy="begin with two", path=self.out)
        (self.out / str(task)).touch()
        until = time.monotonic() + 60
        while not (self.out / str(1 - task)).exists():
            assert time.monotonic() < until, "the other task is not done at the same time"
            time.sleep(0.05)
        return Path.cwd()


def test_two_tasks_share_one_gpu_and_a_failure_keeps_its_words(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ray counts GPUs by what it is told."""
    folders: list[Path] = []
    node = cluster.add_node(num_cpus=2, num_gpus=1)
    try:
        with RayEngine(out=tmp_path, workers=2) as engine:
            monkeypatch.chdir(tmp_path)  # another folder than that of the cluster
            engine.run(Meeting(tmp_path), [0, 1], shown=Shown("meet", "task", 2), each=folders.append)
            assert folders == [tmp_path] * 2
            with pytest.raises(InputError, match="comes too late; begin with two"):
                engine.run(Meeting(tmp_path), [2, 2, 2], shown=Shown("meet", "task", 3))
        time.sleep(1)  # for whatever would connect again
        assert not ray.is_initialized()
    finally:
        cluster.remove_node(node)


def test_a_cluster_that_is_not_there(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = command(archive, tmp_path / "out", "--engine", "ray", "--address", "127.0.0.1:1")
    assert main(words) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: ")]
    assert len(told) == 1
    assert "127.0.0.1:1" in told[0]
    assert not (tmp_path / "out").exists()


def test_folds_train_side_by_side_to_the_same_figures(cluster: Cluster, tmp_path: Path):
    words = ["train", str(TINY), "--data", "phantom:?cases=12&seed=0&size=64", "--folds", "2"]
    assert main([*words, "--out", str(tmp_path / "local")]) == 0
    assert main([*words, "--out", str(tmp_path / "ray"), "--engine", "ray"]) == 0
    for fold in (0, 1):
        local, on_ray = (losses(tmp_path / name / f"fold-{fold}" / "metrics.csv") for name in ("local", "ray"))
        assert len(local) == 3
        assert on_ray == pytest.approx(local, rel=1e-3)  # the number of threads orders sums


def test_a_fold_whose_process_dies_goes_on_after_its_last_epoch(cluster: Cluster, tmp_path: Path):
    words = ["train", str(TINY), "--data", "phantom:?cases=12&seed=0&size=64", "--holdout", "0.3"]
    words += ["--set", "training.epochs=60", "--out", str(tmp_path / "run"), "--engine", "ray"]
    driver = subprocess.Popen([sys.executable, "-m", "bustle", *words], stderr=subprocess.PIPE, text=True)
    fold = RunLayout(tmp_path / "run").fold(0)
    while not fold.has_epoch:
        assert driver.poll() is None, "it ended too early"
        time.sleep(0.02)
    kill_a_worker()
    _, told = driver.communicate()
    assert driver.returncode == 0, told
    assert len(losses(fold.history)) == 60


def test_trials_of_a_sweep_run_side_by_side_and_the_best_is_trained_again(cluster: Cluster, tmp_path: Path):
    data = ["--data", "phantom:?cases=24&seed=0&size=64"]
    words = ["sweep", str(TINY), *data, "--over", "optimizer.lr=log(1e-4,1e-2)", "--trials", "3"]
    assert main([*words, "--out", str(tmp_path / "local")]) == 0
    assert main([*words, "--out", str(tmp_path / "ray"), "--engine", "ray"]) == 0
    local, on_ray = (
        {trial.number: trial for trial in SweepLayout(tmp_path / name).trials()} for name in ("local", "ray")
    )
    for number, trial in local.items():
        assert on_ray[number].values == trial.values
        histories = (SweepLayout(tmp_path / name).training(number, seed=0).history for name in ("local", "ray"))
        expected, found = map(losses, histories)
        assert found == pytest.approx(expected, rel=1e-3)
    best = max(local.values(), key=lambda trial: trial.score)
    recipe, splits = (str(tmp_path / "local" / name) for name in ("best.yaml", "splits.json"))
    run = tmp_path / "run"
    assert main(["train", recipe, *data, "--splits", splits, "--fold", "0", "--out", str(run)]) == 0
    assert losses(run / "fold-0" / "metrics.csv") == losses(
        SweepLayout(tmp_path / "local").training(best.number, seed=0).history
    )


def test_runs_of_a_table_are_trained_side_by_side_to_the_same_figures(cluster: Cluster, tmp_path: Path):
    words = ["reproduce", "ctg_net/table-5", "--smoke", "--stand-in", "phantom:?cases=24&size=64", "--device", "cpu"]
    words += ["--set", "training.epochs=1"]
    assert main([*words, "--out", str(tmp_path / "local")]) == 0
    assert main([*words, "--out", str(tmp_path / "ray"), "--engine", "ray"]) == 0
    local, on_ray = (sorted((tmp_path / name).glob("runs/*/*/*/fold-0")) for name in ("local", "ray"))
    assert len(local) == len(on_ray) == 4  # two recipes, two tracks
    for one, other in zip(local, on_ray, strict=True):
        assert one.relative_to(tmp_path / "local") == other.relative_to(tmp_path / "ray")
        assert losses(other / "metrics.csv") == pytest.approx(losses(one / "metrics.csv"), rel=1e-3)
    record = json.loads((tmp_path / "ray" / "ctg_net-table-5.json").read_text())
    assert record["open_parts"] == 0
    assert all(figure["as_published"] and figure["strict"] for row in record["rows"] for figure in dice(row))
    assert not overlapping(local)
    assert overlapping(on_ray)
    assert not list(tmp_path.rglob("*.lock"))


def dice(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [figure for figure in row["figures"] if figure["metric"] == "DSC"]


def overlapping(folders: list[Path]) -> bool:
    """Whether two of the folders were written into at the same time."""
    written = [[file.stat().st_mtime for file in folder.rglob("*") if file.is_file()] for folder in folders]
    spans = sorted((min(times), max(times)) for times in written)
    return any(begins < ended for (_, ended), (begins, _) in itertools.pairwise(spans))


def losses(history: Path) -> list[float]:
    with history.open(newline="") as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]
