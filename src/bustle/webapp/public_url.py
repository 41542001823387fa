"""The address under which people open a page that stands behind a proxy with TLS."""

from __future__ import annotations

from urllib.parse import urlsplit

from bustle.core.errors import InputError

DEFAULT_PORTS = {"https": 443, "http": 80}


def public_url(text: str) -> str:
    """As a browser writes the origin of its pages. Raises `InputError` for what is no such address."""
    wrong = InputError(
        f"--public-url '{text[:80]}' is no address of a page",
        remedy="write https://NAME or https://NAME:PORT; the page needs a name of its own and no path below one",
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    is_origin = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or not is_origin:
        raise wrong
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")
