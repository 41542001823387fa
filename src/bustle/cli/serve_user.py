"""`bustle serve user`: the accounts of a page, kept from the machine that it runs on."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bustle.cli.page_place import page_place, place_parser

if TYPE_CHECKING:
    from bustle.webapp.tables import Account

ROLES = ("reader", "reviewer", "admin")
NAMED = "the account's name: small letters, digits, dots, dashes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    place = place_parser()
    actions = parser.add_subparsers(dest="user_action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account and print its first password", parents=[place])
    add.add_argument("name", help=NAMED)
    add.add_argument("--role", choices=ROLES, default="reader", help="default: reader")
    add.add_argument("--full-name", default="", help="with which readings are signed (default: the account's name)")
    actions.add_parser("list", help="print all accounts", parents=[place])
    role = actions.add_parser("role", help="give an account another role", parents=[place])
    role.add_argument("name", help=NAMED)
    role.add_argument("role", choices=ROLES)
    for action, does in (
        ("close", "end its sessions and tokens, and let nobody in with it"),
        ("open", "open a closed account again"),
        ("password", "print another first password, for whoever has forgotten theirs"),
    ):
        actions.add_parser(action, help=does, parents=[place]).add_argument("name", help=NAMED)


def run(arguments: argparse.Namespace) -> int:
    from bustle.webapp.accounts import (
        OWNER,
        add_account,
        all_accounts,
        change_role,
        named_account,
        new_first_password,
        open_or_close,
    )
    from bustle.webapp.database import open_database, page_url

    data, database = page_place(arguments)
    data.make()
    sessions = open_database(page_url(data, database))
    try:
        with sessions.begin() as session:
            if arguments.user_action == "list":
                for account in all_accounts(session):
                    _print(account)
                return 0
            if arguments.user_action == "add":
                password = add_account(
                    session, arguments.name, full_name=arguments.full_name, role=arguments.role, by=OWNER
                )
            else:
                account = named_account(session, arguments.name)
                password = None
                if arguments.user_action == "role":
                    change_role(session, account, arguments.role, by=OWNER)
                elif arguments.user_action == "password":
                    password = new_first_password(session, account, by=OWNER)
                else:
                    open_or_close(session, account, is_open=arguments.user_action == "open", by=OWNER)
    finally:
        sessions.kw["bind"].dispose()
    if password is not None:
        print(password)
        print(f"the first password of {arguments.name}, who sets another with it", file=sys.stderr)
    return 0


def _print(account: Account) -> None:
    state = "" if account.is_open else "  closed"
    print(f"{account.name:24} {account.role:9} {account.full_name}{state}")
