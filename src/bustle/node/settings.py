"""The settings of a node: one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bustle.core.config import apply_overrides, from_mapping
from bustle.core.errors import InputError
from bustle.core.object_formats import ObjectFormat
from bustle.core.recipe import read_yaml

Megabytes = int
MB = 1_000_000
"""Bytes."""
LONGEST_TITLE = 16


@dataclass(frozen=True, kw_only=True)
class Tls:
    """PEM files: `certificate` and `key` show who this node is, `trusted` are those whose word is taken for others.

    With `trusted` a sender without a certificate of theirs is not let in.
    """

    certificate: Path
    key: Path
    trusted: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DicomStation:
    """One that the node calls, over TLS where `encrypted`, with the node's own certificates."""

    ae: str
    host: str
    port: int
    encrypted: bool = False

    def __post_init__(self) -> None:
        check_title(self.ae)
        _check_port(self.port)


@dataclass(frozen=True, kw_only=True)
class DicomArchive(DicomStation):
    """Answers go there by C-STORE."""

    to: Literal["dicom"] = "dicom"


@dataclass(frozen=True, kw_only=True)
class PriorSource(DicomStation):
    """It is asked for a patient's earlier studies by C-FIND, and sends them to the node's own title by C-MOVE.

    Of `modality`, of the last `years` years before the study that came, and the latest `most` of them.
    """

    modality: str = "US"
    years: float = 5.0
    most: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.years <= 100 or self.most < 1:
            raise ValueError("years must be above 0 and at most 100, most 1 or more")


@dataclass(frozen=True, kw_only=True)
class WebServer:
    """A DICOMweb server. `password` is a file that holds nothing else; `trusted` a PEM file."""

    url: str
    user: str | None = None
    password: Path | None = None
    trusted: Path | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")


@dataclass(frozen=True, kw_only=True)
class WebArchive(WebServer):
    """Answers go there by STOW-RS."""

    to: Literal["dicomweb"] = "dicomweb"


@dataclass(frozen=True, kw_only=True)
class WebSource(WebServer):
    """Images are fetched from there by QIDO-RS and WADO-RS: of `modality`, of studies of the last `days` days.

    It is asked every `every_seconds`.
    """

    modality: str = "US"
    days: int = 1
    every_seconds: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.days < 1 or self.every_seconds <= 0:
            raise ValueError("days must be 1 or more, every_seconds above 0")


Archive = DicomArchive | WebArchive


@dataclass(frozen=True, kw_only=True)
class Limits:
    """In MB (10^6 bytes): `instance` the largest image or clip, `study` the largest study, `free` what stays free.

    Memory may have to hold `associations` instances at a time.
    """

    instance: Megabytes = 512
    study: Megabytes = 8000
    free: Megabytes = 2000
    associations: int = 4
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.instance < 1 or self.free < 0 or self.associations < 1 or self.idle_seconds <= 0:
            raise ValueError("instance and associations must be 1 or more, free 0 or more, idle_seconds above 0")
        if self.study < self.instance:
            raise ValueError("study must not be less than instance")


@dataclass(frozen=True, kw_only=True)
class DriftLimits:
    """When a device's month raises a warning: with `fewest` answers or more.

    `other_pictures` is the highest share that may be no breast ultrasound. From the months before, no decision's
    share may differ by more than `decision`, and the median probability of malignant by no more than `probability`.
    """

    fewest: int = 50
    other_pictures: float = 0.2
    decision: float = 0.2
    probability: float = 0.2


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """`senders` are the AE titles that may send, `sources` are asked for images, `priors` for earlier studies.

    Answers go to every one of `answers`, as objects of these `formats`.

    A study is read when nothing of it has come for `quiet_seconds`. `data` is the node's own folder. `model` is a run
    or a package (None: the shipped one), `database` a URL (None: a file in `data`). What was answered is deleted from
    `data` after `keep_days`, what failed and was not tried again after `keep_failed_days`.
    """

    ae: str = "BUSTLE"
    host: str = "127.0.0.1"
    port: int = 11112
    data: Path
    senders: tuple[str, ...] = ()
    sources: tuple[WebSource, ...] = ()
    priors: PriorSource | None = None
    answers: tuple[Archive, ...]
    formats: tuple[ObjectFormat, ...] = ("seg", "sr")
    quiet_seconds: float = 30.0
    model: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    database: str | None = None
    keep_days: float = 7.0
    keep_failed_days: float = 30.0
    tls: Tls | None = None
    limits: Limits = Limits()
    drift: DriftLimits = DriftLimits()

    def __post_init__(self) -> None:
        for title in (self.ae, *self.senders):
            check_title(title)
        _check_port(self.port)
        if not self.answers or not self.formats or not (self.senders or self.sources):
            raise ValueError("answers and formats must not be empty, and there must be senders or sources")
        for name in ("keep_days", "keep_failed_days"):
            if any(source.days >= getattr(self, name) for source in self.sources):
                raise ValueError(f"{name} must be more than the days of a source, which would be fetched again")
        if any(source.every_seconds >= self.quiet_seconds for source in self.sources):
            raise ValueError(
                "quiet_seconds must be more than every_seconds of a source, or studies are read in parts"
            )
        if min(self.quiet_seconds, self.keep_days, self.keep_failed_days) < 0:
            raise ValueError("quiet_seconds, keep_days and keep_failed_days must be 0 or more")
        if self.priors is not None and not self.senders:
            raise ValueError("priors need senders: the archive sends what it is asked for")
        called = (*self.answers, self.priors)
        if self.tls is None and any(isinstance(each, DicomStation) and each.encrypted for each in called):
            raise ValueError("an encrypted archive needs tls, the certificates of this node")


def check_title(title: str) -> None:
    """Raises `ValueError` for what is no AE title."""
    if not 1 <= len(title) <= LONGEST_TITLE or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ValueError(f"'{title[:40]}' is no AE title, which has 1 to {LONGEST_TITLE} plain characters")
    if title != title.strip():
        raise ValueError(f"the AE title '{title}' begins or ends with a blank")


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} must lie between 1 and 65535")


def read_settings(path: Path, *, overrides: Sequence[str] = ()) -> NodeSettings:
    """Read the file and apply `key.path=value` overrides; its relative paths are beside it.

    Raises `InputError` for a file that is missing, is no YAML, or has keys or values that do not fit.
    """
    content = read_yaml(path)
    try:
        settings = from_mapping(NodeSettings, apply_overrides(content, overrides), where="node")
    except InputError as error:
        error.path = path
        raise
    return _beside(settings, path.parent)


def _beside(settings: Any, folder: Path) -> Any:
    """The same with every relative path taken from `folder`."""
    if isinstance(settings, Path):
        return folder / settings.expanduser()
    if isinstance(settings, tuple):
        return tuple(_beside(each, folder) for each in settings)
    if is_dataclass(settings) and not isinstance(settings, type):
        changes: Mapping[str, Any] = {f.name: _beside(getattr(settings, f.name), folder) for f in fields(settings)}
        return replace(settings, **changes)
    return settings
