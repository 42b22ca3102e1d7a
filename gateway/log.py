"""What may be written down: an event's name and a few fields that cannot hold a person.

The rule is an allow-list. Our own lines name an event and fields of FIELDS; a record of somebody else's
library keeps its logger, level and place in the code, never its words, because a library puts arguments,
statements and addresses into them. An exception keeps its types and lines, never its text.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Final

FIELDS: Final = frozenset(
    {
        "attempt",
        "count",
        "database",
        "dialect",
        "job",
        "kind",
        "lane",
        "ms",
        "port",
        "process",
        "provider",
        "queue",
        "reason",
        "restart",
        "route",
        "row",
        "severity",
        "state",
        "status",
        "version",
    }
)
"""Fields that a line may carry: counts, kinds and row ids, each a number or a short word of ours."""

_ours = logging.getLogger("gateway")


def event(
    name: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: int | float | str
) -> None:
    """Write one event. Raises ValueError for a field that is not on the list, so that a test finds it."""
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"not a field of the log: {', '.join(sorted(unknown))}")
    trace = (type(error), error, error.__traceback__) if error is not None else None
    _ours.log(level, name, extra={"fields": fields}, exc_info=trace)


def warn(name: str, *, error: BaseException | None = None, **fields: int | float | str) -> None:
    """`event` at the level that a technician looks for."""
    event(name, level=logging.WARNING, error=error, **fields)


def configure(process: str) -> None:
    """Send every logger of this process through the allow-list, as JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] != "gateway":
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _died
    threading.excepthook = lambda met: _died(met.exc_type, met.exc_value, met.exc_traceback)


def _died(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An exception that nobody caught, in a thread or in the process: Python would print it with all its words."""
    if error is not None and not issubclass(kind, KeyboardInterrupt):
        event("died", level=logging.CRITICAL, error=error.with_traceback(trace))


class _Lines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "process": self.process,
        }
        if record.name == "gateway":
            line |= {"event": record.getMessage(), **getattr(record, "fields", {})}
        else:
            line |= {"logger": record.name, "place": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = scrub(record.exc_info[1], record.exc_info[2])
        return json.dumps(line, ensure_ascii=True)


def scrub(error: BaseException, trace: TracebackType | None = None) -> list[str]:
    """An exception without its words: the types of the chain and, of the first, the lines it came through."""
    lines = [
        f"{frame.name} {frame.filename.rsplit('/', 2)[-1]}:{frame.lineno}"
        for frame in traceback.extract_tb(trace or error.__traceback__)
    ]
    chain: list[str] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 5:
        chain.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    return [*chain, *lines[-8:]]
