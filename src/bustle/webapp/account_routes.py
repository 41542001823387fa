"""The part of the API about people: signing in and out, passwords, accounts, tokens and the audit trail."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from bustle.webapp.access import AtLeast, CurrentPerson, OpenToAll, Person, person_or_none
from bustle.webapp.account_messages import (
    AccountChange,
    AccountInfo,
    AuditLine,
    Credentials,
    FirstPassword,
    NewAccount,
    NewPassword,
    NewToken,
    PersonInfo,
    SessionInfo,
    TokenInfo,
    TokenSecret,
)
from bustle.webapp.accounts import (
    add_account,
    all_accounts,
    change_password,
    change_role,
    digest_of,
    has_accounts,
    make_token,
    named_account,
    new_first_password,
    open_or_close,
    sign_in,
    sign_out,
)
from bustle.webapp.audit_trail import note
from bustle.webapp.guard import set_cookie
from bustle.webapp.messages import Problem, Responses
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.server import CurrentServer, CurrentSession, Server
from bustle.webapp.tables import Account, AuditEvent, Token
from bustle.webapp.told_refusal import told_refusal

MOST_LINES = 500

REFUSED: Responses = {code: {"model": Problem} for code in (401, 403, 422)}
router = APIRouter(prefix="/api", tags=["people"], responses=REFUSED)
admins = [Depends(AtLeast("admin"))]
readers = [Depends(AtLeast("reader"))]
anybody = [Depends(OpenToAll())]


@router.get("/session", dependencies=anybody)
def show_session(
    request: Request,
    response: Response,
    session: CurrentSession,
    server: CurrentServer,
    person: Annotated[Person | None, Depends(person_or_none)],
) -> SessionInfo:
    """Who is signed in, what every change has to show, and how people sign in; anybody may ask."""
    return SessionInfo(
        person=None if person is None else _person_info(person),
        csrf=None if person is None else person.csrf,
        has_accounts=has_accounts(session),
        has_provider=server.provider is not None,
        refused=told_refusal(request, response),
    )


@router.post("/session", dependencies=anybody, status_code=204, responses={429: {"model": Problem}})
def begin_session(given: Credentials, request: Request, response: Response, server: CurrentServer) -> None:
    """Sign in. 429 with `Retry-After` for whoever has tried too often."""
    address = "unknown" if request.client is None else request.client.host
    name, origin = f"name {given.name.strip().lower()}", f"address {address}"
    _check_tries(server, name, origin)
    secret = sign_in(server.sessions, given.name, given.password, address=address)
    if secret is None:
        server.limits.failed(name, origin)
        raise Refusal(Why.WRONG_PASSWORD)
    server.limits.succeeded(name)
    set_cookie(response, request, secret)


@router.delete("/session", dependencies=readers, status_code=204)
def end_session(request: Request, response: Response, session: CurrentSession, person: CurrentPerson) -> None:
    """Sign out."""
    if person.cookie is not None:
        sign_out(session, person.cookie)
        response.delete_cookie(request.app.state.access.cookie(request))


@router.post("/password", dependencies=readers, status_code=204)
def set_password(new: NewPassword, session: CurrentSession, person: CurrentPerson, server: CurrentServer) -> None:
    """Set a password of one's own; one's other sessions end."""
    account = _own_account(session, person)
    if person.by != "session":
        raise Refusal(Why.NOT_BY_PASSWORD)
    _check_tries(server, f"password {account.name}")
    server.limits.failed(f"password {account.name}")
    change_password(session, account, old=new.old, new=new.new, keep=digest_of(person.cookie or ""))
    server.limits.succeeded(f"password {account.name}")


@router.get("/people", dependencies=admins)
def list_people(session: CurrentSession) -> list[AccountInfo]:
    """All accounts by name."""
    return [_account_info(one) for one in all_accounts(session)]


@router.post("/people", dependencies=admins, status_code=201)
def add_person(new: NewAccount, session: CurrentSession, person: CurrentPerson) -> FirstPassword:
    """Make an account; its first password is told once."""
    password = add_account(session, new.name, full_name=new.full_name, role=new.role, by=person.name)
    return FirstPassword(name=new.name, password=password)


@router.patch("/people/{name}", dependencies=admins)
def change_person(name: str, change: AccountChange, session: CurrentSession, person: CurrentPerson) -> AccountInfo:
    """Give another role, or close and open an account. Nobody does that to their own."""
    account = named_account(session, name)
    if account.id == person.account:
        raise Refusal(Why.OWN_ACCOUNT)
    if change.role is not None:
        change_role(session, account, change.role, by=person.name)
    if change.is_open is not None:
        open_or_close(session, account, is_open=change.is_open, by=person.name)
    return _account_info(account)


@router.post("/people/{name}/password", dependencies=admins, status_code=201)
def reset_password(name: str, session: CurrentSession, person: CurrentPerson) -> FirstPassword:
    """Another first password, told once, for whoever has forgotten theirs."""
    account = named_account(session, name)
    return FirstPassword(name=name, password=new_first_password(session, account, by=person.name))


@router.get("/tokens", dependencies=readers)
def list_tokens(session: CurrentSession, person: CurrentPerson) -> list[TokenInfo]:
    """One's own, without what a program shows."""
    found = session.scalars(select(Token).where(Token.account_id == person.account).order_by(Token.made, Token.id))
    return [_token_info(one) for one in found]


