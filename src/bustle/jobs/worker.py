"""The process that runs jobs: takes them from the database, one attempt at a stage after another."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bustle.core.errors import InputError
from bustle.jobs.database import MOST_STARTS, WORKFLOW, application, check_url, naming_the_database, version
from bustle.jobs.job import RowName, check_list_name
from bustle.jobs.ledger import Jobs, enqueue_options
from bustle.jobs.stage import JobInHand, PlainValues, PostponedError, Stage

log = logging.getLogger(__name__)


class Worker:
    """Runs the jobs named `name` of a database through their `stages`, from `start` until `stop`.

    There is one in a process, and one at a time in a database for the jobs of a name: what its predecessor held when
    it was killed is begun again. Nothing is sent to anybody: DBOS's Conductor and telemetry stay off.
    """

    def __init__(self, url: str, *, name: str, stages: Sequence[Stage], poll: float = 1.0):
        check_list_name(name)
        check_url(url)
        self._url, self._name, self._poll = url, name, poll
        self._stages = tuple(stages)

    def start(self) -> None:
        """Raises `InputError` for a database that cannot be used."""
        from dbos import DBOS, DBOSPortableJSONSerializer

        queues = [f"{self._name}/{stage.name}" for stage in self._stages]
        with Jobs(self._url, name=self._name, stages=[stage.name for stage in self._stages]) as jobs:
            for stage in self._stages:
                jobs.register(stage.name, at_once=stage.at_once, poll=self._poll)
        DBOS(
            config={
                "name": application(self._name),
                "system_database_url": self._url,
                "application_version": version(self._name),
                "executor_id": self._name,
                "serializer": DBOSPortableJSONSerializer(),
                "enable_otlp": False,
                "log_level": "CRITICAL",  # its lines quote what was submitted
                "notification_listener_polling_interval_sec": self._poll,
            }
        )

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_STARTS)
        def attempt(row: str, submitted: PlainValues, results: dict[str, PlainValues]) -> PlainValues:
            return self._attempt(RowName.read(row), submitted, results)

        DBOS.listen_queues(queues)
        with naming_the_database(self._url):
            DBOS.launch()

    def stop(self, *, patience: int = 0) -> None:
        """Take no more; attempts in hand are given `patience` seconds to end, and otherwise begun again next time."""
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _attempt(self, name: RowName, submitted: PlainValues, results: dict[str, PlainValues]) -> PlainValues:
        """What DBOS runs, and after a kill again from the last finished step: the rest must repeat itself."""
        from dbos import DBOS

        place = [stage.name for stage in self._stages].index(name.stage)
        stage = self._stages[place]
        job = JobInHand(id=name.job, submitted=submitted, results=results)
        outcome: dict[str, Any] = DBOS.run_step({"name": stage.name}, _outcome, stage, job, name.attempt)
        if outcome["state"] == "done" and place + 1 < len(self._stages):
            following = name._replace(stage=self._stages[place + 1].name, attempt=1)
            results = {**results, name.stage: outcome["result"]}
            DBOS.enqueue_workflow_with_options(enqueue_options(following), str(following), dict(submitted), results)
        elif outcome["state"] == "postponed":
            again = name._replace(attempt=name.attempt + 1)
            wait = stage.patience.wait_after(name.attempt)
            DBOS.enqueue_workflow_with_options(
                enqueue_options(again, wait=wait), str(again), dict(submitted), dict(results)
            )
        return outcome


def _outcome(stage: Stage, job: JobInHand, attempt: int) -> dict[str, Any]:
    """Never raises: what went wrong is a value, too."""
    try:
        return {"state": "done", "result": dict(stage.work(job))}
    except InputError as error:
        reason, final = error.in_results(), True
    except PostponedError as error:
        reason, final = str(error), False
    except Exception as error:
        reason, final = _place_of(error), False
        log.error("%s of %s: %s", stage.name, job.id, reason)
    if final or stage.patience.ends_with(attempt):
        return {"state": "failed", "reason": reason}
    return {"state": "postponed", "reason": reason}


def _place_of(error: Exception) -> str:
    """A bug's kind and where it is; its own words may quote a patient's data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
