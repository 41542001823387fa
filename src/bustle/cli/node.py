"""`bustle node`: a station in a hospital's network that answers the studies it is sent."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bustle.core.paths import given_path

if TYPE_CHECKING:
    from bustle.node.settings import NodeSettings
    from bustle.node.status import NodeStatus

HELP = "Answer the studies that a hospital's stations send, by DICOM: receive, predict, send SEG and SR back."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=("run", "status", "retry"),
        help="run: listen until Ctrl-C; status: studies by state, failures, answers by device and month; retry: "
        "begin what failed anew",
    )
    parser.add_argument("settings", type=given_path, metavar="SETTINGS.yaml", help="the node's settings")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="of retry: which ones (default: all that failed)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting, as in --set port=11113"
    )
    parser.add_argument("--json", action="store_true", help="of status: print JSON")


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.errors import InputError
    from bustle.node.settings import read_settings

    if arguments.jobs and arguments.action != "retry":
        raise InputError(f"bustle node {arguments.action} takes no jobs", remedy="leave them out")
    if arguments.json and arguments.action != "status":
        raise InputError(f"bustle node {arguments.action} prints no JSON", remedy="leave --json out")
    settings = read_settings(arguments.settings, overrides=arguments.set)
    if arguments.action == "run":
        return _run(settings)
    if not settings.data.is_dir():
        raise InputError("no such folder", remedy="run the node first", path=settings.data)
    return _status(settings, as_json=arguments.json) if arguments.action == "status" else _retry(settings, arguments)


def _run(settings: NodeSettings) -> int:
    import logging
    import os
    import sys
    import time

    from bustle.node.node import Node

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    node = Node(settings)
    node.start()
    does = f"asks {len(settings.sources)} servers" if node.port is None else f"listens at {settings.host}:{node.port}"
    print(f"{settings.ae} {does}; Ctrl-C ends it", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("bustle: stopped; what was accepted is kept and goes on at the next start", file=sys.stderr, flush=True)
        # A prediction in its own thread would hold the process for minutes; it may be cut anywhere, as by a kill.
        os._exit(0)


def _status(settings: NodeSettings, *, as_json: bool) -> int:
    import json

    from bustle.core.config import to_mapping
    from bustle.node.status import node_status

    status = node_status(settings)
    if as_json:
        print(json.dumps(to_mapping(status), indent=1, ensure_ascii=False))
    else:
        for line in _lines(status):
            print(line)
    return 0


def _lines(status: NodeStatus) -> list[str]:
    told = [f"{count:6}  {state}" for state, count in status.studies.items()]
    room = "" if status.accepts else "; TOO LITTLE: nothing is accepted"
    told.append(f"{status.free_gb:6g}  GB free{room}")
    for each in status.trouble:
        word = "failed" if each.failed else f"attempt {each.attempt} waits"
        told.append(f"{word}: {each.job} ({each.stage}): {each.reason}")
    told += [f"{count:6}  failed and deleted: {reason}" for reason, count in status.deleted_failures.items()]
    told += [f"not read: {each.job}: {each.reason}" for each in status.unread]
    for month in status.months:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in month.decisions.items())
        told.append(f"{month.month}  {month.device}: {month.answers} answers: {shares}")
        if month.malignant:
            low, _, middle, _, high = month.malignant
            told.append(f"         malignant: median {middle:.2f}, 5 % to 95 % of them {low:.2f} to {high:.2f}")
        told += [f"warning: {month.month}  {month.device}: {warning}" for warning in month.warnings]
    return told


def _retry(settings: NodeSettings, arguments: argparse.Namespace) -> int:
    from bustle.node.node import open_jobs

    with open_jobs(settings) as jobs:
        failed = [job.id for job in jobs.list() if job.state == "failed"]
        for job in arguments.jobs or failed:
            jobs.retry(job)
    print(f"{len(arguments.jobs or failed)} begin anew")
    return 0
