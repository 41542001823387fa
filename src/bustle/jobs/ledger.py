"""The list of jobs of one kind: submit, look, try again. Works with or without a worker that runs at the time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from bustle.core.errors import InputError
from bustle.jobs.database import WORKFLOW, application, check_url, naming_the_database, version
from bustle.jobs.job import Job, Row, RowName, check_job_id, check_list_name, job_of_rows
from bustle.jobs.stage import PlainValues

if TYPE_CHECKING:
    from dbos import EnqueueOptions, WorkflowStatus

_PAGE = 500


class Jobs:
    """The jobs named `name` in a database; `stages` are their stages' names, in order.

    Raises `InputError` for a database that cannot be used. Close it, or use it in a `with` statement.
    """

    def __init__(self, url: str, *, name: str, stages: Sequence[str]):
        from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

        check_list_name(name)
        check_url(url)
        self._url, self._name, self._stages = url, name, tuple(stages)
        with naming_the_database(url):
            DBOS.migrate(url)
            self._client = DBOSClient(
                system_database_url=url,
                serializer=DBOSPortableJSONSerializer(),
                application_name=application(name),
                retry_connection_errors=False,
            )

    def close(self) -> None:
        self._client.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, job_id: str, submitted: PlainValues) -> None:
        """Queue a job; nothing happens where one of this id is there already, in whatever state.

        `job_id` is made of what the job is about, so that the same work is not done twice; `submitted` is JSON.
        """
        check_job_id(job_id)
        self._enqueue(RowName(self._name, job_id, self._stages[0], 1), submitted, {})

    def state(self, job_id: str) -> Job | None:
        """The job of this id; None where there is none."""
        check_job_id(job_id)
        rows = [*self._rows(f"{self._name}/{job_id}/")]
        return job_of_rows(rows, stages=self._stages) if rows else None

    def list(self) -> Iterator[Job]:
        """Every job, the oldest first."""
        by_job: dict[str, list[Row]] = {}
        for row in self._rows(f"{self._name}/"):
            by_job.setdefault(row.name.job, []).append(row)
        for rows in by_job.values():
            yield job_of_rows(rows, stages=self._stages)

    def retry(self, job_id: str) -> None:
        """Begin a failed job's last stage anew. Raises `InputError` for a job that is not there or has not failed."""
        job = self.state(job_id)
        if job is None:
            raise InputError(f"there is no job '{job_id}'", remedy="list the jobs")
        if job.state != "failed":
            raise InputError(f"the job '{job_id}' is {job.state}", remedy="only failed ones are tried again")
        name = RowName(self._name, job.id, job.stage, job.attempt + 1)
        self._enqueue(name, job.submitted, job.results)

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete jobs that have ended, with all that the database holds about them. An id may then be submitted anew.

        Nothing happens for an id that is not there.
        """
        for job_id in job_ids:
            check_job_id(job_id)
            rows = [str(row.name) for row in self._rows(f"{self._name}/{job_id}/")]
            if rows:
                with naming_the_database(self._url):
                    self._client.delete_workflows(rows)

    def register(self, stage: str, *, at_once: int, poll: float) -> None:
        """Make the queue of a stage, from which a worker takes `at_once` jobs; it looks every `poll` seconds."""
        with naming_the_database(self._url):
            self._client.register_queue(
                f"{self._name}/{stage}", worker_concurrency=at_once, polling_interval_sec=poll
            )

    def _enqueue(self, name: RowName, submitted: PlainValues, results: Any) -> None:
        with naming_the_database(self._url):
            self._client.enqueue(enqueue_options(name), str(name), dict(submitted), dict(results))

    def _rows(self, prefix: str) -> Iterator[Row]:
        for offset in itertools.count(0, _PAGE):
            with naming_the_database(self._url):
                page = self._client.list_workflows(workflow_id_prefix=prefix, limit=_PAGE, offset=offset)
            yield from map(_row, page)
            if len(page) < _PAGE:
                return


def enqueue_options(name: RowName, *, wait: float = 0.0) -> EnqueueOptions:
    """How DBOS is asked for an attempt, to begin `wait` seconds from now; one of the same name is not made twice."""
    options: EnqueueOptions = {
        "workflow_name": WORKFLOW,
        "queue_name": name.queue,
        "workflow_id": str(name),
        "app_version": version(name.list),
    }
    if wait > 0:
        options["delay_seconds"] = wait
    return options


def _row(status: WorkflowStatus) -> Row:
    assert status.input is not None
    assert status.created_at is not None
    _, submitted, results = status.input["args"]
    state: Literal["waiting", "running", "ended", "given up"] = "given up"
    if status.status in ("ENQUEUED", "DELAYED"):
        state = "waiting"
    elif status.status == "PENDING":
        state = "running"
    elif status.status == "SUCCESS":
        state = "ended"
    return Row(
        name=RowName.read(status.workflow_id),
        state=state,
        submitted=submitted,
        results=results,
        outcome=status.output if state == "ended" else None,
        begun=_time(status.created_at),
        changed=_time(status.updated_at or status.created_at),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
