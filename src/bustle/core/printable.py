"""Names and texts of others, made fit to be shown on a terminal, in a file or in a page."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line: what is no visible character, such as an escape sequence's start, is written as its escape.

    Also of the bytes of a file name that are not UTF-8, which Python keeps as lone surrogates.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """The same, with its line breaks and tabs."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(c if c in "\n\t" else printable(c) for c in text)
