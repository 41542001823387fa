"""How a node calls a DICOM station."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bustle.core.errors import InputError
from bustle.jobs.stage import PostponedError
from bustle.node.receiver import client_context
from bustle.node.settings import DicomStation, NodeSettings

if TYPE_CHECKING:
    from pynetdicom.association import Association

_TIMEOUT = 60.0


class NoAssociationError(PostponedError):
    """A station is away or refuses this node: whatever else is meant for it can wait, too."""


@contextlib.contextmanager
def association(
    station: DicomStation, settings: NodeSettings, *, contexts: Iterable[tuple[str, str | None]]
) -> Iterator[Association]:
    """An association for these SOP classes, each with its transfer syntax or, for None, the usual ones.

    Raises `NoAssociationError` where there is none.
    """
    from pynetdicom.ae import ApplicationEntity

    entity = ApplicationEntity(settings.ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = _TIMEOUT
    for uid, syntax in contexts:
        entity.add_requested_context(uid, syntax)
    options: dict[str, Any] = {}
    if station.encrypted:
        assert settings.tls is not None  # as the settings make sure
        try:
            options["tls_args"] = (client_context(settings.tls), station.host)
        except InputError as error:  # they may be in the middle of being renewed
            raise NoAssociationError(error.in_results()) from None
    made = entity.associate(station.host, station.port, ae_title=station.ae, **options)
    if not made.is_established:
        what = "refuses this node" if made.is_rejected else "cannot be reached"
        raise NoAssociationError(f"{station.ae} at {station.host}:{station.port} {what}")
    try:
        yield made
    finally:
        made.release()
