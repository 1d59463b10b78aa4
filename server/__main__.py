"""`showdown serve`, `showdown work`, `showdown audit` and `showdown settings`."""

from __future__ import annotations

import argparse
import gc
import sys
from typing import Any

from config import logging
from config import settings as tree


def main(argv: list[str] | None = None) -> int:
    """Run a command; the result is the process' exit code."""
    arguments = _arguments(argv)
    overrides = {
        k: v for k, v in vars(arguments).items() if k in {"port", "workers"} and v is not None
    }
    try:
        settings = tree.load(**overrides)
        if arguments.command == "settings":
            return _print_settings(settings)
        logging.set_up(settings.logs)
        if arguments.command == "audit":
            from server import audits  # noqa: PLC0415 - as below

            return audits.run(settings)
        gc.disable()  # there is no garbage in what is imported; to look for it takes a tenth
        from server import serve  # noqa: PLC0415 - imports the whole server, after the settings

        gc.enable()
        if arguments.command == "work":
            return serve.work(settings, arguments.queues)
        return serve.run(settings)
    except tree.SettingsError as error:
        print(f"showdown: {error}", file=sys.stderr)
        return 2


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="showdown", description="A real-time game server.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="start the server; without URLs, on embedded stores")
    serve.add_argument("--port", type=int, help="instead of SHOWDOWN_PORT")
    serve.add_argument("--workers", type=int, help="instead of SHOWDOWN_WORKERS")
    work = commands.add_parser("work", help="work on queues, without clients; on stores of URLs")
    work.add_argument("--port", type=int, help="of its probes, instead of SHOWDOWN_PORT")
    work.add_argument("--queues", type=_names, default=(), help="a,b,…; all if not given")
    commands.add_parser("audit", help="check the books: a JSON report; exit code 1 for findings")
    commands.add_parser("settings", help="print all settings in force, secrets masked")
    return parser.parse_args(argv)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _print_settings(settings: Any) -> int:
    for name, value, why in tree.describe(settings):
        print(f"{name}={value}  # {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
