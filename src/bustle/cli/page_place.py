"""Where a page is, as `bustle serve` and all of its actions are told."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.webapp.data_folder import DataFolder


def place_parser() -> argparse.ArgumentParser:
    """The parent of an action's parser: its options may also stand before the action."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--data-dir", type=given_path, metavar="DIR", default=argparse.SUPPRESS, help="the page's, as of bustle serve"
    )
    place.add_argument("--database", metavar="URL", default=argparse.SUPPRESS, help="the page's, as of bustle serve")
    place.add_argument("--storage", metavar="URL", default=argparse.SUPPRESS, help="the page's, as of bustle serve")
    return place


def page_place(arguments: argparse.Namespace) -> tuple[DataFolder, str | None]:
    """Its folder, and its database where that is none of the folder's files."""
    from bustle.webapp.data_folder import DataFolder
    from bustle.webapp.serve import default_data_folder

    return DataFolder.at(arguments.data_dir or default_data_folder(), arguments.storage), arguments.database
