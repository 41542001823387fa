"""The part of the API that signs people in with the accounts of an OpenID Connect provider."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from bustle.core.printable import printable
from bustle.webapp.access import Access, OpenToAll
from bustle.webapp.accounts import begin_session, change_role
from bustle.webapp.audit_trail import note
from bustle.webapp.guard import set_cookie
from bustle.webapp.messages import Problem
from bustle.webapp.passwords import hashed
from bustle.webapp.provider import LONGEST_SIGN_IN, Provider, ProviderPerson
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, Server
from bustle.webapp.tables import Account, now
from bustle.webapp.told_refusal import tell_refusal

PROVIDER = "provider"
"""In the audit trail: whoever says which role a person has."""

router = APIRouter(
    prefix="/api/provider",
    tags=["people"],
    responses={code: {"model": Problem} for code in (403, 404, 422)},
    dependencies=[Depends(OpenToAll())],
)


@router.get("", status_code=303, response_class=RedirectResponse)
def go_to_provider(request: Request, server: CurrentServer) -> Response:
    """Lead a browser to the provider that the server was started with; 404 without one."""
    address, state = _provider(server).begin(_back(request))
    response = RedirectResponse(address, status_code=303)
    # Lax: the provider's site leads the browser back here.
    response.set_cookie(
        _cookie(request),
        state,
        max_age=int(LONGEST_SIGN_IN),
        httponly=True,
        samesite="lax",
        secure=_access(request).is_encrypted(request),
        path="/api/provider",
    )
    return response


@router.get("/back", status_code=303, response_class=RedirectResponse)
def come_back(
    request: Request,
    server: CurrentServer,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Where the provider leads a browser to: back to the page, signed in or told why not (`refused` of a session)."""
    provider = _provider(server)
    response = RedirectResponse("/", status_code=303)
    address = "unknown" if request.client is None else request.client.host
    try:
        if not secrets.compare_digest(state.encode(), request.cookies.get(_cookie(request), "").encode()):
            raise Refusal(Why.BEGUN_ELSEWHERE)
        person = provider.finish(state, code, _back(request))
        set_cookie(response, request, _signed_in(server, person, address=address))
    except Refusal as refusal:
        tell_refusal(response, refusal)
    response.delete_cookie(_cookie(request), path="/api/provider")
    return response


def _signed_in(server: Server, person: ProviderPerson, *, address: str) -> str:
    """The secret of a session of the person's account, which is made at the first time and has their present role."""
    name = f"sso-{hashlib.sha256(person.subject.encode()).hexdigest()[:16]}"
    with server.sessions.begin() as session:
        account = session.scalar(select(Account).where(Account.name == name))
        if account is None:
            account = Account(
                id=secrets.token_hex(8),
                name=name,
                full_name=printable(person.full_name)[:200],
                role=person.role,
                password=hashed(secrets.token_urlsafe(32)),  # which nobody is told
                is_first_password=False,
                is_open=True,
                made=now(),
            )
            session.add(account)
            session.flush()
            note(session, PROVIDER, "account added", account=name, role=person.role)
        if not account.is_open:
            raise Refusal(Why.ACCOUNT_CLOSED)
        change_role(session, account, person.role, by=PROVIDER)
        return begin_session(session, account, address=address)


def _provider(server: Server) -> Provider:
    if server.provider is None:
        raise Refusal(Why.NO_PROVIDER)
    return server.provider


def _back(request: Request) -> str:
    return f"{_access(request).site(request)}/api/provider/back"


def _access(request: Request) -> Access:
    return request.app.state.access


def _cookie(request: Request) -> str:
    return f"bustle_provider_{urlsplit(str(request.url)).port or 80}"
