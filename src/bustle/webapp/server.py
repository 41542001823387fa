"""What the routes share: the settings, the database, the folder, the model and the list of work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from bustle.jobs.ledger import Jobs
from bustle.webapp.agreement import RatedCases
from bustle.webapp.clip_frames import OpenClips
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.login_limits import LoginLimits
from bustle.webapp.model_in_use import ModelInUse
from bustle.webapp.named_locks import NamedLocks
from bustle.webapp.provider import Provider
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.tables import Case

MOST_BYTES = 2_000_000_000
MOST_FILES = 10_000
"""Of one dropped file, and of one drop."""


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """`data` is the folder for everything that is kept, `model` a package or a run.

    `volume_model` is one for volumes, without which these are shown and not read. `database` is the URL of
    PostgreSQL, None for files in `data`, `storage` that of S3-compatible storage. `sign_in` is a file with the
    settings of an OpenID Connect provider. `demo`: it begins with example pictures. `kept`: the data outlive the
    server. `poll` is in seconds: how often the worker looks for new work.
    """

    data: Path
    model: Path
    volume_model: Path | None = None
    database: str | None = None
    storage: str | None = None
    sign_in: Path | None = None
    demo: bool = False
    kept: bool = True
    most_bytes: int = MOST_BYTES
    poll: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Server:
    settings: PageSettings
    data: DataFolder
    sessions: sessionmaker[Session]
    model: ModelInUse
    jobs: Jobs
    provider: Provider | None = None
    limits: LoginLimits = field(default_factory=LoginLimits)
    rated: RatedCases = field(default_factory=RatedCases)
    clips: OpenClips = field(default_factory=OpenClips)
    frames: NamedLocks = field(default_factory=NamedLocks)
    """Of clips' frames that are being made cases."""


def current_server(request: Request) -> Server:
    return request.app.state.server


CurrentServer = Annotated[Server, Depends(current_server)]


def database_session(server: CurrentServer) -> Iterator[Session]:
    """One transaction for one request: kept where the request succeeds."""
    with server.sessions.begin() as session:
        yield session


CurrentSession = Annotated[Session, Depends(database_session, scope="function")]


def named_case(case_id: str, session: CurrentSession) -> Case:
    case = session.get(Case, case_id)
    if case is None:
        raise Refusal(Why.NO_CASE)
    return case


NamedCase = Annotated[Case, Depends(named_case)]
