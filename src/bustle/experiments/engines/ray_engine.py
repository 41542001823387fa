"""Ray's data pipelines do the tasks: on the machines of a cluster, or on the cores of this one."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.core.provenance import installed_version
from bustle.experiments.engines.engine import Shown

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_AT_ONCE = 1024
"""So many are handed to Ray together: those of a whole archive would fill the memory of its driver."""


class RayEngine:
    """Within the block, a connection to a cluster; without an `address`, to one of this machine for its length.

    `workers` processes work at a time, with a processor each, and with `on_gpus` a GPU each where the cluster has
    any; None: as many as it has of them.
    """

    def __init__(self, *, address: str | None = None, workers: int | None = None, on_gpus: bool = True):
        self._address = address
        self._workers = workers
        self._on_gpus = on_gpus

    def __enter__(self) -> RayEngine:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported: it would report its use
        import ray

        given = self._address or os.environ.get("RAY_ADDRESS")
        try:
            if given is not None:
                _knock(given)
            with _no_dashboard():
                ray.init(address=given or "local", log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())[:200]
            raise InputError(
                f"no Ray cluster answers at {given or 'this machine'} ({told})",
                remedy="start it with `ray start`, with the versions of Python and Ray that are here, or leave "
                "out --address",
            ) from None
        self._check_versions()
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
        done = self._done(work, iter(tasks))
        for result in progress(done, description=shown.description, total=shown.total, unit=shown.unit):
            if each is not None:
                each(pickle.loads(result))  # of this command's own, through Ray

    def _done(self, work: Callable[[Task], Result], tasks: Iterator[Task]) -> Iterator[bytes]:
        import ray
        from ray.data import ActorPoolStrategy, DataContext
        from ray.exceptions import RayError

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        pickled = pickle.dumps(work)
        while wave := [{"task": pickle.dumps(task)} for task in itertools.islice(tasks, TASKS_AT_ONCE)]:
            resources = ray.cluster_resources()
            gpus = int(resources.get("GPU", 0)) if self._on_gpus else 0
            size = min(len(wave), self._workers or gpus or int(resources.get("CPU", 1)))
            pipeline = ray.data.from_items(wave, override_num_blocks=len(wave)).map_batches(
                _Worker,
                fn_constructor_args=(pickled,),
                batch_size=1,
                num_cpus=1,
                num_gpus=1 if gpus else 0,
                compute=ActorPoolStrategy(
                    min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=1
                ),
            )
            try:
                # One that is fetched ahead would be told only when the next is done, which may take hours.
                for batch in pipeline.iter_batches(batch_size=None, prefetch_batches=0):
                    yield from batch["result"]
            except RayError as error:
                raise _told(error) from None

    def _check_versions(self) -> None:
        """Raises `InputError` where a machine of the cluster has another bustle than this one."""
        import ray
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        @ray.remote(num_cpus=0)
        def version() -> str | None:
            return installed_version()

        own = installed_version()
        for node in ray.nodes():
            if not node["Alive"]:
                continue
            placed = version.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            try:
                found = ray.get(placed)
            except RayError as error:
                if any(each["NodeID"] == node["NodeID"] and not each["Alive"] for each in ray.nodes()):
                    continue  # it has died meanwhile
                raise InputError(
                    f"the machine {node['NodeManagerHostname']} of the cluster cannot run bustle "
                    f"({type(error).__name__})",
                    remedy="install the same bustle on all its machines",
                ) from None
            if found != own:
                raise InputError(
                    f"the machine {node['NodeManagerHostname']} of the cluster has bustle {found}, this one {own}",
                    remedy="install the same version on all",
                )


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


class _Worker:
    """A process that holds the model; made once, used for many tasks."""

    def __init__(self, work: bytes):
        self._work: Callable[[Any], Any] = pickle.loads(work)  # of this command's own, through Ray

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[bytes]]:
        return {"result": [pickle.dumps(self._work(pickle.loads(task))) for task in batch["task"]]}


def _told(error: BaseException) -> BaseException:
    """The `InputError` that Ray carries from another process, or else what Ray says."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InputError):
            return InputError(seen.problem, remedy=seen.remedy, path=seen.path)
        seen = getattr(seen, "cause", None) or seen.__cause__
    return error
