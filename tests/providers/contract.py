"""Cases that every provider must pass. Its own test inherits them and says what its posts look like."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.providers import Ended, Form, Hop, NotAHop, Provider, Receipt, SendFailed, Sent

CODE = "*384*2430#"
NUMBER = "+243970000001"
TEXT = "Dossier 7 : ouvrez la page"

Posts = Callable[..., dict[str, list[str]]]
Sends = Callable[[str, str], Sent]

words = st.text(max_size=200)
typed = st.lists(st.text(st.characters(exclude_characters="*", codec="utf-8"), max_size=8), max_size=30)


class ProviderContract:
    """Needs the fixture `sends`: a `send_sms` whose provider takes every message."""

    provider: ClassVar[Provider]
    hop_form: ClassVar[Posts]
    ended_form: ClassVar[Posts]
    receipt_form: ClassVar[Posts]
    fields: ClassVar[tuple[str, ...]]
    """Every field name that the provider's posts are known to use."""

    def test_a_dialled_code_has_no_inputs_yet(self) -> None:
        hop = self.provider.read_hop(type(self).hop_form(text=""))
        assert hop == Hop(self.provider.name, "S1", NUMBER, CODE, ())

    @settings(deadline=None)
    @given(inputs=typed.filter(lambda inputs: inputs not in ([], [""])))
    def test_what_was_typed_comes_back_in_order(self, inputs: list[str]) -> None:
        hop = self.provider.read_hop(type(self).hop_form(text="*".join(inputs)))
        assert hop.inputs == tuple(inputs)

    def test_a_repeated_post_is_the_same_hop(self) -> None:
        form = type(self).hop_form(text="1*2*3")
        assert self.provider.read_hop(form) == self.provider.read_hop(dict(form))

    def test_no_value_shows_what_it_holds(self) -> None:
        kind = type(self)
        values = (
            self.provider.read_hop(kind.hop_form(text="secret")),
            self.provider.read_ended(kind.ended_form()),
            self.provider.read_receipt(kind.receipt_form()),
        )
        for value in values:
            assert not any(held in repr(value) for held in ("secret", NUMBER, CODE, "S1", "M1"))

    def test_the_end_of_a_dialogue_says_whose_it_was_and_nothing_else(self) -> None:
        ended = self.provider.read_ended(type(self).ended_form())
        assert ended == Ended(self.provider.name, "S1", NUMBER, CODE)

    def test_a_receipt_says_which_message_and_how_far(self) -> None:
        assert self.provider.read_receipt(type(self).receipt_form()) == Receipt("M1", "delivered")

    @settings(deadline=None)
    @given(data=st.data())
    def test_any_form_is_read_or_is_refused_in_silence(self, data: st.DataObject) -> None:
        kind = type(self)
        form: dict[str, list[str]] = data.draw(
            st.dictionaries(st.sampled_from(self.fields) | words, st.lists(words, max_size=3))
        )
        valid = data.draw(st.sampled_from([{}, kind.hop_form(text="1"), kind.ended_form(), kind.receipt_form()]))
        mixed: Form = {**valid, **form}
        for read, value in (
            (self.provider.read_hop, Hop),
            (self.provider.read_ended, Ended),
            (self.provider.read_receipt, Receipt),
        ):
            outcome: object
            try:
                outcome = read(mixed)
            except NotAHop as refusal:
                outcome = refusal
            assert isinstance(outcome, value | NotAHop)
            if isinstance(outcome, NotAHop):
                held = {text for texts in mixed.values() for text in texts if len(text) > 20}
                assert not any(text in str(outcome) for text in held)
                assert outcome.__context__ is None

    @settings(deadline=None)
    @given(text=words, ends=st.booleans())
    def test_a_screen_holds_its_words_and_says_whether_it_ends(self, text: str, ends: bool) -> None:
        screen = self.provider.write_screen(text, ends)
        assert text.encode() in screen
        assert screen != self.provider.write_screen(text, not ends)

    def test_each_message_has_an_id_of_its_own(self, sends: Sends) -> None:
        assert sends(NUMBER, TEXT).message_id != sends(NUMBER, TEXT).message_id

    def test_messages_may_be_sent_from_many_threads(self, sends: Sends) -> None:
        ids: list[str] = []
        threads = [
            threading.Thread(target=lambda: ids.extend(sends(NUMBER, TEXT).message_id for _ in range(5)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 40

    @pytest.mark.parametrize(
        "number",
        [
            "",
            "+",
            "243970000001",
            "0970000001",
            "+0970000001",
            "+24397",
            "+2439700000010000",
            "+243970000001\n",
            " +243970000001",
            "+243 970000001",
            "+٢٤٣٩٧٠٠٠٠٠٠١",
            "+243970000001,+243970000002",
        ],
    )
    def test_only_a_whole_number_is_sent_to(self, sends: Sends, number: str) -> None:
        with pytest.raises(SendFailed) as failed:
            sends(number, TEXT)
        assert failed.value.kind == "refused"
        assert len(number) < 2 or number not in str(failed.value)

    def test_an_empty_message_is_refused(self, sends: Sends) -> None:
        with pytest.raises(SendFailed) as failed:
            sends(NUMBER, "")
        assert failed.value.kind == "refused"


@contextmanager
def a_server_that_says(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server of one connection that reads a request, says `answer` and hangs up."""
    heard: list[bytes] = []

    def run() -> None:
        connection, _ = listening.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65_536)
            heard.append(head + b"\r\n\r\n" + body)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        thread.join()


def http(status: int, body: bytes, *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*head, b"", body])
