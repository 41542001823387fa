"""The options of commands whose work several processes or machines can share."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bustle.core.errors import InputError

if TYPE_CHECKING:
    from bustle.experiments.engines.engine import Engine


def add_engine_arguments(parser: argparse.ArgumentParser, *, of: str) -> None:
    """`of` are the tasks that are shared, in words."""
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help=f"who does {of}: this process (default), or a Ray cluster",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="of --engine ray: the cluster (default: RAY_ADDRESS, or this machine)"
    )
    parser.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="of --engine ray: how many processes, which may share GPUs (default: one a GPU, or else a processor)",
    )


def chosen_engine(arguments: argparse.Namespace, stack: ExitStack) -> Engine:
    """The engine, which works until the `stack` is left."""
    refuse_ray_options(arguments)
    if arguments.engine == "ray":
        from bustle.experiments.engines.ray_engine import RayEngine

        engine = RayEngine(
            out=arguments.out,
            address=arguments.address,
            workers=arguments.workers,
            on_gpus=arguments.device != "cpu",
        )
        return stack.enter_context(engine)
    from bustle.experiments.engines.engine import LocalEngine

    return LocalEngine()


def refuse_ray_options(arguments: argparse.Namespace) -> None:
    """Raises `InputError` for options of Ray without it."""
    given = [name for name in ("address", "workers") if getattr(arguments, name) is not None]
    if given and arguments.engine != "ray":
        raise InputError(f"--{given[0]} is of --engine ray", remedy="add that, or leave it out")


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no count; give a whole number from 1")
    return int(text)
