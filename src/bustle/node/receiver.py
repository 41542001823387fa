"""The DICOM side that listens: C-ECHO and C-STORE from known stations, on the disk before they hear of success."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bustle.core.errors import InputError
from bustle.io.dicom.image import RECEIVED_CLASSES
from bustle.io.dicom.own_results import is_result
from bustle.io.dicom.quiet_pydicom import quiet_pydicom
from bustle.io.dicom.transfer_syntaxes import RECEIVED_SYNTAXES
from bustle.node.incoming import DiskFullError, Incoming, is_uid
from bustle.node.quiet import hush_libraries
from bustle.node.settings import MB, NodeSettings, Tls

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.events import Event

log = logging.getLogger(__name__)

# PS3.4, annex B.2.3, and PS3.7, annex C.
SUCCESS, OUT_OF_RESOURCES, OTHER_CLASS, CLASS_NOT_SUPPORTED = 0x0000, 0xA700, 0xA900, 0x0122
CANNOT_BE_READ, OTHER_CONTENT, STUDY_TOO_LARGE = 0xC210, 0xC211, 0xC212

_CLASSES_OF_ANSWERS = (
    "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.104.1",  # Encapsulated PDF
)
"""An archive that sends a whole study sends the answers with it, and must not hear of a failure."""

_ASKED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "ManufacturerModelName", "ContentQualification")


class Receiver:
    """Listens to the `senders` of the settings, of which there are some, from `start` to `stop`.

    `on_arrival` hears of each study of which something new came, by its UID.
    """

    def __init__(self, settings: NodeSettings, incoming: Incoming, *, on_arrival: Callable[[str], None]):
        self._settings = settings
        self._incoming = incoming
        self._on_arrival = on_arrival
        self._unfinished: dict[int, int] = {}
        self._server: Any = None

    @property
    def port(self) -> int:
        """The one that it listens at, also where any free one was asked for."""
        return self._server.server_address[1]

    def start(self) -> None:
        """Raises `InputError` where the port is taken or certificates cannot be read."""
        from pynetdicom.ae import ApplicationEntity
        from pynetdicom.events import EVT_C_STORE, EVT_CONN_CLOSE, EVT_DIMSE_RECV, EVT_PDU_RECV, EVT_REJECTED
        from pynetdicom.sop_class import Verification  # pyright: ignore[reportAttributeAccessIssue]

        hush_libraries()
        settings, limits = self._settings, self._settings.limits
        entity = ApplicationEntity(settings.ae)
        entity.require_called_aet = True
        entity.require_calling_aet = list(settings.senders)
        entity.maximum_associations = limits.associations
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = limits.idle_seconds
        entity.add_supported_context(Verification)
        for uid in (*RECEIVED_CLASSES, *_CLASSES_OF_ANSWERS):
            entity.add_supported_context(uid, list(RECEIVED_SYNTAXES))
        handlers: list[Any] = [
            (EVT_C_STORE, self._store),
            (EVT_PDU_RECV, self._count),
            (EVT_DIMSE_RECV, self._forget),
            (EVT_CONN_CLOSE, self._forget),
            (EVT_REJECTED, _tell_of_stranger),
        ]
        context = None if settings.tls is None else server_context(settings.tls)
        try:
            self._server = entity.start_server(
                (settings.host, settings.port), block=False, ssl_context=context, evt_handlers=handlers
            )
        except OSError as error:
            raise InputError(
                f"{settings.ae} cannot listen at {settings.host}:{settings.port} ({error.strerror})",
                remedy="choose another host or port, or stop what listens there",
            ) from None

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Event) -> int:
        request: Any = event.request
        content = event.encoded_dataset()
        if not self._incoming.has_room(len(content)):
            log.error("the disk is full: an instance was not accepted")
            return OUT_OF_RESOURCES
        try:
            found = _read(content)
        except Exception:  # a stranger's bytes can make a parser raise almost anything
            log.warning("something that cannot be read was not accepted")
            return CANNOT_BE_READ
        study, instance = str(found.get("StudyInstanceUID", "")), str(found.get("SOPInstanceUID", ""))
        if not is_uid(study) or not is_uid(instance):
            log.warning("an instance without proper identifiers was not accepted")
            return CANNOT_BE_READ
        if (instance, found.get("SOPClassUID")) != (request.AffectedSOPInstanceUID, request.AffectedSOPClassUID):
            log.warning("%s was announced as another instance and not accepted", instance)
            return OTHER_CLASS
        if is_result(found):
            return SUCCESS  # and it is not kept: it is no image to read
        if request.AffectedSOPClassUID not in RECEIVED_CLASSES:
            return CLASS_NOT_SUPPORTED
        return self._keep(content, study=study, instance=instance)

    def _keep(self, content: bytes, *, study: str, instance: str) -> int:
        try:
            kept = self._incoming.keep(content, study=study, instance=instance)
        except DiskFullError:
            log.error("the disk is full: %s was not accepted", instance)
            return OUT_OF_RESOURCES
        except InputError as error:
            log.error("%s was not accepted: %s", instance, error.in_results())
            return OUT_OF_RESOURCES
        if kept == "other content":
            log.warning("%s was not accepted: another one of the same identifier is there", instance)
            return OTHER_CONTENT
        if kept == "study too large":
            log.warning("%s was not accepted: its study is larger than %d MB", instance, self._settings.limits.study)
            return STUDY_TOO_LARGE
        if kept == "new":
            self._on_arrival(study)
        return SUCCESS

    def _count(self, event: Event) -> None:
        """End an association whose message grows too large: it would fill the memory before anybody looks at it."""
        pdu: Any = event.pdu  # pyright: ignore[reportAttributeAccessIssue]
        size = self._unfinished.get(id(event.assoc), 0) + getattr(pdu, "pdu_length", 0)
        self._unfinished[id(event.assoc)] = size
        if size > self._settings.limits.instance * MB:
            log.warning("an instance of more than %d MB was not accepted", self._settings.limits.instance)
            self._unfinished.pop(id(event.assoc))
            event.assoc.abort(block=False)

    def _forget(self, event: Event) -> None:
        self._unfinished.pop(id(event.assoc), None)


def _read(content: bytes) -> Dataset:
    import pydicom

    with quiet_pydicom():
        found = pydicom.dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=list(_ASKED))
        for name in _ASKED:
            found.get(name)  # values are converted when they are asked for
    return found


def _tell_of_stranger(event: Event) -> None:
    log.warning("an association from %s was refused", event.assoc.requestor.address)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Raises `InputError` for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    if tls.trusted is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """Raises `InputError` for files that cannot be used."""
    context = ssl.create_default_context()
    _load(context, tls)
    return context


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.trusted is not None:
            context.load_verify_locations(tls.trusted)
    except OSError as error:  # of which SSLError is one
        raise InputError(
            f"the certificates cannot be used ({error.strerror or error})",
            remedy="give PEM files of a certificate and its key",
            path=tls.certificate,
        ) from None
