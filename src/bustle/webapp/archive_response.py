"""A ZIP archive as an answer: written to a temporary file, which goes when it is sent."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from bustle.webapp.messages import Responses

ARCHIVE: Responses = {200: {"content": {"application/zip": {}}}}


def archive_of(write: Callable[[zipfile.ZipFile], None], *, name: str) -> FileResponse:
    with tempfile.NamedTemporaryFile(prefix="bustle-", suffix=".zip", delete=False) as file:
        made = Path(file.name)
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                write(archive)
        except BaseException:
            made.unlink()
            raise
    return FileResponse(made, media_type="application/zip", filename=name, background=BackgroundTask(made.unlink))
