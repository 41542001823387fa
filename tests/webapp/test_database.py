"""The database is made by its migrations, which agree with the tables and lead back."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from bustle.core.errors import InputError
from bustle.webapp.database import NEWEST, migrations, open_database, upgrade
from bustle.webapp.tables import Base


def test_the_migrations_make_the_tables_and_remove_them():
    engine = create_engine("sqlite://")
    upgrade(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_the_newest_revision_is_that_of_the_last_migration():
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]


def test_what_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "page.sqlite3").write_bytes(b"no database, but long enough to be taken for one" * 9)
    with pytest.raises(InputError, match="no database of"):
        open_database(tmp_path / "page.sqlite3")


def test_a_database_of_a_newer_bustle_is_refused(tmp_path: Path):
    sessions = open_database(tmp_path / "page.sqlite3")
    with sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer bustle"):
        open_database(tmp_path / "page.sqlite3")
