"""Accounts: who may sign in, with what password, and the tokens that stand for them."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from functools import cache

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError
from bustle.core.printable import printable
from bustle.webapp.audit_trail import note
from bustle.webapp.passwords import check_new, first_password, hashed, is_right
from bustle.webapp.roles import Role
from bustle.webapp.tables import Account, SignedIn, Token, now

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
LONGEST_IDLE, LONGEST_SESSION = timedelta(hours=1), timedelta(hours=12)
LEAST_NEWS = timedelta(minutes=1)
"""When a session was seen is written so often and no more."""

TOKEN_MARK = "bustle_"
"""Every token begins so: whoever finds one somewhere knows what it is."""

OWNER = "owner"
"""In the audit trail: whoever started the server."""


def add_account(session: Session, name: str, *, full_name: str, role: Role, by: str) -> str:
    """Returns the first password, which nobody can be told again. Raises `InputError` for a name that is no good."""
    if not _NAME.fullmatch(name) or name == OWNER:
        raise InputError(
            f"'{printable(name)[:64]}' is no name of an account",
            remedy=f"take up to 64 small letters, digits, dots, dashes, not {OWNER}",
        )
    if session.scalar(select(Account.id).where(Account.name == name)) is not None:
        raise InputError(f"there is an account '{name}' already", remedy="take another name, or open that one")
    password = first_password()
    account = Account(
        id=secrets.token_hex(8),
        name=name,
        full_name=full_name.strip() or name,
        role=role,
        password=hashed(password),
        is_first_password=True,
        is_open=True,
        made=now(),
    )
    session.add(account)
    note(session, by, "account added", account=name, role=role)
    return password


def named_account(session: Session, name: str) -> Account:
    """Raises `InputError` where there is none."""
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        raise InputError(f"there is no account '{printable(name)[:64]}'", remedy="list the accounts")
    return account


def all_accounts(session: Session) -> list[Account]:
    """By name."""
    return list(session.scalars(select(Account).order_by(Account.name)))


def change_role(session: Session, account: Account, role: Role, *, by: str) -> None:
    if role != account.role:
        note(session, by, "role changed", account=account.name, before=account.role, after=role)
        account.role = role


def open_or_close(session: Session, account: Account, *, is_open: bool, by: str) -> None:
    """A closed account's sessions end at once, and its tokens with them."""
    if is_open == account.is_open:
        return
    account.is_open = is_open
    note(session, by, "account opened" if is_open else "account closed", account=account.name)
    if not is_open:
        _end_sessions(session, account)
        session.execute(delete(Token).where(Token.account_id == account.id))


def new_first_password(session: Session, account: Account, *, by: str) -> str:
    """For a person who has forgotten theirs; whoever is signed in with the old one is not any more."""
    password = first_password()
    account.password, account.is_first_password = hashed(password), True
    _end_sessions(session, account)
    note(session, by, "first password set", account=account.name)
    return password


def change_password(session: Session, account: Account, *, old: str, new: str, keep: str) -> None:
    """Set a person's own password; other sessions than that of digest `keep` end. Raises `InputError`."""
    if not is_right(old, account.password):
        raise InputError("the password so far is another", remedy="type it again")
    if new == old:
        raise InputError("the new password is the old one", remedy="take another")
    check_new(new, name=account.name)
    account.password, account.is_first_password = hashed(new), False
    session.execute(delete(SignedIn).where(SignedIn.account_id == account.id, SignedIn.digest != keep))
    note(session, account.name, "password changed")


def sign_in(sessions: sessionmaker[Session], name: str, password: str, *, address: str) -> str | None:
    """The secret of a new session; None for a wrong name or password, or a closed account."""
    with sessions() as session:
        account = session.scalar(select(Account).where(Account.name == name.strip().lower()))
        kept = _nobodys() if account is None else account.password
    right = is_right(password, kept)  # takes long: no transaction is open meanwhile
    with sessions.begin() as session:
        if account is None or not right or not account.is_open:
            known = None if account is None else account.name
            note(session, known or "nobody", "sign-in refused", address=address)
            return None
        return begin_session(session, account, address=address)


def begin_session(session: Session, account: Account, *, address: str) -> str:
    """The secret of a new session of a person who has shown who it is."""
    secret = secrets.token_urlsafe(24)
    session.execute(delete(SignedIn).where(SignedIn.made < now() - LONGEST_SESSION))
    session.add(SignedIn(digest=digest_of(secret), account_id=account.id, made=now(), seen=now()))
    note(session, account.name, "signed in", address=address)
    return secret


def sign_out(session: Session, secret: str) -> None:
    found = session.get(SignedIn, digest_of(secret))
    if found is not None:
        note(session, found.account.name, "signed out")
        session.delete(found)


def signed_in(sessions: sessionmaker[Session], secret: str) -> Account | None:
    """Whose session it is; None where there is none, or it has ended."""
    with sessions() as session:
        found = session.get(SignedIn, digest_of(secret))
        if found is None or not found.account.is_open:
            return None
        time = now()
        if time - found.seen > LONGEST_IDLE or time - found.made > LONGEST_SESSION:
            return None
        account = found.account
        if time - found.seen > LEAST_NEWS:
            found.seen = time
            session.commit()
            session.refresh(account)
        session.expunge(account)
        return account


def make_token(session: Session, account: Account, *, title: str, days: int | None) -> tuple[Token, str]:
    """A token and what a program has to show, which nobody can be told again."""
    secret = TOKEN_MARK + secrets.token_urlsafe(24)
    ends = None if days is None else now() + timedelta(days=days)
    token = Token(
        id=secrets.token_hex(8),
        account_id=account.id,
        title=title.strip(),
        digest=digest_of(secret),
        made=now(),
        ends=ends,
    )
    session.add(token)
    note(session, account.name, "token made", token=token.id, days=days)
    return token, secret


def account_of_token(sessions: sessionmaker[Session], secret: str) -> Account | None:
    """Whom a token stands for; None where it is none, or has ended."""
    if not secret.startswith(TOKEN_MARK):
        return None
    with sessions() as session:
        token = session.scalar(select(Token).where(Token.digest == digest_of(secret)))
        if token is None or (token.ends is not None and token.ends < now()) or not token.account.is_open:
            return None
        account = token.account
        session.expunge(account)
        return account


def has_accounts(session: Session) -> bool:
    return bool(session.scalar(select(func.count()).select_from(Account)))


def digest_of(secret: str) -> str:
    """What is kept of a random secret, which needs no salt and no cost."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _nobodys() -> str:
    """A password that nobody has: names without an account take as long to be refused as others."""
    return hashed(secrets.token_hex(16))


def _end_sessions(session: Session, account: Account) -> None:
    session.execute(delete(SignedIn).where(SignedIn.account_id == account.id))
