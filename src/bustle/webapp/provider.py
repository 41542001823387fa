"""Signing in with a hospital's own accounts, by OpenID Connect: the provider's settings, and what is asked of it.

The code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636), by Authlib.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import read_yaml
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.roles import ROLES, Role

SCOPE = "openid profile"
ALGORITHMS = ["RS256", "PS256", "ES256"]
TIMEOUT = 10.0
LONGEST_SIGN_IN, MOST_SIGN_INS = 600.0, 1000
"""Seconds that a person may take at the provider, and how many may be there at once."""


@dataclass(frozen=True, kw_only=True)
class ProviderRoles:
    """By the values of `claim` in what the provider says of a person; the highest counts."""

    claim: str = "groups"
    reader: tuple[str, ...] = ()
    reviewer: tuple[str, ...] = ()
    admin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.reader or self.reviewer or self.admin):
            raise ValueError("roles must name who is a reader, reviewer or admin")

    def of(self, claims: Mapping[str, Any]) -> Role | None:
        """None for whoever has none."""
        told = claims.get(self.claim)
        values = {str(one) for one in (told if isinstance(told, list) else [told]) if one is not None}
        return next((role for role in reversed(ROLES) if values & set(getattr(self, role))), None)


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """`issuer` is the provider's address as it names itself; `client_secret` a file that holds nothing else."""

    issuer: str
    client_id: str
    client_secret: Path
    roles: ProviderRoles

    def __post_init__(self) -> None:
        is_own = self.issuer.startswith(("http://127.0.0.1:", "http://localhost:"))
        if not (self.issuer.startswith("https://") or is_own):
            raise ValueError("issuer must begin with https://")

    @classmethod
    def read(cls, path: Path) -> ProviderSettings:
        """Raises `InputError` for a file that is missing, is no YAML, or has keys or values that do not fit."""
        try:
            return from_mapping(cls, read_yaml(path), where="sign-in")
        except InputError as error:
            error.path = path
            raise


@dataclass(frozen=True)
class ProviderPerson:
    """`subject` is the provider's own name of the person, which never changes."""

    subject: str
    full_name: str
    role: Role


@dataclass(frozen=True)
class _Begun:
    nonce: str
    verifier: str
    at: float


class Provider:
    """Raises `InputError` for a provider that cannot be reached, or whose secret cannot be read."""

    def __init__(self, settings: ProviderSettings, *, beside: Path):
        self._settings = settings
        try:
            self._secret = (beside / settings.client_secret).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror})", remedy="write the client's secret there", path=error.filename
            ) from error
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._lock = Lock()
        try:
            self._known = self._ask(f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        except Refusal as error:
            raise InputError("the provider does not answer", remedy=f"check issuer: {settings.issuer}") from error
        if self._known.get("issuer") != settings.issuer:
            raise InputError("the provider names itself otherwise", remedy="write issuer: as it does")

    def begin(self, back: str) -> tuple[str, str]:
        """The address that a browser is sent to, and the state that it brings back to the address `back`."""
        begun = _Begun(secrets.token_urlsafe(16), secrets.token_urlsafe(48), time.monotonic())
        address, state = self._client(back).create_authorization_url(
            self._known["authorization_endpoint"], nonce=begun.nonce, code_verifier=begun.verifier
        )
        with self._lock:
            self._begun[state] = begun
            while len(self._begun) > MOST_SIGN_INS:
                self._begun.popitem(last=False)
        return address, state

    def finish(self, state: str, code: str, back: str) -> ProviderPerson:
        """Who comes back with this code. Raises `Refusal` for an answer that cannot be trusted."""
        from authlib.common.errors import AuthlibBaseError
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet
        from requests import RequestException

        with self._lock:
            begun = self._begun.pop(state, None)
        if begun is None or time.monotonic() - begun.at > LONGEST_SIGN_IN:
            raise Refusal(Why.SIGN_IN_TOO_LONG)
        try:
            token = self._client(back).fetch_token(
                self._known["token_endpoint"], code=code, code_verifier=begun.verifier, timeout=TIMEOUT
            )
            keys = KeySet.import_key_set(self._ask(self._known["jwks_uri"]))  # type: ignore[arg-type]
            read = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
                params={"nonce": begun.nonce, "client_id": self._settings.client_id},
            )
            claims.validate(leeway=60)
        except (AuthlibBaseError, JoseError, RequestException, KeyError, ValueError) as error:
            announce(f"bustle: a sign-in was refused ({type(error).__name__})")
            raise Refusal(Why.PROVIDER_ANSWER) from error
        role = self._settings.roles.of(read.claims)
        if role is None:
            raise Refusal(Why.NO_ROLE)
        told = read.claims.get("name") or read.claims.get("preferred_username") or "unnamed"
        return ProviderPerson(str(read.claims["sub"]), str(told), role)

    def _client(self, back: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            self._settings.client_id,
            self._secret,
            scope=SCOPE,
            redirect_uri=back,
            code_challenge_method="S256",
        )

    def _ask(self, address: str) -> dict[str, Any]:
        import requests

        try:
            answer = requests.get(address, timeout=TIMEOUT)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            announce(f"bustle: the provider of accounts does not answer ({type(error).__name__})")
            raise Refusal(Why.PROVIDER_AWAY) from error