@router.post("/tokens", dependencies=readers, status_code=201)
def add_token(new: NewToken, session: CurrentSession, person: CurrentPerson) -> TokenSecret:
    """A token that stands for oneself; what a program has to show is told once."""
    account = _own_account(session, person)
    if person.by == "token":
        raise Refusal(Why.NOT_BY_TOKEN)
    token, secret = make_token(session, account, title=new.title, days=new.days)
    return TokenSecret(**_token_info(token).model_dump(), secret=secret)


@router.delete("/tokens/{token_id}", dependencies=readers, status_code=204, responses={404: {"model": Problem}})
def revoke_token(token_id: str, session: CurrentSession, person: CurrentPerson) -> None:
    """End a token of one's own."""
    token = session.get(Token, token_id)
    if token is None or token.account_id != person.account:
        raise Refusal(Why.NO_TOKEN)
    session.delete(token)
    note(session, person.name, "token revoked", token=token_id)


@router.get("/audit", dependencies=admins)
def show_audit(
    session: CurrentSession,
    case: Annotated[str | None, Query(max_length=32)] = None,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    most: Annotated[int, Query(ge=1, le=MOST_LINES)] = 100,
) -> list[AuditLine]:
    """The audit trail, the newest first: of one case where one is named, and of lines `before` one for the next."""
    lines = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(most)
    if case is not None:
        lines = lines.where(AuditEvent.case_id == case)
    if before is not None:
        lines = lines.where(AuditEvent.id < before)
    return [AuditLine.of(one) for one in session.scalars(lines)]


def _check_tries(server: Server, *tried: str) -> None:
    seconds = math.ceil(server.limits.wait(*tried))
    if seconds > 0:
        raise Refusal(Why.TOO_MANY_TRIES, headers={"Retry-After": str(seconds)}, seconds=seconds)


def _person_info(person: Person) -> PersonInfo:
    return PersonInfo(name=person.name, full_name=person.full_name, role=person.role, must_change=person.must_change)


def _own_account(session: Session, person: Person) -> Account:
    if person.account is None:
        raise Refusal(Why.NO_ACCOUNT)
    return session.get_one(Account, person.account)


def _account_info(account: Account) -> AccountInfo:
    return AccountInfo(
        name=account.name,
        full_name=account.full_name,
        role=account.role,
        is_open=account.is_open,
        is_first_password=account.is_first_password,
        made=account.made,
    )


def _token_info(token: Token) -> TokenInfo:
    return TokenInfo(id=token.id, title=token.title, made=token.made, ends=token.ends)
