"""What a provider of USSD and SMS is to the rest of the product: six values, two errors and one protocol.

Each provider is one file beside this one. It speaks the provider's wire on one side and these values on the
other, and nobody else knows its field names, its codes or its addresses.

A `Form` is the body of a post as `urllib.parse.parse_qs(body, keep_blank_values=True)` gives it: the blank
values matter, because the first hop of a dialogue carries an empty text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Form = Mapping[str, Sequence[str]]

State = Literal["sent", "delivered", "failed"]
"""How far a message is known to have come: handed on, on the phone, or lost for good."""

Kind = Literal["retry", "refused", "held", "unknown"]
"""What a failed sending means for the message; see `SendFailed`."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One key press as it reached us: the whole history of a dialogue, not only its last input.

    `inputs` are what the caller entered so far, in order, and `()` when the code has just been dialled. The
    provider joins them with `*`, so a `*` that was typed divides an input too; whoever wants it back joins
    them again. `caller` is whatever the provider calls them by: a number, or a mask in place of one.
    """

    provider: str
    session: str = field(repr=False)
    caller: str = field(repr=False)
    service_code: str = field(repr=False)
    inputs: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """A dialogue is over. What was typed and shown in it is never read into this value."""

    provider: str
    session: str = field(repr=False)
    caller: str = field(repr=False)
    service_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery report. `state` is None for a word of the provider's that we do not know: ignore it."""

    message_id: str = field(repr=False)
    state: State | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took a message; its receipts will carry this id."""

    message_id: str = field(repr=False)


class NotAHop(ValueError):
    """A post that cannot be what its address is for. The words name a field, never what stood in it."""


class SendFailed(Exception):
    """A message was not taken. `kind` says what to do, `code` why, in the provider's number or a bare word.

    retry    nothing reached the provider, or its machine failed: try again soon
    refused  this recipient will never get it from here: another person or another way
    held     credentials, sender or balance: nothing leaves until a person acts; alarm, and try again slowly
    unknown  it may have gone: wait for a receipt, then send again on purpose, once

    Neither the text of this error nor its causes hold a number, a message or an answer of the provider.
    """

    def __init__(self, kind: Kind, code: str) -> None:
        super().__init__(kind, code)
        self.kind = kind
        self.code = code

    def __str__(self) -> str:
        return f"{self.kind} ({self.code})"


class Provider(Protocol):
    """One way to and from the telephone networks."""

    @property
    def name(self) -> str:
        """The word in the hooks' addresses and in `Hop.provider`."""

    @property
    def screen_limit(self) -> int:
        """The longest screen, in GSM-7 septets."""

    @property
    def content_type(self) -> str:
        """The Content-Type of what `write_screen` returns."""

    def read_hop(self, form: Form) -> Hop:
        """Raises NotAHop, and nothing else, whatever the form holds."""

    def write_screen(self, text: str, ends: bool) -> bytes:
        """The body that shows `text` and then ends the dialogue or waits for an input."""

    def read_ended(self, form: Form) -> Ended:
        """Raises NotAHop, and nothing else."""

    def read_receipt(self, form: Form) -> Receipt:
        """Raises NotAHop, and nothing else."""

    def send_sms(self, number: str, text: str) -> Sent:
        """Hand one message to the network; `number` is E.164 with its `+`.

        Waits for the provider, so never inside a request or a transaction. Raises SendFailed. Safe to call
        from several threads.
        """


def advance(known: State | None, reported: State | None) -> State | None:
    """The state of a message after one more report: reports come late, twice and out of order.

    A message only ever moves forward, and the first final word stands.
    """
    if reported is None or known in ("delivered", "failed"):
        return known
    return reported
