"""What machines call: by the door in front of Flask and by Flask's own road, as it is and as nobody should."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

import pytest
from flask import Flask
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway import flows
from gateway.app import create_app
from gateway.casework.message import EarlyReceipt, Message
from gateway.casework.report import Report
from gateway.db import Base
from gateway.later.dispatch import dispatch
from gateway.later.send import send
from gateway.runtime import Runtime
from gateway.text import septets
from gateway.web import hooks
from tests import build

OLD = "an-older-secret-of-this-house"
USSD = f"/hooks/{build.SECRET}/africastalking/ussd"
FORM = {
    "sessionId": "ATUid_1",
    "phoneNumber": "+243990000001",
    "serviceCode": build.CODE,
    "networkCode": "63001",
    "text": "",
}
URGENT = "1*1*1*1*1"
NEUTRAL = b"END Info Mine. Conseil:"


def form(**changes: str | None) -> bytes:
    """A hop's body with some fields changed, or left out with None."""
    fields = {**FORM, **changes}
    return urlencode({name: value for name, value in fields.items() if value is not None}).encode()


class Roads:
    """One application, posted to through the door and past it; both must answer alike."""

    def __init__(self, app: Flask, rt: Runtime) -> None:
        self.app, self.rt = app, rt

    def __call__(self, path: str, body: bytes = b"", method: str = "POST", **environ: object) -> tuple[int, bytes]:
        through = self._call(self.app.wsgi_app, path, body, method, environ)
        past = self._call(lambda *args: Flask.wsgi_app(self.app, *args), path, body, method, environ)
        assert through[0] == past[0]
        if through[0] == 200:
            assert through == past
        return through[0], through[2]

    def _call(
        self, road: Any, path: str, body: bytes, method: str, environ: dict[str, object]
    ) -> tuple[int, str, bytes]:
        told: list[tuple[str, dict[str, str]]] = []
        given_ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        answer = b"".join(road(given_, lambda status, headers, *rest: told.append((status, dict(headers)))))
        status, headers = told[0]
        return int(status.split()[0]), headers.get("Content-Type", ""), answer

    def ussd(self, body: bytes, **environ: object) -> bytes:
        """A post to the first hook: whatever it holds, the caller sees a screen."""
        status, answer = self(USSD, body, **environ)  # type: ignore[arg-type]
        assert status == 200
        assert answer.startswith((b"CON ", b"END "))
        assert septets(answer[4:].decode()) <= 160
        return answer


def at_home(rt: Runtime) -> Roads:
    build.staff(rt)
    build.sites(rt, "Site A", "Site B")
    return Roads(create_app(rt), rt)


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roads]:
    """For tests that leave everything as it was."""
    rt = build.runtime(tmp_path_factory.mktemp("house"))
    yield at_home(rt)
    rt.close()


