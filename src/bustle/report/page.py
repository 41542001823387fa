"""Rendering a page: one self-contained HTML file, with its style, pictures and script inside."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bustle.core.files import write_text
from bustle.drawing.outlines import PREDICTED, TRUTH
from bustle.report.page_plots import can_draw_plots
from bustle.report.wording import interval, mean_and_spread, number, p_value, signed_number, with_unit


def render(template: str, **content: Any) -> str:
    """Fill a template of this package; every value is escaped, an unknown name is an error."""
    return _environment().get_template(template).render(can_draw_plots=can_draw_plots, **content)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """It keeps the compiled templates, whose compilation takes longer than to fill them."""
    environment = Environment(
        loader=PackageLoader("bustle.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["contours"] = {"truth": TRUTH, "prediction": PREDICTED}
    environment.filters |= {
        "number": number,
        "interval": interval,
        "with_unit": with_unit,
        "mean_and_spread": mean_and_spread,
        "signed_number": signed_number,
        "p_value": p_value,
    }
    return environment


def write_page(path: Path, template: str, **content: Any) -> None:
    write_text(path, render(template, **content))
