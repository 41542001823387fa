"""The `bustle` command: finds the verb's own file, runs it, and turns errors into one line and an exit code.

A verb's file imports only the standard library and light files of `bustle.core` at its top; it offers `HELP` (one
line), `add_arguments(parser)` and `run(arguments) -> int`. The heavy imports happen inside `run`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from bustle.cli.ending_signals import ending_as_ctrl_c
from bustle.cli.lasting_output import lasting_output
from bustle.core.cache_folder import give_libraries_their_caches
from bustle.core.errors import InputError
from bustle.core.extras import naming_the_extra

OK, BUG, USER_ERROR = 0, 1, 2  # a verb that judges has further ones for what it found

# Each verb adds itself here when its file lands, in the order that --help prints.
VERBS = (
    "data",
    "models",
    "train",
    "sweep",
    "evaluate",
    "compare",
    "reproduce",
    "results",
    "predict",
    "serve",
    "node",
    "export",
    "recalibrate",
    "accept",
    "study",
)


def verb_module(verb: str) -> ModuleType:
    return importlib.import_module(f"bustle.cli.{verb}")


class OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong with the words of a command in one line, without the usage text before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The whole parser; only the chosen verb's arguments are added, so that the others stay unimported."""
    parser = OneLineParser(
        prog="bustle",
        description="Breast ultrasound: outline lesions, classify them with an honest probability, "
        "and train, compare and trust the models that do it.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error (at any place)")
    commands = parser.add_subparsers(dest="verb", metavar="VERB")
    for verb in VERBS:
        module = verb_module(verb)
        command = commands.add_parser(verb, help=module.HELP, description=module.HELP)
        if verb == chosen:
            module.add_arguments(command)
    return parser


def say(text: str) -> None:
    """One line on standard error, below any progress bar that an error has left unfinished."""
    from bustle.core.progress import end_bars

    end_bars()
    print(f"bustle: {text}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the process's exit code.

    Raises SystemExit where argparse does: for --help, and for wrong words.
    """
    with lasting_output() as out:
        try:
            code = run_command(arguments)
        except SystemExit as ended:
            out.flush()
            if out.failure is None:
                raise
            code = OK if ended.code is None else int(ended.code)
        out.flush()
        if out.failure is None or isinstance(out.failure, BrokenPipeError):  # as in `bustle models list | head`
            return code
        say(f"error: standard output cannot be written ({out.failure.strerror}); what went to files is complete")
        return code or USER_ERROR


def run_command(arguments: Sequence[str] | None) -> int:
    """Run one command; every error is told in one line and becomes an exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--debug"]  # understood at any depth of sub-verbs
    debug = words != given
    chosen = next((word for word in words if word in VERBS), None)
    parser = build_parser(chosen)
    give_libraries_their_caches()
    try:
        parsed = parser.parse_args(words)
        if parsed.version:
            from bustle.core.provenance import versions

            print(f"bustle {versions()['bustle']}")
            return OK
        if parsed.verb is None:
            parser.print_help()
            return OK
        with ending_as_ctrl_c(), naming_the_extra():
            return verb_module(parsed.verb).run(parsed)
    except InputError as error:
        if debug:
            raise
        say(f"error: {error}")
        return USER_ERROR
    except KeyboardInterrupt:
        if debug:
            raise
        say("interrupted; nothing that was finished is lost, run the command again")
        return USER_ERROR
    except Exception as error:
        if debug:
            raise
        say(
            f"internal error: {type(error).__name__}: {error}; "
            "please report it with the output of the same command with --debug"
        )
        return BUG


if __name__ == "__main__":
    sys.exit(main())
