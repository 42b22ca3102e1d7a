"""Everything that a house leaves behind: its files, its tables as they are read, its Valkey, its SMS.

Each store is a name and its bytes. The name's first part says what kind of store it is; a control is planted in
each of the `KINDS`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import redis
from sqlalchemy import inspect, text

from gateway.db import Database
from tests.processes import House

KINDS: Final = frozenset(
    {"database file", "rows", "live keys", "AOF", "RDB", "log", "temporary file", "key directory", "SMS"}
)
"""What every house has. One on PostgreSQL has `POSTGRES` too, and the tables and their log lie there."""
POSTGRES: Final = frozenset({"table file", "pg_wal", "server log"})
_PAGE: Final = 8192
_WAL_HEADER: Final = 24
"""Bytes of XLogPageHeaderData; the first page of a file has sixteen more, which hold no more than it."""

Store = tuple[str, bytes]


def of(house: House, server: Path | None = None, known: frozenset[bytes] = frozenset()) -> Iterator[Store]:
    """Every store of a house. `server` is the folder of its PostgreSQL, without the pages that were `known`."""
    for path in sorted(house.folder.rglob("*")):
        if path.is_file():
            yield f"{_kind(path.relative_to(house.folder))}: {path.name}", path.read_bytes()
    rt = house.runtime()
    yield from _rows(rt.db)
    rt.close()
    with redis.Redis.from_url(house.environment["REDIS_URL"]) as valkey:
        yield from _live_keys(valkey)
    yield "SMS: texts", "\n".join(sms.message for sms in house.operator.messages).encode()
    if server is not None:
        yield from _postgres(server, known)


def _kind(path: Path) -> str:
    match path.parts:
        case ("tmp", *_):
            return "temporary file"
        case ("keys", *_):
            return "key directory"
        case ("appendonlydir", *_):
            return "AOF"
        case (name,) if name.endswith(".log"):
            return "log"
        case (name,) if name.endswith(".rdb"):
            return "RDB"
        case (name,) if name.startswith("gateway.sqlite"):
            return "database file"
    return "another file"


def _rows(db: Database) -> Iterator[Store]:
    """Each column of each table, a value a line, as the database gives it: whatever it had packed is open here."""
    with db.engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"'))
            names = list(rows.keys())
            for name, values in zip(names, zip(*rows.all(), strict=True), strict=False):
                yield f"rows: {table}.{name}", b"\n".join(map(_written, values))


def _written(value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return (value if isinstance(value, str) else json.dumps(value, default=str)).encode()


def _live_keys(valkey: Any) -> Iterator[Store]:
    """Each key as DUMP packs it, and as its own command reads it. (What the library answers depends on what it is
    asked, which its types do not know.)"""
    read: dict[bytes, Callable[[bytes], Iterable[bytes | None]]] = {
        b"none": lambda key: [],  # it has gone since it was named: the worker goes on
        b"string": lambda key: [valkey.get(key)],
        b"list": lambda key: valkey.lrange(key, 0, -1),
        b"set": valkey.smembers,
        b"zset": lambda key: valkey.zrange(key, 0, -1),
        b"hash": lambda key: [part for pair in valkey.hgetall(key).items() for part in pair],
        b"stream": lambda key: [
            part for _, pairs in valkey.xrange(key) for pair in pairs.items() for part in pair
        ],
    }
    for at, key in enumerate(valkey.scan_iter()):
        yield f"live keys: {at}, packed", key + b"\n" + (valkey.dump(key) or b"")
        yield f"live keys: {at}", b"\n".join(filter(None, read[valkey.type(key)](key)))


def pages(server: Path) -> frozenset[bytes]:
    """The digest of every page of a PostgreSQL server that nobody has told anything yet."""
    return frozenset(digest for path in server.rglob("*") if path.is_file() for digest, _ in _pages(path))


def _pages(path: Path) -> Iterator[tuple[bytes, bytes]]:
    content = path.read_bytes()
    for at in range(0, len(content), _PAGE):
        page = content[at : at + _PAGE]
        yield hashlib.blake2b(page, digest_size=16).digest(), page


def _postgres(server: Path, known: frozenset[bytes]) -> Iterator[Store]:
    """Each file of the server; of pages that it had before, nothing can have been told to it since."""
    for path in sorted(server.rglob("*")):
        if path.is_file() and path.suffix != ".pid":
            kind = "pg_wal" if path.parent.name == "pg_wal" else "table file"
            # What is written to the log goes on in the next page, behind its header.
            header = _WAL_HEADER if kind == "pg_wal" else 0
            fresh = b"".join(page[header:] for digest, page in _pages(path) if digest not in known)
            yield f"{'server log' if path.name == 'log' else kind}: {path.relative_to(server)}", fresh
