"""All of a node together: receiver, arrivals, worker and retention, from start to stop."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from bustle.core.errors import BustleError, InputError
from bustle.core.file_lock import FileLock
from bustle.core.files import write_error
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import default_model
from bustle.jobs.database import sqlite_url
from bustle.jobs.ledger import Jobs
from bustle.jobs.stage import Stage
from bustle.jobs.worker import Worker
from bustle.node.arrivals import Arrivals
from bustle.node.fetcher import Fetcher
from bustle.node.incoming import Incoming
from bustle.node.priors import PriorFetcher
from bustle.node.quiet import hush_libraries
from bustle.node.read_study import READ, StudyReader
from bustle.node.receiver import Receiver
from bustle.node.retention import delete_ended
from bustle.node.send_answers import SEND, AnswerSender
from bustle.node.settings import NodeSettings
from bustle.reading.algorithm import algorithm_of

log = logging.getLogger(__name__)

STAGES = (READ, SEND)
_SENT_AT_ONCE = 4
_DELETE_EVERY, _PRIORS_EVERY = 600.0, 10.0
"""Seconds."""


def open_jobs(settings: NodeSettings) -> Jobs:
    """The node's list of jobs, whether it runs or not. Raises `InputError` for a database that cannot be used."""
    return Jobs(_database(settings), name=_list_name(settings), stages=STAGES)


def counts_path(settings: NodeSettings) -> Path:
    """Where the answers of deleted jobs are counted."""
    return settings.data / "counts.json"


def _database(settings: NodeSettings) -> str:
    return settings.database or sqlite_url(settings.data / "jobs.sqlite")


def _list_name(settings: NodeSettings) -> str:
    """Nodes of different titles may share a database, so each title has a name of its own."""
    return f"node-{settings.ae.encode().hex()}"


class Node:
    """Runs from `start` to `stop`, and looks for work every `poll` seconds.

    Nothing that was accepted is lost by a kill in between.
    """

    def __init__(self, settings: NodeSettings, *, poll: float = 0.25):
        self._poll = poll
        self._settings = settings
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._receiver: Receiver | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None for a node that has no senders and only asks."""
        return None if self._receiver is None else self._receiver.port

    def is_coming(self, study: str) -> bool:
        """Whether a study is not yet complete."""
        return self._arrivals.is_coming(study)

    def start(self) -> None:
        """Raises `InputError` for a folder, model, database, port or certificate that cannot be used."""
        settings = self._settings
        hush_libraries()
        _make_private(settings.data)
        self._lock = FileLock(settings.data / "node.lock")
        if self._lock.take() == "busy":
            raise InputError("another node uses this folder", remedy="stop it, or choose another", path=settings.data)
        predictor = Predictor.open(settings.model or default_model(), device=settings.device)
        model = algorithm_of(predictor.provenance).answers_sha256
        self._incoming = Incoming(settings.data / "incoming", limits=settings.limits)
        self._out = settings.data / "answers"
        self._jobs = open_jobs(settings)
        self._arrivals = Arrivals(self._incoming, self._jobs, model=model, quiet_seconds=settings.quiet_seconds)
        reader = StudyReader(predictor, self._incoming, self._out, formats=settings.formats)
        sender = AnswerSender(settings, self._out)
        self._worker = Worker(
            _database(settings),
            name=_list_name(settings),
            stages=(
                Stage(name=READ, work=reader.read),
                Stage(name=SEND, work=sender.send, at_once=_SENT_AT_ONCE),
            ),
            poll=self._poll,
        )
        if settings.senders:
            self._receiver = Receiver(settings, self._incoming, on_arrival=self._arrivals.came)
            self._receiver.start()
        try:
            self._worker.start()
        except BaseException:
            self._stop_receiving()
            raise
        self._begin(self._arrivals.submit_complete, every=self._poll)
        self._begin(self._delete_ended, every=_DELETE_EVERY)
        for source in settings.sources:
            fetcher = Fetcher(source, self._incoming, limits=settings.limits, on_arrival=self._arrivals.came)
            self._begin(fetcher.fetch, every=source.every_seconds)
        if settings.priors is not None:
            priors = PriorFetcher(
                settings, self._incoming, settings.data / "priors", is_coming=self._arrivals.is_coming
            )
            self._begin(priors.fetch, every=_PRIORS_EVERY)

    def stop(self) -> None:
        """Accept nothing more; a study that is being read is begun again, where it stood, by the next start."""
        self._ended.set()
        self._stop_receiving()
        for thread in self._threads:
            thread.join()
        self._worker.stop()
        self._jobs.close()
        self._lock.release(remove=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _stop_receiving(self) -> None:
        if self._receiver is not None:
            self._receiver.stop()

    def _delete_ended(self) -> None:
        delete_ended(
            self._incoming,
            self._out,
            self._jobs,
            self._arrivals,
            counts=counts_path(self._settings),
            keep_days=self._settings.keep_days,
            keep_failed_days=self._settings.keep_failed_days,
        )

    def _begin(self, work, *, every: float) -> None:
        def again() -> None:
            while not self._ended.wait(every):
                try:
                    work()
                except Exception as error:  # the next time it may go well: a database may have been away
                    log.error(
                        "%s, tried again soon", error if isinstance(error, BustleError) else type(error).__name__
                    )

        thread = threading.Thread(target=again, daemon=True)
        thread.start()
        self._threads.append(thread)


def _make_private(folder: Path) -> None:
    """It holds patients' images: nobody else on the machine may look into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise write_error(folder, error) from error
