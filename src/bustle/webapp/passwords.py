"""Passwords: kept as scrypt hashes with a salt each, so that whoever gets the database has none of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from threading import BoundedSemaphore
from typing import NamedTuple

from bustle.core.errors import InputError

FEWEST_CHARACTERS = 12
MOST_CHARACTERS = 200
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of passwords that are written down once: without letters and digits that look alike."""


class Cost(NamedTuple):
    """scrypt's N (as power of two), r and p; see RFC 7914. Each hash takes 128 · r · N bytes of memory."""

    n: int
    r: int
    p: int


COST = Cost(15, 8, 3)
"""OWASP's Password Storage Cheat Sheet: as costly as N = 2^17 with p = 1, in a quarter of its memory, 32 MiB."""

_at_once = BoundedSemaphore(2)
"""Guessers get no more of this machine's memory and processors."""


def hashed(password: str) -> str:
    """What is kept of a password: cost, salt and hash."""
    salt = secrets.token_bytes(16)
    return f"scrypt${COST.n}${COST.r}${COST.p}${salt.hex()}${_hash(password, salt, COST).hex()}"


def is_right(password: str, kept: str) -> bool:
    """Whether `kept` was made of this password."""
    _, n, r, p, salt, wanted = kept.split("$")
    found = _hash(password, bytes.fromhex(salt), Cost(int(n), int(r), int(p)))
    return hmac.compare_digest(found, bytes.fromhex(wanted))


def first_password() -> str:
    """One that is made for a person, who is to set another at once: 77 bits, in groups that can be typed."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def check_new(password: str, *, name: str) -> None:
    """Raises `InputError` for one that is too easily guessed. Length is what counts (NIST SP 800-63B)."""
    if len(password) < FEWEST_CHARACTERS:
        raise InputError("the password is too short", remedy=f"take {FEWEST_CHARACTERS} characters or more")
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        raise InputError("the password is easily guessed", remedy="take several words that others would not think of")


def _hash(password: str, salt: bytes, cost: Cost) -> bytes:
    n = 1 << cost.n
    with _at_once:
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=salt,
            n=n,
            r=cost.r,
            p=cost.p,
            maxmem=256 * cost.r * (n + cost.p),
            dklen=32,
        )
