"""Names of files and cases as names of folders that every file system takes: results can be moved anywhere."""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_BYTES = 200
"""Of a name in UTF-8, so that an ending still fits on every file system."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(\.|$)", re.IGNORECASE)


def portable_name(text: str) -> str:
    r"""`text` itself where it is portable, else what is left of it and a few digits that tell it from others.

    Windows takes no `<>:"/\|?*`, no blank or dot at the end, and no `CON` or another device, with or without an
    ending; nobody takes line breaks, escape sequences, bytes that are not UTF-8 or more than 255 bytes.
    """
    name = "".join(c if c.isprintable() else "_" for c in _FORBIDDEN.sub("_", text)).strip(" ").rstrip(" .")
    if _DEVICE.match(name) or name == "":
        name = f"_{name}"
    if name == text and len(name.encode()) <= MAX_BYTES:
        return name
    digits = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{name.encode()[: MAX_BYTES - 10].decode(errors='ignore').rstrip(' .')}-{digits}"


def without_case(name: str) -> str:
    """Names of which this is the same are one folder on some file systems."""
    return unicodedata.normalize("NFC", name).casefold()
