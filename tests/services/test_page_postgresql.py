"""The page in PostgreSQL: its migrations there and back, and all that its tests do, as in a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.services.postgresql import PostgreSQL
from tests.webapp.test_database import check_migrations

from bustle.core.errors import InputError
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import alone_in, connected, open_database, page_url

ROOT = Path(__file__).resolve().parents[2]


def test_the_migrations_make_the_tables_and_remove_them(postgresql: PostgreSQL):
    check_migrations(connected(postgresql.database("migrated")))


def test_all_tests_of_the_page_pass(postgresql: PostgreSQL):
    variables = os.environ | {"BUSTLE_TEST_DATABASE": postgresql.database("page"), "PYTHONPATH": str(ROOT / "src")}
    words = [sys.executable, "-m", "pytest", "tests/webapp", "-m", "not sqlite and not full"]
    done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None
    assert int(found[1]) > 60


def test_two_servers_do_not_work_in_one_database(postgresql: PostgreSQL, tmp_path: Path):
    url = page_url(DataFolder(tmp_path), postgresql.database("shared"))
    first, second = open_database(url), open_database(url)
    with alone_in(first.kw["bind"]), pytest.raises(InputError, match="in use"), alone_in(second.kw["bind"]):
        pass
    with alone_in(second.kw["bind"]):
        pass