@pytest.fixture
def mine(light: Runtime) -> Roads:
    """For a test that files."""
    return at_home(light)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing went wrong inside: no warning, no traceback."""
    with caplog.at_level(logging.INFO):
        yield
    assert [record.message for record in caplog.records if record.levelno > logging.INFO or record.exc_info] == []


def digest(rt: Runtime) -> str:
    """A digest of every row of every table."""
    rows = hashlib.sha256()
    with rt.db.read() as db:
        for table in Base.metadata.sorted_tables:
            rows.update(repr((table.name, sorted(map(repr, db.execute(select(table)))))).encode())
    return rows.hexdigest()


def test_a_dialogue_runs_through_the_door_as_past_it(mine: Roads, quiet: None) -> None:
    keys = URGENT.split("*")
    screens = [mine.ussd(form(text="*".join(keys[:at]))) for at in range(len(keys) + 1)]
    assert screens[0].startswith(b"CON Info Mine")
    assert "Bien arrivé" in screens[-1].decode()
    assert len(set(screens)) == 6


@pytest.mark.parametrize(
    "path",
    [
        f"/hooks/{build.SECRET}x/africastalking/ussd",
        f"/hooks/{build.SECRET[:-1]}/africastalking/ussd",
        f"/hooks/{build.SECRET.upper()}/africastalking/ussd",
        "/hooks//africastalking/ussd",
        "/hooks/ÿþ€/africastalking/ussd".encode().decode("latin-1"),
        f"/hooks/{build.SECRET}/nobody/ussd",
        f"/hooks/{build.SECRET}/africastalking/sms",
        f"/hooks/{build.SECRET}/africastalking/ussd/",
        f"/hooks/{build.SECRET}/africastalking/",
        f"/hooks/{build.SECRET}/africastalking",
        f"/hooks//{build.SECRET}/africastalking/ussd",
        f"/hooks/{build.SECRET}",
        "/hooks/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "HEAD", "DELETE"])
def test_whoever_does_not_know_an_address_finds_what_is_at_no_address(
    roads: Roads, path: str, method: str
) -> None:
    status, page = roads(path, form(), method)
    assert status == roads("/nothing/is/here/now", form(), method)[0] == 404
    assert build.SECRET.encode() not in page.replace(path.encode("latin-1"), b"")
    assert b"africastalking" not in page.replace(path.encode("latin-1"), b"")


def test_a_strangers_body_is_not_waited_for(roads: Roads) -> None:
    """Or a few of them, each with a body that never ends, would keep the callers out."""

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise AssertionError("it was waited for")

    environ = {"wsgi.input": Endless(), "CONTENT_LENGTH": "100"}
    assert roads("/hooks/not-the-secret-of-this-house/africastalking/ussd", **environ)[0] == 404  # type: ignore[arg-type]


def test_an_older_secret_opens_while_it_is_listed(tmp_path: Path) -> None:
    rt = build.runtime(tmp_path, hook_secrets=(build.SECRET, OLD))
    both = Roads(create_app(rt), rt)
    assert both(USSD, form())[0] == both(USSD.replace(build.SECRET, OLD), form())[0] == 200
    rotated = replace(rt, settings=replace(rt.settings, hook_secrets=(OLD,)))
    new = Roads(create_app(rotated), rotated)
    assert new(USSD, form())[0] == 404
    assert new(USSD.replace(build.SECRET, OLD), form())[0] == 200
    rt.close()


NO_HOP = {
    "nothing": b"",
    "no text": form(text=None),
    "no session": form(sessionId=None),
    "no caller": form(phoneNumber=None),
    "no service code": form(serviceCode=None),
    "an empty session": form(sessionId=""),
    "text twice": form() + b"&text=1",
    "session twice": form() + b"&sessionId=ATUid_2",
    "caller twice": form() + b"&phoneNumber=1",
    "another's service code": form(serviceCode="*384*1#"),
    "a service code inside out": form(serviceCode=build.CODE.strip("*#")),
    "61 inputs": form(text="*".join("1" * 61)),
    "10,000 stars": form(text="*" * 10_000),
    "1,001 letters": form(text="a" * 1_001),
    "a body of 9 kB": form() + b"&x=" + b"a" * 9_000,
    "21 fields": form() + b"&x=1" * 16,
    "a session of 129 letters": form(sessionId="s" * 129),
    "a session with a zero byte": form(sessionId="a\0b"),
    "bytes that are no UTF-8": form() + b"\xff\xfe",
    "escapes that are no UTF-8": form(text=None) + b"&text=%ff%fe",
    "half a surrogate pair": form(text=None) + b"&text=%ED%A0%80",
    "JSON": b'{"sessionId": "1", "text": ""}',
    "a file": b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\n1\r\n--x--",
}


@pytest.mark.parametrize("name", NO_HOP)
def test_what_is_no_hop_ends_harmlessly_and_changes_nothing(roads: Roads, quiet: None, name: str) -> None:
    before = digest(roads.rt)
    assert roads.ussd(NO_HOP[name]).startswith(NEUTRAL)
    for what in ("ussd-ended", "receipt"):
        assert roads(USSD.replace("ussd", what), NO_HOP[name]) == (200, b"")
    assert digest(roads.rt) == before


ODD = {
    "no network": form(networkCode=None),
    "a network that nobody knows": form(networkCode="12345"),
    "a session of 128 letters": form(sessionId="s" * 128),
    "a masked caller": form(phoneNumber="MASKED_1234abcd"),
    "a zero byte as a key": form(text="1*1*\0"),
    "an emoji as a key": form(text="2*🙂"),
    "empty keys": form(text="2**"),
    "60 empty keys": form(text="*" * 59),
    "the number sign": form(text="2*2#"),
    "a thousand letters": form(text="2*" + "a" * 998),
    "another script's digits": form(text="٢*٢"),
    "markup": form(text="<script>*{s1}*%s*${7*7}*' OR 1=1 --"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_a_hop_gets_a_screen(roads: Roads, quiet: None, name: str) -> None:
    before = digest(roads.rt)
    assert not roads.ussd(ODD[name]).startswith(NEUTRAL)
    assert digest(roads.rt) == before


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json", "multipart/form-data; boundary=x", "x" * 99]
)
def test_the_kind_of_content_that_a_post_claims_does_not_matter(roads: Roads, kind: str) -> None:
    assert roads.ussd(form(text="2"), CONTENT_TYPE=kind).startswith(b"CON Info Mine")


@pytest.mark.parametrize("length", ["", "8193", "99999999", "9" * 5_000, "-1", "1e3", "²", "abc"])
def test_a_length_may_be_missing_or_nonsense(roads: Roads, length: str) -> None:
    answer = roads.ussd(form(text="2"), CONTENT_LENGTH=length)
    assert answer.startswith(NEUTRAL) if length else answer.startswith(b"CON Info Mine")


def test_a_long_body_without_a_length_is_read_no_further_than_it_may_be(roads: Roads) -> None:
    class Counting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None and 0 <= size <= hooks.MAX_BODY + 1
            return super().read(size)

    assert roads.ussd(b"", **{"CONTENT_LENGTH": "", "wsgi.input": Counting(form() + b"a" * 10**6)}).startswith(
        NEUTRAL
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_a_post_is_a_hop(roads: Roads, method: str) -> None:
    before = digest(roads.rt)
    assert roads(USSD, form(text=URGENT), method) == (200, roads.ussd(b""))
    assert digest(roads.rt) == before


def test_hostile_posts_that_spell_no_report_change_nothing(roads: Roads, quiet: None) -> None:
    before = digest(roads.rt)
    keys = st.sampled_from(
        ["", "0", "00", "1", "2", "3", "6", "7", "9", "99", "101", "999", "#", "un", "２", "\0", "🙂"]
    )
    texts = st.one_of(
        st.lists(st.one_of(keys, st.text(max_size=30)), max_size=70).map("*".join), st.text(max_size=1_200)
    )
    values = st.one_of(st.text(max_size=140), st.sampled_from(sorted(FORM.values())))
    fields = st.lists(st.tuples(st.sampled_from([*FORM, "status", "id", "x"]), values), max_size=25)

    @settings(max_examples=150)
    @given(text=texts, others=fields, complete=st.booleans())
    def forms(text: str, others: list[tuple[str, str]], complete: bool) -> None:
        pairs = [*(FORM | {"text": text}).items()] if complete else []
        body = urlencode([*pairs, *others], errors="surrogatepass").encode()
        assume(not spells_a_report(roads.rt, body))
        roads.ussd(body)

    @settings(max_examples=100)
    @given(st.one_of(st.binary(max_size=9_000), st.binary(max_size=60).map(lambda raw: form() + raw)))
    def bytes_(body: bytes) -> None:
        roads.ussd(body)
        roads(USSD.replace("ussd", "ussd-ended"), body)

    forms()
    bytes_()
    assert digest(roads.rt) == before


def spells_a_report(rt: Runtime, body: bytes) -> bool:
    """Whether the keys in a body would file something, by the pure fold."""
    sent = parse_qs(body.decode(), keep_blank_values=True).get("text", [""])[0]
    return bool(flows.fold(rt.book, sent.split("*"), rt.directory.known).acts)


def test_a_fault_inside_ends_harmlessly_and_leaves_no_word_of_the_caller_in_the_log(
    mine: Roads, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = flows.fold

    def breaks(book: flows.Book, inputs: tuple[str, ...], known: flows.Known) -> flows.Turn:
        if inputs == ("2",):
            raise ValueError("+243990000001 said something")
        return fold(book, inputs, known)

    monkeypatch.setattr(flows, "fold", breaks)
    assert mine.ussd(form(text="2")).startswith(NEUTRAL)
    assert "hook.failed" in caplog.text
    assert [record for record in caplog.records if "990000001" in record.getMessage()] == []


def test_the_end_of_a_session_brings_the_dispatch_forward_and_nothing_of_it_is_kept(
    mine: Roads, quiet: None, caplog: pytest.LogCaptureFixture
) -> None:
    mine.ussd(form(text="2*2*1*1*1"))
    with mine.rt.db.read() as db:
        assert (db.scalar(select(Report.dispatch_at)) or mine.rt.now()) > mine.rt.now()
    ended = form(
        status="Incomplete",
        durationInMillis="61000",
        hopsCount="6",
        input="TYPEDWORDS",
        text=None,
        lastAppResponse="SHOWNWORDS",
        errorMessage="FAULTWORDS",
    )
    for _ in range(2):
        assert mine(USSD.replace("ussd", "ussd-ended"), ended) == (200, b"")
    with mine.rt.db.read() as db:
        assert db.scalar(select(Report.dispatch_at)) == mine.rt.now()
        stored = repr([db.execute(select(table)).all() for table in Base.metadata.sorted_tables])
    for planted in ("TYPEDWORDS", "SHOWNWORDS", "FAULTWORDS", "61000", "990000001", "ATUid_1"):
        assert planted not in stored
        assert planted not in caplog.text


def test_the_end_of_another_callers_session_hastens_nothing(mine: Roads, quiet: None) -> None:
    mine.ussd(form(text="2*2*1*1*1"))
    before = digest(mine.rt)
    for other in (form(phoneNumber="+243990000002"), form(sessionId="ATUid_2")):
        assert mine(USSD.replace("ussd", "ussd-ended"), other) == (200, b"")
    assert digest(mine.rt) == before


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["Sent", "Submitted", "Buffered"], "sent"),
        (["Success"], "delivered"),
        (["Success", "Success", "Sent", "Failed", "Expired"], "delivered"),
        (["Buffered", "Failed", "Success", "Sent"], "failed"),
        (["Nonsense", ""], "sent"),
    ],
)
def test_a_delivery_report_only_ever_moves_a_message_forward(
    mine: Roads, quiet: None, statuses: list[str], state: str
) -> None:
    mine.ussd(form(text=URGENT))
    with mine.rt.db.read() as db:
        found = db.scalars(select(Report.id)).one()
    dispatch(mine.rt, found)
    send(mine.rt)
    for status in statuses:
        body = urlencode({"id": "ATXid_1", "status": status, "phoneNumber": "+243000000001"}).encode()
        assert mine(USSD.replace("ussd", "receipt"), body) == (200, b"")
    with mine.rt.db.read() as db:
        assert db.scalars(select(Message.state)).one() == state


def test_a_delivery_report_of_nothing_is_kept_by_a_hash_of_its_id_alone(mine: Roads, quiet: None) -> None:
    body = b"id=ATXid_99&status=Success&phoneNumber=" + quote_plus("+243990000001").encode()
    mine(USSD.replace("ussd", "receipt"), body)
    with mine.rt.db.read() as db:
        mark = mine.rt.vault.token("sms", "ATXid_99").hex()
        assert db.execute(select(EarlyReceipt.mark, EarlyReceipt.state)).all() == [(mark, "delivered")]


def test_the_process_says_that_it_answers(roads: Roads) -> None:
    assert roads("/healthz", method="GET") == (200, b"ok\n")
