"""Ray's data pipelines do the tasks: on the machines of a cluster, or on the cores of this one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.experiments.engines.engine import Shown
from bustle.experiments.engines.ray_errors import not_started, told
from bustle.experiments.engines.ray_worker import Worker, WorkerGiven
from bustle.experiments.engines.same_versions import check_versions, own_versions

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_AT_ONCE = 1024
"""So many are handed to Ray together: those of a whole archive would fill the memory of its driver."""

THREADS_END_WITHIN = 30.0
"""Seconds for the threads of a pipeline to end after its last row; they need milliseconds, seconds under load."""

FOR_EVER = ("Prefetcher", "tqdm_monitor")
"""Threads that nothing ends and that ask Ray for nothing any more: one of Ray, asleep, and that of progress bars."""


class RayEngine:
    """Within the block, a connection to a cluster; without an `address`, to one of this machine for its length.

    `workers` processes work at a time, with a processor each, and with `on_gpus` a GPU each where the cluster has
    any, or a share of one where it has fewer; None: as many as it has of GPUs, or else of processors. All machines
    must see `out`, into which they write.
    """

    def __init__(self, *, out: Path, address: str | None = None, workers: int | None = None, on_gpus: bool = True):
        self._out = out.absolute()
        self._address = address
        self._workers = workers
        self._on_gpus = on_gpus
        self._versions: Mapping[str, str] = {}

    def __enter__(self) -> RayEngine:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported: it would report its use
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # so too: a thread of it would connect again after the end
        import ray

        with contextlib.ExitStack() as stack:
            stack.callback(ray.shutdown)
            given = self._address or os.environ.get("RAY_ADDRESS")
            try:
                if given is not None:
                    _knock(given)
                with _no_dashboard():
                    ray.init(address=given or "local", log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # Ray raises many kinds, `Exception` itself among them
                raise not_started(error, address=given) from error
            self._versions = own_versions()
            self._check_machines()
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        ray.shutdown()

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        shown: Shown,
        each: Callable[[Result], None] | None = None,
    ) -> None:
        """See `Engine.run`. A task whose process or machine dies is done again elsewhere."""
        from ray.exceptions import RayError

        try:
            with _no_thread_left(), contextlib.closing(self._rows(work, iter(tasks))) as rows:
                for failed, result in progress(
                    rows, description=shown.description, total=shown.total, unit=shown.unit
                ):
                    if failed:
                        raise told(pickle.loads(failed))  # from this command's own processes, as results
                    if each is not None:
                        each(pickle.loads(result))
        except RayError as error:
            raise told(error) from error

    def _rows(self, work: Callable[[Task], Result], tasks: Iterator[Task]) -> Generator[tuple[bytes, bytes]]:
        """Of each task that is done, as soon as it is, what it failed at (or nothing) and its result."""
        import ray
        from ray.data import ActorPoolStrategy, DataContext

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        given = WorkerGiven(work=pickle.dumps(work), out=self._out, versions=self._versions, folder=str(Path.cwd()))
        while wave := [{"task": pickle.dumps(task)} for task in itertools.islice(tasks, TASKS_AT_ONCE)]:
            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0)) if self._on_gpus else 0
            size = min(len(wave), self._workers or gpus or int(resources.get("CPU", 1)))
            pipeline = ray.data.from_items(wave, override_num_blocks=len(wave)).map_batches(
                Worker,
                fn_constructor_args=(given,),
                batch_size=1,
                num_cpus=1,
                num_gpus=share_of_gpu(size, gpus=gpus),
                compute=ActorPoolStrategy(
                    min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=1
                ),
            )
            # One that is fetched ahead would be told only when the next is done, which may take hours.
            for batch in pipeline.iter_batches(batch_size=None, prefetch_batches=0):
                yield from zip(batch["failed"], batch["result"], strict=True)

    def _check_machines(self) -> None:
        """Raises `InputError` where a machine of the cluster has other versions than this one."""
        import ray
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        @ray.remote(num_cpus=0)
        def found() -> dict[str, str]:
            return own_versions()

        for node in ray.nodes():
            if not node["Alive"]:
                continue
            machine = node["NodeManagerHostname"]
            placed = found.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            try:
                check_versions(ray.get(placed), own=self._versions, machine=machine)
            except RayError as error:
                if any(each["NodeID"] == node["NodeID"] and not each["Alive"] for each in ray.nodes()):
                    continue  # it has died meanwhile
                raise InputError(
                    f"the machine {machine} of the cluster cannot run bustle ({type(error).__name__})",
                    remedy="install the same bustle on all its machines",
                ) from error


def share_of_gpu(workers: int, *, gpus: int) -> float:
    """What each of the workers takes of one GPU, of which they have so many together.

    Ray rounds to ten-thousandths, and a share never comes from two of them: it is rounded down for all to find room.
    """
    if not gpus:
        return 0
    return math.floor(10_000 / math.ceil(workers / gpus)) / 10_000


@contextlib.contextmanager
def _no_thread_left() -> Iterator[None]:
    """Waits at the end of the block for the threads that began in it.

    A pipeline that is closed only tells its threads to end, and one that asks Ray for a row after the connection is
    closed ends the whole process, without a word.
    """
    before = set(threading.enumerate())
    try:
        yield
    finally:
        until = time.monotonic() + THREADS_END_WITHIN
        for thread in set(threading.enumerate()) - before:
            if thread.name not in FOR_EVER:
                thread.join(max(0.0, until - time.monotonic()))


@contextlib.contextmanager
def _no_dashboard() -> Iterator[None]:
    """Within the block Ray starts the process of its dashboard nowhere.

    Whatever it is told, that process asks the network in which cloud it runs. Ray goes on without it.
    """
    from ray._private import services

    start = services.start_api_server
    services.start_api_server = lambda *given, **named: (None, None)
    try:
        yield
    finally:
        services.start_api_server = start


def _knock(address: str) -> None:
    """Raises OSError where nothing listens at HOST:PORT, for which Ray itself waits for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()
