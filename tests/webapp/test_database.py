"""The database is made by its migrations, which agree with the tables and lead back."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from bustle.core.errors import InputError
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import NEWEST, connected, migrations, open_database, page_url, upgrade
from bustle.webapp.tables import Base


def check_migrations(engine: Engine) -> None:
    """There, where they agree with the tables, and back."""
    upgrade(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_the_migrations_make_the_tables_and_remove_them():
    check_migrations(create_engine("sqlite://"))


@pytest.mark.parametrize(
    "url", ["sqlite:///page.sqlite3", "mysql://page@host/page", "page", "postgresql+asyncpg://h/p"]
)
def test_a_database_that_is_no_postgresql_is_refused(url: str, tmp_path: Path):
    with pytest.raises(InputError, match="write postgresql://"):
        page_url(DataFolder(tmp_path), url)


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        nobody = found.getsockname()[1]
    with pytest.raises(InputError, match="cannot be used") as caught:
        connected(f"postgresql://page:hidden@127.0.0.1:{nobody}/page")
    assert "hidden" not in str(caught.value)


def test_the_newest_revision_is_that_of_the_last_migration():
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]


def test_what_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "page.sqlite3").write_bytes(b"no database, but long enough to be taken for one" * 9)
    with pytest.raises(InputError, match="no database of"):
        open_database(page_url(DataFolder(tmp_path), None))


def test_a_database_of_a_newer_bustle_is_refused(tmp_path: Path):
    sessions = open_database(page_url(DataFolder(tmp_path), None))
    with sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer bustle"):
        open_database(page_url(DataFolder(tmp_path), None))
