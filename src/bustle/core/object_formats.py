"""The kinds of result objects that a hospital's viewer opens."""

from __future__ import annotations

from typing import Literal

ObjectFormat = Literal["seg", "sr", "key", "pdf"]
OBJECT_FORMATS: tuple[ObjectFormat, ...] = ("seg", "sr", "key", "pdf")
