"""What is kept of an image that a model has seen: nothing from which it could be seen again."""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGITS = 32
_HEXADECIMAL = re.compile(f"[0-9a-f]{{{DIGITS}}}")


@dataclass(frozen=True)
class ImageSketch:
    """Both in hexadecimal digits: the first 32 of a SHA-256 of the grey pixels, and the 32 of a sketch of 128 bits.

    `bustle.data.relations.seen_images` says how they are made and compared.
    """

    content: str
    sketch: str

    def __post_init__(self) -> None:
        if not all(_HEXADECIMAL.fullmatch(part) for part in (self.content, self.sketch)):
            raise ValueError(f"content and sketch must have {DIGITS} hexadecimal digits each")
