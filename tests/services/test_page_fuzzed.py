"""The API is asked all kinds of things that its own description allows and forbids: it never fails, and keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks._served import Served, started
from tests.services.fresh_environment import FreshEnvironment
from tests.services.postgresql import PostgreSQL

from bustle.webapp.demo_cases import DROP

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES_OF_EACH = "20"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    environment = FreshEnvironment(tmp_path_factory.mktemp("fuzzer") / "environment")
    environment.install("schemathesis>=4,<5")
    return environment


def fuzz(fuzzer: FreshEnvironment, served: Served, settings: str, folder: Path) -> None:
    """Fails with what was found."""
    site, _, token = served.address.partition("/?token=")
    written = folder / "schemathesis.toml"
    written.write_text(settings)
    fuzzer.run(
        "st",
        *("--config-file", written, "run", f"{site}/api/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", EXAMPLES_OF_EACH, "--seed", "1"),
        *("--exclude-path-regex", "/events$"),  # which last as long as a reading
    )


@pytest.mark.parametrize("database", ["file", "postgresql"])
def test_no_request_makes_the_server_fail_or_break_its_word(
    database: str, fuzzer: FreshEnvironment, postgresql: PostgreSQL, tmp_path: Path
):
    options = [] if database == "file" else ["--database", postgresql.database("fuzzed")]
    served = started(tmp_path / "data", "--demo", *options)
    try:
        case = served.ask("GET", "/cases")[0]["id"]
        is_there = f'[parameters]\ncase_id = "{case}"\ndrop_id = "{DROP}"\n'
        fuzz(fuzzer, served, is_there if database == "file" else "", tmp_path)
    finally:
        printed = served.stop()
    assert "Traceback" not in printed
