"""Every byte that a house leaves behind, searched for what must not be there."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, urlencode

import pytest
import redis
from sqlalchemy import ColumnElement, func, select, text

from gateway.casework.caseworker import Role
from gateway.casework.message import EarlyReceipt
from gateway.casework.report import Report
from gateway.runtime import Runtime
from tests import build, processes
from tests.processes import Caller, House, until

DIALOGUES = 100
WORD = "Kilimahewa"
SESSION = "ATUid_5e551055e551"
CALLERS = tuple(f"+24399753{number:04d}" for number in range(1_000, 1_010))
STAFF = ("+243000918273", "+243000918274", "+243000918275")

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_CODE = re.compile(r"\d{4} \d{4} \d{4}")


def numbers(number: str) -> list[str]:
    """A telephone number as people and machines write it; a number is found by its last nine digits in any."""
    return [number, number[1:], "0" + number[4:], number[4:]]


def forms(marker: str) -> set[bytes]:
    """A marker in every form that a store may hold it in."""
    raw = marker.encode()
    found = {raw, marker.encode("utf-16-le"), marker.encode("utf-16-be")}
    found |= {quote(marker).encode(), quote_plus(marker).encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):  # in base64 the same bytes look different at each of three places
        whole = base64.b64encode(bytes(before) + raw)
        found.add(whole[(0, 2, 3)[before] : -4])
    return found


def unpacked(store: bytes) -> Iterator[bytes]:
    """A store, and what stands compressed in it, as RQ does with what it is given."""
    yield store
    for start in _ZLIB.finditer(store):
        try:
            yield zlib.decompressobj().decompress(store[start.start() :])
        except zlib.error:
            continue


def hits(stores: dict[str, bytes], markers: Iterable[str]) -> set[tuple[str, str]]:
    """Which markers stand in which stores, in whatever form."""
    wanted = [(marker, forms(marker)) for marker in markers]
    return {
        (name, marker)
        for name, store in stores.items()
        for layer in unpacked(store)
        for marker, shapes in wanted
        if any(shape in layer for shape in shapes)
    }


def stores_of(house: House) -> dict[str, bytes]:
    """Every file of the house, and every key of Valkey with its value."""
    files = [path for path in house.folder.rglob("*") if path.is_file()]
    stores = {str(path.relative_to(house.folder)): path.read_bytes() for path in files}
    with redis.Redis.from_url(house.environment["REDIS_URL"]) as valkey:
        stores["live keys"] = b"\n".join(bytes(key) + (valkey.dump(key) or b"") for key in valkey.scan_iter())
    return stores


def people(rt: Runtime) -> None:
    for number, role in zip(STAFF, (Role.CASE_WORKER, Role.SUPERVISOR, Role.INTEGRITY_OFFICER), strict=True):
        build.person(rt, role.value, role, number=number)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("h"), people)
    try:
        made.start(*processes.RUNNING)
        yield made
    finally:
        made.close()


def call(house: House, number: int) -> set[str]:
    """One dialogue of some kind; returns the codes that it was shown."""
    caller = Caller(house, f"{SESSION}{number:03d}", CALLERS[number % len(CALLERS)])
    shown = [caller.dial()]
    match number % 10:
        case 0 | 1:  # complete, with details
            shown += [caller.press(key) for key in ("1", "1", "1", "1", "1", "1", "1", "1", "1", "7", "7")]
        case 2:  # with words, which hold the caller's own number
            words = f"{WORD} {caller.caller} {caller.caller[1:]} 0{caller.caller[4:]} {WORD}"
            shown += [caller.press(key) for key in ("2", "2", "6", "2", "1", "1", words)]
        case 3:  # dropped before anything was sent
            caller.press("1", "1", "4", "1")
        case 4:  # hung up, and the provider tells all it knows
            shown.append(caller.press("2", "2", "4", "1", "1"))
            caller.hang_up()
        case 5:  # every hop twice
            for key in ("1", "1", "2", "1", "1"):
                shown += [caller.press(key), caller.again()]
        case 6:  # words where no words are asked
            caller.press("2", WORD, caller.caller, "2", WORD * 5, caller.caller[4:], "99")
        case 7:  # posts that are no hops
            form = {"sessionId": caller.session, "phoneNumber": caller.caller, "text": WORD}
            house.post("ussd", urlencode(form).encode())
            house.post("ussd", urlencode({**form, "serviceCode": caller.caller}).encode() + b"\xff")
            house.post("receipt", urlencode({**form, "id": caller.caller}).encode())
            house.post("ussd-ended", urlencode(form).encode() * 50)
        case 8:  # at the wrong door, with everything in the address
            query = urlencode({"phoneNumber": caller.caller, "sessionId": caller.session, "text": WORD})
            for path in (f"/hooks/{WORD}/africastalking/ussd?{query}", f"/nothing?{query}", f"/{WORD}?{query}"):
                house.get(path)
        case _:  # who did it, after the filing
            shown += [caller.press(key) for key in ("1", "1", "4", "1", "1", "1", "2", "5", "2")]
    return {code for screen in shown for code in _CODE.findall(screen)}


def test_nothing_of_a_caller_or_of_the_staff_is_left_anywhere_in_any_form(house: House) -> None:
    codes: set[str] = set()
    rt = house.runtime()
    faults = {40: "blacklist", 50: "unavailable", 55: "broken_json", 60: "unauthorised", 65: "normal"}
    for number in range(DIALOGUES):
        if number in faults:
            house.operator.fault = faults[number]  # type: ignore[assignment]
        if number in (75, 80):  # the database fails, and every process says so in its log
            new, old = ("gone", "journal") if number == 75 else ("journal", "gone")
            with rt.db.begin() as db:
                db.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        codes |= call(house, number)
    until(lambda: count(rt, Report.dispatch_at <= rt.now()) == 0, "every dispatch that is due")
    filed = count(rt, Report.id > 0)
    assert len(codes) == filed > 40
    assert len({sms.to for sms in house.operator.messages}) > 1

    markers = {WORD, WORD.upper(), SESSION, processes.SECRET, *codes, *(code.replace(" ", "") for code in codes)}
    markers |= {shape for number in (*CALLERS, *STAFF) for shape in numbers(number)}
    assert hits(stores_of(house), markers) == set()

    plant(house, rt, WORD)
    found = {name for name, _ in hits(stores_of(house), {WORD})}
    rt.close()
    assert {"web.log", "live keys"} <= found
    assert any(name.startswith("gateway.sqlite") for name in found)
    assert any(name.startswith("appendonlydir") for name in found)


def count(rt: Runtime, where: ColumnElement[bool]) -> int:
    """How many reports are so."""
    with rt.db.read() as db:
        return db.scalar(select(func.count()).select_from(Report).where(where)) or 0


def plant(house: House, rt: Runtime, word: str) -> None:
    """Leave a marker in each store, or a scanner that finds nothing has proved nothing."""
    with house.log_of("web").open("ab") as log:
        log.write(word.encode("utf-16-le"))
    with rt.db.begin() as db:
        db.add(
            EarlyReceipt(provider_id=base64.b64encode(f"a {word}.".encode()).decode(), state="sent", at=rt.now())
        )
    with redis.Redis.from_url(house.environment["REDIS_URL"]) as valkey:
        valkey.set("control", zlib.compress(f"many words and {word}".encode()))


@pytest.mark.parametrize("marker", [WORD, CALLERS[0], SESSION, "1234 5678 9012"])
@pytest.mark.parametrize("around", [b"", b"a", b"ab"])
def test_the_scanner_finds_a_marker_in_every_form(marker: str, around: bytes) -> None:
    raw = around + marker.encode() + around
    for stored in (
        raw,
        around + marker.encode("utf-16-le"),
        quote(raw).encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
        base64.b64encode(raw + b"....."),
        b"noise" + zlib.compress(raw) + b"noise",
        b"noise" + zlib.compress(base64.b64encode(raw + b".....")) + b"noise",
    ):
        assert hits({"store": stored}, [marker]) == {("store", marker)}
    assert hits({"store": b"nothing at all"}, [marker]) == set()


def test_a_number_is_found_however_it_is_written() -> None:
    for written in ("+243997531000", "243997531000", "0997531000", "997531000", "00243997531000"):
        assert hits({"store": written.encode()}, numbers("+243997531000"))
