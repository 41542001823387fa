"""The requests of a program to a page of `bustle serve`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import parse_qs, quote, urlsplit

from bustle.client.answers import Case, CaseDetail, Drop, Outline, made_of
from bustle.core.errors import BustleError, InputError
from bustle.core.files import atomic_path, read_error

TOKEN = "BUSTLE_TOKEN"
"""The variable that holds a token, where none is given: a command line is seen by others."""

PART = 16_000_000
"""Bytes that are sent in one request."""

TRIES, PAUSE, TIMEOUT = 5, 1.0, 60.0
"""How often in a row sending may fail, the seconds between, and those without an answer."""

Export = Literal["png", "json", "pdf", "seg", "sr"]
SignedExport = Literal["manifest", "coco", "seg"]
Verdict = Literal["accepted", "corrected", "rejected"]


class RefusedError(BustleError):
    """The page does not do what was asked: the message says why, and `code` stands for it where the page has one.

    `status` is that of HTTP.
    """

    def __init__(self, status: int, detail: str, *, code: str | None):
        self.status = status
        self.code = code
        super().__init__(f"{detail} ({status})")


class PageClient:
    """A page at `address`, the printed one or its first part; `token` is one that was made on it, or the printed one.

    Without a `token` it is taken from the address or the variable BUSTLE_TOKEN. Every method raises `InputError`
    where the page cannot be reached, and `RefusedError` where it refuses.
    """

    def __init__(self, address: str, *, token: str | None = None):
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"'{address[:80]}' is no address of a page", remedy="write http://HOST:PORT")
        self.site = f"{parts.scheme}://{parts.netloc}"
        found = token or parse_qs(parts.query).get("token", [""])[0] or os.environ.get(TOKEN)
        if not found:
            raise InputError(f"the page {self.site} asks for a token", remedy=f"make one on it, and set {TOKEN}")
        self._token = found

    def read(self, files: Sequence[Path | str]) -> Drop:
        """Drop files and wait until they are read; raises `InputError` for a file that cannot be opened."""
        begun = self.drop(files)
        return list(self.follow(begun.id))[-1]

    def drop(self, files: Sequence[Path | str]) -> Drop:
        """Send files, in parts that are sent again where the connection is lost, and begin their reading."""
        drop = self._ask("POST", "/drops", {})["id"]
        for file in files:
            self._send(drop, Path(file))
        return made_of(Drop, self._ask("POST", f"/drops/{drop}/read", {}))

    def follow(self, drop: str, *, every: float = 0.2) -> Iterator[Drop]:
        """How far the reading of a drop is, looked at `every` so many seconds, until it has ended."""
        told = None
        while True:
            now = made_of(Drop, self._ask("GET", f"/drops/{drop}"))
            if now != told:
                yield now
            if now.state in ("done", "failed"):
                return
            told = now
            time.sleep(every)

    def cases(self, *, drop: str | None = None, uncertain_first: bool = False) -> list[Case]:
        """The worklist, or that of one drop: what was dropped last first, or what the model is least sure of."""
        told = self._ask("GET", f"/cases?order={'uncertain' if uncertain_first else 'newest'}")
        return [made_of(Case, one) for one in told if drop in (None, one["drop"])]

    def case(self, case: str) -> CaseDetail:
        return made_of(CaseDetail, self._ask("GET", f"/cases/{case}"))

    def save_reading(
        self,
        case: CaseDetail,
        *,
        verdict: Verdict,
        outlines: Sequence[Outline] | None = None,
        birads: str | None = None,
        note: str = "",
    ) -> CaseDetail:
        """What a reader says of a case as it was seen; refused with 409 where somebody else has changed it since."""
        said = {"verdict": verdict, "outlines": outlines, "birads": birads, "note": note, "version": case.version}
        return made_of(CaseDetail, self._ask("PUT", f"/cases/{case.id}/reading", said))

    def sign(self, case: CaseDetail, *, reader: str | None = None) -> CaseDetail:
        """Sign the newest reading; `reader` only where the token is the printed one, which is nobody's account."""
        said = {"version": case.version, "reader": reader}
        return made_of(CaseDetail, self._ask("POST", f"/cases/{case.id}/sign", said))

    def export(self, case: str, kind: Export, path: Path | str) -> None:
        """Write the newest reading, and without one the model's answer, to a file."""
        self._download(f"/cases/{case}/export/{kind}", Path(path))

    def export_signed(self, kind: SignedExport, path: Path | str) -> None:
        """Write all signed cases to a ZIP archive, for training."""
        self._download(f"/signed/{kind}", Path(path))

    def delete(self, case: str) -> None:
        """Delete a case with its readings and files."""
        self._ask("DELETE", f"/cases/{case}")

    def _send(self, drop: str, path: Path) -> None:
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size == 0:
                    raise InputError("is empty", remedy="leave it out", path=path)
                place = f"/drops/{drop}/uploads"
                upload = self._ask("POST", place, {"name": path.name, "size": size})["id"]
                self._send_parts(f"{place}/{upload}", file)
        except OSError as error:
            raise read_error(path, error) from error

    def _send_parts(self, upload: str, file: BinaryIO) -> None:
        """Until the drop has the file: where that failed after the last byte, an empty part asks for it again."""
        sent: int | None = 0
        failures = 0
        while True:
            try:
                if sent is None:
                    told = self._ask("GET", upload)
                else:
                    told = self._part(upload, sent, file)
                    failures = 0
                if told["file"] is not None:
                    return
                sent = told["sent"]
            except (InputError, RefusedError) as error:
                # 409: another number of bytes has arrived, or the lost connection still holds the file.
                is_lost = isinstance(error, InputError) or error.status == 409
                if not is_lost or failures == TRIES - 1:
                    raise
                failures += 1
                time.sleep(PAUSE)
                sent = None

    def _part(self, upload: str, sent: int, file: BinaryIO) -> Any:
        """Send what follows the first `sent` bytes; what the page tells of the upload."""
        file.seek(sent)
        with self._opened("PATCH", upload, file.read(PART), {"Upload-Offset": str(sent)}) as answer:
            return json.load(answer)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        with self._opened(method, path, sent, {"Content-Type": "application/json"}) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def _download(self, path: str, to: Path) -> None:
        with (
            self._opened("GET", path, None, {}) as answer,
            atomic_path(to) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)

    @contextlib.contextmanager
    def _opened(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        known = {"Authorization": f"Bearer {self._token}", **headers}
        request = urllib.request.Request(f"{self.site}/api{quote(path, safe='/?=&')}", body, known, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise InputError(
                f"the page {self.site} cannot be reached ({reason})", remedy="start it, or check the address"
            ) from error


def _refused(error: urllib.error.HTTPError) -> RefusedError:
    try:
        told = json.loads(error.read())
        return RefusedError(error.code, str(told["detail"]), code=told.get("code"))
    except (ValueError, KeyError, TypeError, OSError):  # a proxy's answer
        return RefusedError(error.code, error.reason, code=None)
