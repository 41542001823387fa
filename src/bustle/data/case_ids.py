"""Case ids, `<source>/<stem>`, become folder names: the form that keeps this safe."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.folder_names import MAX_BYTES


def check_case_id(case_id: str, *, path: Path | None = None) -> str:
    """Return `case_id`, or raise an `InputError` that names `path` if it could not safely name a folder.

    Refused: `..`, backslashes, slashes beyond the one between source and stem, an empty part, control characters,
    and parts of more than 200 bytes.
    """
    parts = case_id.split("/")
    if ".." in case_id:
        problem = "it contains '..'"
    elif "\\" in case_id or len(parts) != 2:
        problem = "it must have exactly one '/' and no '\\'"
    elif any(unicodedata.category(character).startswith("C") for character in case_id):
        problem = "it contains a control character"
    elif any(part != part.strip() or part in ("", ".") for part in parts):
        problem = "a part of it is empty, '.' or padded with blanks"
    elif any(len(part.encode()) > MAX_BYTES for part in parts):
        problem = f"a part of it is longer than {MAX_BYTES} bytes"
    else:
        return case_id
    raise InputError(f"{case_id!r} cannot be a case id: {problem}", remedy="rename the file or the case", path=path)
