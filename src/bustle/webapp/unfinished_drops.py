"""What the server before left half done: it may have been killed at any place."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bustle.jobs.ledger import Jobs
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.tables import Drop, now

LONGEST_BREAK = timedelta(days=1)
"""A sender who has lost the connection has so long to go on, whatever happened to the server meanwhile."""


def remove_unsent(sessions: sessionmaker[Session], data: DataFolder) -> None:
    """Remove the drops whose sending was broken off long ago, with their files: nobody goes on with it."""
    with sessions.begin() as session:
        drops = list(session.scalars(select(Drop).where(~Drop.begun, Drop.made < now() - LONGEST_BREAK)))
        folders = [data.drop(drop.id) for drop in drops]
        for drop in drops:
            session.delete(drop)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def submit_begun(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    """Submit the drops whose reading was asked for and is not in the list of work."""
    known = {job.id for job in jobs.list()}
    with sessions() as session:
        begun = list(session.scalars(select(Drop.id).where(Drop.begun)))
    for drop in begun:
        if drop not in known:
            jobs.submit(drop, {"drop": drop})
