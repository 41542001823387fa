from __future__ import annotations

import importlib.util
from pathlib import Path

from bustle.data.sources import reader_ids

ROOT = Path(__file__).resolve().parents[3]


def test_the_readers_page_is_current():
    spec = importlib.util.spec_from_file_location(
        "generate_reader_docs", ROOT / "scripts" / "generate_reader_docs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "reference" / "readers.md").read_text(encoding="utf-8")
    assert page == script.page(), "run scripts/generate_reader_docs.py"
    assert all(f"## `{reader}`: " in page for reader in reader_ids())
