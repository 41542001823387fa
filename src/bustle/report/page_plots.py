"""A plot on a page, and whether there can be any: Matplotlib belongs to an extra, the pages' figures do not."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple


class Plot(NamedTuple):
    """A figure with its heading; `uri` holds the picture itself."""

    title: str
    uri: str


def can_draw_plots() -> bool:
    """Whether Matplotlib is installed; a page without it says in the plots' place how to get them."""
    return importlib.util.find_spec("matplotlib") is not None
