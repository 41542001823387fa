"""From what arrived to jobs: a study of which nothing has come for a while is complete."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence

from bustle.jobs.ledger import Jobs
from bustle.node.incoming import Incoming


def job_id(study: str, instances: Sequence[str], *, model: str) -> str:
    """That of a study's answer: the same images and the same model make the same job, which is done once."""
    content = hashlib.sha256("\n".join(sorted(instances)).encode()).hexdigest()
    return f"{study}-{content[:16]}-{model[:16]}"


class Arrivals:
    """Which studies are still coming. Nothing of it must be kept: the files on the disk tell it again."""

    def __init__(
        self,
        incoming: Incoming,
        jobs: Jobs,
        *,
        model: str,
        quiet_seconds: float,
        clock: Callable[[], float] = time.time,
    ):
        self._incoming = incoming
        self._jobs = jobs
        self._model = model
        self._quiet = quiet_seconds
        self._clock = clock
        self._lock = threading.Lock()
        # Nothing could come while the node was away: what was coming then has as long as anything else to go on.
        self._last = dict.fromkeys(incoming.studies(), clock())

    def came(self, study: str) -> None:
        with self._lock:
            self._last[study] = self._clock()

    def is_coming(self, study: str) -> bool:
        with self._lock:
            return study in self._last

    def submit_complete(self) -> None:
        """Make a job of every study that is complete; nothing happens where there is one."""
        now = self._clock()
        with self._lock:
            complete = {study: last for study, last in self._last.items() if not 0 <= now - last < self._quiet}
        for study, last in complete.items():
            instances = self._incoming.instances(study)
            if instances:
                name = job_id(study, instances, model=self._model)
                self._jobs.submit(name, {"study": study, "instances": list(instances)})
            with self._lock:
                if self._last.get(study) == last:  # nothing has come meanwhile
                    del self._last[study]
