"""The server as an ASGI application: routes, guard, page, and the worker beside them in the same process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from starlette.requests import ClientDisconnect

from bustle.core.errors import InputError
from bustle.core.provenance import installed_version
from bustle.inference.predictor import Predictor
from bustle.jobs.ledger import Jobs
from bustle.jobs.stage import Patience, Stage
from bustle.jobs.worker import Worker
from bustle.report.disclaimer import DISCLAIMER
from bustle.webapp import (
    account_routes,
    case_routes,
    clip_routes,
    drop_routes,
    patient_routes,
    provider_routes,
    signed_routes,
    upload_routes,
    volume_routes,
)
from bustle.webapp.access import Access, AtLeast, least_role
from bustle.webapp.agreement import agreement_of
from bustle.webapp.agreement_messages import Agreement
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import alone_in, jobs_url, open_database, page_url
from bustle.webapp.demo_cases import add_demo_cases
from bustle.webapp.description import describe
from bustle.webapp.full_disk import is_full_disk
from bustle.webapp.guard import guard
from bustle.webapp.messages import About, Problem
from bustle.webapp.model_in_use import ModelInUse
from bustle.webapp.provider import Provider, ProviderSettings
from bustle.webapp.pseudonym_salt import keep_salt
from bustle.webapp.read_drop import DropReader, told
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, CurrentSession, PageSettings, Server
from bustle.webapp.unfinished_drops import remove_unsent, submit_begun

STATIC = Path(__file__).parent / "static"
LIST, STAGE = "page", "read"
LEAST_ROLE, ANYBODY = "x-least-role", "anybody"
"""In the description of each route: whom it is for."""

MOST_TOLD = 5
"""Of all that is wrong with one request."""

PATIENCE = Patience(attempts=3, first_wait=2.0)


def make_app(server: Server, access: Access) -> FastAPI:
    """The application of a server that is open."""
    app = FastAPI(
        title="bustle",
        summary="Breast ultrasound: drop a scan, read the answer, correct and sign it.",
        description=DISCLAIMER,
        version=installed_version() or "unreleased",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    app.state.access = access
    server_routes = APIRouter(tags=["server"], dependencies=[Depends(AtLeast("reader"))])
    server_routes.add_api_route("/api/about", about, responses={401: {"model": Problem}})
    server_routes.add_api_route("/api/agreement", agreement, dependencies=[Depends(AtLeast("reviewer"))])
    routers = (
        drop_routes,
        upload_routes,
        case_routes,
        clip_routes,
        volume_routes,
        patient_routes,
        signed_routes,
        account_routes,
        provider_routes,
    )
    for router in (*(routes.router for routes in routers), server_routes):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            route.openapi_extra = {**(route.openapi_extra or {}), LEAST_ROLE: least_role(route) or ANYBODY}
        app.include_router(router)
    describe(app, role_key=LEAST_ROLE)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(ClientDisconnect, _connection_lost)
    guard(app, access)
    if STATIC.is_dir():
        app.add_route("/", _page, include_in_schema=False)
        app.mount("/", StaticFiles(directory=STATIC), name="page")
    return app


@contextmanager
def open_server(settings: PageSettings) -> Iterator[Server]:
    """Open what the routes share, and the worker. Raises `InputError` for a model or a folder that is none."""
    with ExitStack() as stack:
        data = DataFolder.at(settings.data, settings.storage)
        data.make()
        keep_salt(data)
        model = ModelInUse(Predictor.open(settings.model))
        sessions = open_database(page_url(data, settings.database))
        stack.callback(sessions.kw["bind"].dispose)
        stack.enter_context(alone_in(sessions.kw["bind"]))
        remove_unsent(sessions, data)
        url = jobs_url(data, settings.database)
        reader = DropReader(sessions, data, model.predictor, _volume_predictor(settings))
        stack.enter_context(_warming_up(reader))
        stage = Stage(name=STAGE, work=reader.read, patience=PATIENCE)
        stack.enter_context(Worker(url, name=LIST, stages=[stage], poll=settings.poll))
        jobs = stack.enter_context(Jobs(url, name=LIST, stages=[STAGE]))
        submit_begun(sessions, jobs)
        provider = None
        if settings.sign_in is not None:
            provider = Provider(ProviderSettings.read(settings.sign_in), beside=settings.sign_in.parent)
        server = Server(settings=settings, data=data, sessions=sessions, model=model, jobs=jobs, provider=provider)
        if settings.demo:
            add_demo_cases(server)
        yield server


def _volume_predictor(settings: PageSettings) -> Predictor | None:
    """Raises `InputError` for a model that takes images."""
    if settings.volume_model is None:
        return None
    predictor = Predictor.open(settings.volume_model)
    if len(predictor.data.size) != 3:
        raise InputError("takes images, not volumes", remedy="give it as --model", path=settings.volume_model)
    return predictor


def agreement(server: CurrentServer, session: CurrentSession) -> Agreement:
    """How far those who read, those who read again and the model agree on what is signed."""
    return agreement_of(session, server.data, server.rated)


@contextmanager
def _warming_up(reader: DropReader) -> Iterator[None]:
    """The model is warm before the first scan comes, and the page answers meanwhile."""
    thread = threading.Thread(target=reader.warm_up, name="warm-up")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def about(server: CurrentServer) -> About:
    """Which model answers, and within which limits."""
    predictor = server.model.predictor
    return About(
        version=installed_version() or "unreleased",
        model=predictor.title,
        model_digest=server.model.digest,
        classes=list(predictor.data.classes),
        refer_band=server.model.refer_band(),
        lesion_band=server.model.presence_band(),
        most_bytes=server.settings.most_bytes,
        disclaimer=DISCLAIMER,
    )


async def _page(request: Request) -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return error.answer()


async def _input_error(request: Request, error: Exception) -> JSONResponse:
    """What is wrong with what was sent, in one line; of a disk, that it is not the sender's fault."""
    assert isinstance(error, InputError)
    if is_full_disk(error):
        return Refusal(Why.DISK_FULL).answer()
    return JSONResponse({"detail": told(error)}, 500 if isinstance(error.__cause__, OSError) else 422)


async def _connection_lost(request: Request, error: Exception) -> JSONResponse:
    """Nobody hears it; a sender who comes back goes on."""
    return Refusal(Why.CONNECTION_LOST).answer()


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    if is_full_disk(error):
        return Refusal(Why.DISK_FULL).answer()
    if isinstance(error, DataError):  # such as a zero in a name, which PostgreSQL does not take
        return Refusal(Why.UNFIT_FOR_DATABASE).answer()
    if isinstance(error, OperationalError):
        return Refusal(Why.DATABASE_AWAY).answer()
    raise error


async def _wrong_request(request: Request, error: Exception) -> JSONResponse:
    """Where a request is wrong, without what stood there: it may be a patient's, and no JSON at all."""
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:MOST_TOLD]]
    return Refusal(Why.WRONG_REQUEST, told="; ".join(told)).answer()
