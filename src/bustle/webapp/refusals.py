"""Why the page does not do something: each reason has a code that stays, and other languages say it by that."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from fastapi import HTTPException
from fastapi.responses import JSONResponse


class Why(Enum):
    """The status of HTTP, and the words, in which values stand in braces."""

    WRONG_HOST = 421, "this server is not known by that name; open the address that it printed"
    OTHER_SITE = 403, "another site may not change anything here"
    NOT_SIGNED_IN = 401, "sign in, or open the address that the server printed"
    WRONG_CSRF = 403, "the header {header} is missing or wrong; load the page again"
    OWN_PASSWORD_FIRST = 403, "set a password of your own first"
    ROLE_TOO_LOW = 403, "this is for those who have the role {role}"
    WRONG_PASSWORD = 401, "the name or the password is wrong, or the account is closed"
    TOO_MANY_TRIES = 429, "too many tries; wait {seconds} s"
    NOT_BY_PASSWORD = 403, "a password is changed by whoever is signed in with it"
    OWN_ACCOUNT = 403, "nobody changes their own account; ask another admin"
    NOT_BY_TOKEN = 403, "a token makes no tokens; sign in"
    NO_TOKEN = 404, "there is no such token"
    NO_ACCOUNT = 403, "whoever started the server has no account; sign in with one"
    BEGUN_ELSEWHERE = 403, "this sign-in was begun elsewhere; begin again"
    ACCOUNT_CLOSED = 403, "the account is closed"
    NO_PROVIDER = 404, "the server was started without a provider"
    PROVIDER_AWAY = 503, "the provider of accounts does not answer; try again, or ask who keeps it"
    PROVIDER_ANSWER = 403, "what the provider of accounts says is refused; begin again, or ask who keeps it"
    SIGN_IN_TOO_LONG = 403, "signing in took too long; begin again"
    NO_ROLE = 403, "your account may not use this page; ask who keeps it"

    NO_DROP = 404, "there is no such drop"
    NO_FILES = 409, "the drop has no files"
    DROP_BEGUN = 409, "the drop is being read already; begin another"
    TOO_MANY_FILES = 409, "a drop has at most {most} files; begin another"
    TOO_LARGE = 413, "the file is larger than {most} MB"
    NO_UPLOAD = 404, "there is no such upload"
    UPLOAD_BUSY = 409, "another request is sending this file"
    OTHER_OFFSET = 409, "{sent} bytes have arrived; go on there"
    MORE_THAN_ANNOUNCED = 413, "the file was announced with {size} bytes"

    NO_CASE = 404, "there is no such case"
    NO_PATIENT = 404, "there is no case of this patient"
    NOT_READ = 404, "its file could not be read"
    NO_EXPLANATION = 404, "there is no such explanation"
    OTHER_MODEL = 409, "the model that made this answer is not in use any more, or draws no outline"
    NO_EXPORT = 409, "only of single images, and of volumes that a model has read, there are files"
    NO_OBJECT = 422, "only of DICOM files there are DICOM objects"
    NO_IMAGE = 409, "only single images are read on the page"
    NO_CLIP = 404, "it is no clip"
    NO_FRAME = 404, "the clip has no such frame"
    NO_VOLUME = 404, "it is no volume"
    NO_SLICE = 404, "the volume has no such slice"
    NO_OUTLINE = 404, "nothing is outlined in it"

    NOT_FOR_READING = 409, "only single images, and volumes that a model has read, are read on the page"
    VOLUME_OUTLINES = 422, "what is outlined in a volume is not corrected on the page; accept or reject it"
    OUTLINES_OR_NONE = 422, "a corrected reading has outlines, others have none"
    OTHER_NAME = 422, "you are signed in as {name} and sign so"
    NAME_MISSING = 422, "write the name of whoever signs"
    CHANGED = 409, "somebody else has changed this case since you opened it; look at theirs before you save yours"
    SIGNED = 409, "the case is signed; what is signed is not changed"
    NOT_SIGNED = 409, "the case is not signed yet; change its reading instead"
    FIRST_READER = 409, "you have signed the first reading; the second is somebody else's"
    READ_ALREADY = 409, "you have read this case already; write an addendum"
    ADMIN_DELETES = 403, "the case is signed; only an admin deletes it"
    BEING_READ = 409, "its drop is still being read; delete it after that"

    DISK_FULL = 507, "no space is left on the server's disk; what was sent last is not kept: free some and try again"
    DATABASE_AWAY = 503, "the database is busy or away; try again"
    WRONG_REQUEST = 422, "the request is wrong: {told}"
    UNFIT_FOR_DATABASE = 422, "the request holds what the database cannot"
    CONNECTION_LOST = 400, "the connection was lost"

    @property
    def code(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def words(self) -> str:
        return self.value[1]


class Refusal(HTTPException):
    """Something that is not done, and why; `values` are those in its words."""

    def __init__(self, why: Why, *, headers: Mapping[str, str] | None = None, **values: str | int):
        super().__init__(why.value[0], why.words.format(**values), headers=None if headers is None else dict(headers))
        self.why = why
        self.values = values

    def answer(self) -> JSONResponse:
        """As a `Problem`."""
        told = {"detail": self.detail, "code": self.why.code, "values": self.values}
        return JSONResponse(told, self.status_code, headers=self.headers)
