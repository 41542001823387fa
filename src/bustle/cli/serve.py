"""`bustle serve`: the page in the browser, on this machine."""

from __future__ import annotations

import argparse
import contextlib
import tempfile

from bustle.cli import serve_backup, serve_user
from bustle.cli.page_place import page_place, place_parser
from bustle.core.paths import given_path

HELP = "Open a page in the browser: drop scans, read the answers, correct, sign and export them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=given_path,
        metavar="RUN|PACKAGE",
        help="run folder of `bustle train` or a package of `bustle export` (default: the reference model that comes "
        "with bustle)",
    )
    parser.add_argument(
        "--volume-model",
        type=given_path,
        metavar="RUN|PACKAGE",
        help="the same for volumes (default: none; volumes are shown and not read)",
    )
    parser.add_argument(
        "--data-dir",
        type=given_path,
        metavar="DIR",
        help="where everything is kept that is dropped, answered and signed (default: bustle-page in your folder)",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="keep accounts, cases and readings in PostgreSQL: postgresql://USER@HOST/NAME (default: a file in "
        "--data-dir)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at; 0.0.0.0 is all (default: this machine alone)"
    )
    parser.add_argument("--port", type=_port, default=8765, help="default: 8765; 0 is any that is free")
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="the address of a proxy with TLS before the page, https://NAME: where people open it and an OpenID "
        "Connect provider sends them back to",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="keep files in S3-compatible storage, s3://BUCKET/FOLDER; --data-dir then is a copy that may be lost",
    )
    parser.add_argument(
        "--sign-in",
        type=given_path,
        metavar="FILE.yaml",
        help="let people sign in with the accounts of an OpenID Connect provider, whose settings these are",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="begin with four example pictures that are read already; without --data-dir nothing is kept",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", help="instead of serving; see ACTION --help")
    user = actions.add_parser("user", help="keep the page's accounts", description="Keep the accounts of the page.")
    serve_user.add_arguments(user)
    for action, does, add in (
        (
            "backup",
            "write everything of a page to one file, also while it is served",
            serve_backup.add_backup_arguments,
        ),
        (
            "restore",
            "put a backup into a new --data-dir, and an empty --database",
            serve_backup.add_restore_arguments,
        ),
    ):
        add(actions.add_parser(action, help=does, description=f"{does.capitalize()}.", parents=[place_parser()]))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is no port; give a number of 0 to 65535")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "user":
        return serve_user.run(arguments)
    if arguments.action == "backup":
        return serve_backup.run_backup(arguments)
    if arguments.action == "restore":
        return serve_backup.run_restore(arguments)
    from bustle.inference.shipped import default_model
    from bustle.webapp.public_url import public_url
    from bustle.webapp.serve import serve
    from bustle.webapp.server import PageSettings

    public = None if arguments.public_url is None else public_url(arguments.public_url)
    model = arguments.model or default_model()
    with contextlib.ExitStack() as stack:
        data, database = page_place(arguments)
        folder = data.path
        kept = arguments.data_dir is not None or not arguments.demo
        if not kept:
            folder = given_path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bustle-demo-"))) / "data"
        settings = PageSettings(
            data=folder,
            model=model,
            volume_model=arguments.volume_model,
            database=database,
            storage=arguments.storage,
            sign_in=arguments.sign_in,
            demo=arguments.demo,
            kept=kept,
        )
        serve(settings, host=arguments.host, port=arguments.port, public=public)
    return 0
