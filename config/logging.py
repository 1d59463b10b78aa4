"""Structured logs: one line an event, JSON for machines or coloured for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from config.sections import Logs

# Values under these names never reach a log, wherever they come from.
SECRET_NAMES = frozenset(
    {"password", "token", "access_token", "refresh_token", "secret", "authorization", "auth"}
    | {"seed", "hand", "hands"}
)

# Without the frames' variables: those are where hands, seeds and tokens lie.
TRACES = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in SECRET_NAMES & event.keys():
        event[name] = "***"
    return event


def set_up(logs: Logs) -> None:
    """Make structlog and the standard library's loggers write the same lines to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask,
    ]
    renderer: list[Any]
    if logs.format == "json":
        renderer = [
            structlog.processors.ExceptionRenderer(TRACES),
            structlog.processors.JSONRenderer(),
        ]
    else:
        plain = structlog.dev.plain_traceback
        colors = sys.stderr.isatty()
        renderer = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logs.level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_library(shared, renderer, logs.level)


def _adopt_standard_library(shared: list[Any], renderer: list[Any], level: str) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # One line a request and a packet is what metrics are for.
    for noisy in ("aiohttp.access", "socketio", "engineio", "asyncio", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    """Not what is no HTTP: it was answered, and anybody can send it, a trace each time."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__module__ not in {"aiohttp.http_exceptions", "aiohttp.web_protocol"}


def get_logger(name: str) -> Any:
    """A logger that names its module; structlog's loggers are typed as Any by design."""
    return structlog.get_logger(module=name)
