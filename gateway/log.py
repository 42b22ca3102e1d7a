"""What may be written down: an event's name and a few fields that cannot hold a person.

The rule is an allow-list. Our own lines name an event and fields of FIELDS, each a number or one short word of
ours; a record of somebody else's library keeps its logger, level and place in the code, never its words, because a
library puts arguments, statements and addresses into them. An exception keeps its types and lines, never its text.
A process that has begun to serve prints nothing.
"""

from __future__ import annotations

import io
import json
import logging
import re
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
UNSAID: Final = "?"
"""Stands for what may not be written down."""

# One word of ours: no blank, no accent, no more than forty letters, and never as many digits as a number has.
_WORD: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.:-]{1,40}", re.DOTALL)
# A place in the code: `dispatch later/send.py:47`, `<module> <string>:3`.
_PLACE: Final = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.<>/-]{1,80}", re.DOTALL)
_MEMBERS: Final = 5

_ours = logging.getLogger("gateway")


def event(
    name: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: int | float | str
) -> None:
    """Write one event. A value is a number or one short word; anything else, and a field that is not on the list,
    raises ValueError, so that a test finds it. A process that has been told to `configure` its log does not fail
    in the middle of a call: it writes UNSAID, and leaves the field out."""
    unknown = sorted(fields.keys() - FIELDS)
    unsafe = sorted(field for field in fields.keys() & FIELDS if not _is_safe(fields[field]))
    if (unknown or unsafe or not _WORD.fullmatch(name)) and not configured():
        raise ValueError(f"not for the log: {', '.join([*unknown, *unsafe]) or 'the name of an event'}")
    said = _Fields((field, UNSAID if field in unsafe else fields[field]) for field in fields if field in FIELDS)
    trace = (type(error), error, error.__traceback__) if error is not None else None
    _ours.log(level, _said(name), extra={"fields": said}, exc_info=trace)


def _is_safe(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_WORD.fullmatch(value)))


def _said(word: object) -> str:
    """A word as it is, if it may be written down."""
    return word if isinstance(word, str) and _WORD.fullmatch(word) else UNSAID


def warn(name: str, *, error: BaseException | None = None, **fields: int | float | str) -> None:
    """`event` at the level that a technician looks for."""
    event(name, level=logging.WARNING, error=error, **fields)


def configure(process: str) -> None:
    """Send every logger of this process through the allow-list, as JSON lines on standard error."""
    handler = _Handler(sys.stderr.beyond if isinstance(sys.stderr, _Nowhere) else sys.stderr)
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
    logging.raiseExceptions = False  # a record that cannot be written would be printed with its arguments
    sys.excepthook = _died
    sys.unraisablehook = lambda met: _died(met.exc_type, met.exc_value, met.exc_traceback)
    threading.excepthook = lambda met: _died(met.exc_type, met.exc_value, met.exc_traceback)


def hush() -> None:
    """From now on what this process prints goes nowhere: it serves, has nobody to speak to, and what is printed
    is a library's, and may be anything. The log still goes where `configure` has sent it."""
    if not isinstance(sys.stderr, _Nowhere):
        sys.stdout = sys.stderr = _Nowhere(sys.stderr)


def configured() -> bool:
    """Whether this process speaks in lines of the log, as those that serve do, and not to a person."""
    return any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers)


def _died(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """An exception that nobody caught, in a thread, a destructor or the process: Python would print it with all
    its words."""
    if error is not None and not issubclass(kind, KeyboardInterrupt):
        event("died", level=logging.CRITICAL, error=error.with_traceback(trace))


class _Fields(dict[str, int | float | str]):
    """Fields that `event` has looked at; a library's own, of the same name, are not."""


class _Handler(logging.StreamHandler[Any]):
    """The one that `configure` puts in place of all others."""


class _Nowhere(io.TextIOBase):
    """Takes what is printed and keeps none of it."""

    def __init__(self, beyond: Any) -> None:
        super().__init__()
        self.beyond = beyond

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


class _Lines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": _said(record.levelname.lower()),
            "process": self.process,
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, _Fields):
            line |= {"event": record.msg, **fields}
        else:
            line |= {"logger": _said(record.name), "place": f"{_said(record.module)}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = scrub(record.exc_info[1], record.exc_info[2])
        return json.dumps(line, ensure_ascii=True)


def scrub(error: BaseException, trace: TracebackType | None = None) -> list[str]:
    """An exception without its words: the types of the chain with those of a group's members, and, of the first,
    the lines it came through. A type or a place that was named at run time may hold anything: it is UNSAID."""
    lines = [
        f"{_place(frame.name)} {_place(frame.filename.rsplit('/', 2)[-1])}:{frame.lineno}"
        for frame in traceback.StackSummary.extract(
            traceback.walk_tb(trace or error.__traceback__), lookup_lines=False
        )
    ]
    chain: list[str] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 5:
        chain.append(_said(type(link).__name__))
        if isinstance(link, BaseExceptionGroup):
            chain += [_said(type(member).__name__) for member in link.exceptions[:_MEMBERS]]
        link = link.__cause__ or link.__context__
    return [*chain, *lines[-8:]]


def _place(name: str) -> str:
    return name if _PLACE.fullmatch(name) else UNSAID
