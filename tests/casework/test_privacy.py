"""What cannot be stored and what cannot be shown: every column and every value of the house, one by one."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from datetime import date
from typing import Any

from sqlalchemy import JSON, Boolean, Date, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeEngine

import gateway
from gateway import acts, desk
from gateway.acts import by_code
from gateway.casework import act, caseworker, contact, letter, reminder, report, shelf
from gateway.casework.caseworker import Role
from gateway.db import Base, UtcTime
from gateway.flows import Reply
from gateway.vault import CodeKeys, Pair, ReportKey
from tests.build import START

SHORTEST_NUMBER = 9
"""A caller's number as the networks write it, without its `+` and the country: 990 000 001."""

COULD_HOLD_WORDS = {
    "account.codes": "keyed hashes of one-time codes",
    "account.invitation": "32 bytes of a keyed hash",
    "account.lock": "what a slow hash of a passphrase is compared with",
    "account.login": "what a colleague signs in with",
    "account.private_sealed": "a colleague's key, sealed under their passphrase",
    "account.recovery_sealed": "the same, sealed under what they keep on paper",
    "account.seed_sealed": "a second factor, sealed",
    "act.dialogue": "32 bytes of a keyed hash, whose key is gone two days later",
    "act.kind": "a word of the flows",
    "act.mark": "32 bytes of a keyed hash, whose key is gone two days later",
    "act.reply_sealed": "sealed under a key made of the day's and of every key that was pressed",
    "addition.body_sealed": "sealed",
    "attempt.bucket": "32 bytes of a keyed hash",
    "caseworker.aliases": "other names of a colleague",
    "caseworker.attest": "32 bytes of a keyed hash",
    "caseworker.languages": "words of ours",
    "caseworker.lanes": "words of ours",
    "caseworker.name": "a colleague's name",
    "caseworker.number_sealed": "a colleague's number, sealed",
    "caseworker.public": "a public key",
    "caseworker.role": "a word of ours",
    "caseworker.sites": "ids",
    "chain.head": "32 bytes of a keyed hash",
    "contact.sealed": "a number whose owner asked to be reached: sealed, and locked by the key of its week",
    "early_receipt.mark": "a keyed hash of the provider's name of an SMS",
    "early_receipt.state": "a word of ours",
    "envelope.public": "a public key",
    "envelope.sealed": "sealed",
    "installation.keys": "32 bytes of a keyed hash",
    "journal.digest": "32 bytes of a keyed hash",
    "journal.hash": "32 bytes of a keyed hash",
    "journal.verb": "a word of ours",
    "lease.holder": "a random word of a process",
    "lease.name": "a word of ours",
    "letter.body_sealed": "sealed",
    "letter.kind": "a word of ours",
    "letter.reply_sealed": "sealed to a key that only the code gives",
    "message.failure": "a word of ours",
    "message.kind": "a word of ours",
    "message.mark": "a keyed hash of the provider's name of an SMS",
    "message.state": "a word of ours",
    "organisation.aliases": "other names of an organisation",
    "organisation.kind": "a word of ours",
    "organisation.name": "whom colleagues work for",
    "plan.reason": "a word of ours",
    "plan.state": "a word of ours",
    "referral.reason": "a word of ours",
    "referral.state": "a word of ours",
    "remains.lane": "a word of ours",
    "remains.outcome": "a word of ours",
    "remains.topic": "a word of the flows",
    "reminder.id": "a random word",
    "reminder.number_sealed": "a number whose owner asked for the SMS that leaves now, sealed; an hour at most",
    "report.attest": "32 bytes of a keyed hash",
    "report.body_sealed": "sealed",
    "report.code_token": "32 bytes of a slow hash",
    "report.escrow_sealed": "sealed",
    "report.lane": "a word of ours",
    "report.outcome": "a word of ours",
    "report.public": "a public key",
    "report.reply": "a public key",
    "report.state": "a word of ours",
    "report.topic": "a word of the flows",
    "sign_in.key_sealed": "a colleague's key, sealed under what their cookie gives",
    "sign_in.token": "32 bytes of a keyed hash",
    "site.name": "a place",
}
"""Every column wide enough for a caller's number or a word of theirs, and why neither comes there, or only
sealed. A new column must be put here by somebody who has thought about it."""


def holds_words(kind: TypeEngine[Any]) -> bool:
    if isinstance(kind, LargeBinary | JSON | Text):
        return True
    if isinstance(kind, String):
        return kind.length is None or kind.length >= SHORTEST_NUMBER
    return False


def test_every_column_that_could_hold_a_number_or_a_word_is_known_and_has_its_reason() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if holds_words(column.type)
    }
    assert found == COULD_HOLD_WORDS.keys()


def test_every_other_column_is_a_kind_that_holds_no_word() -> None:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            narrow = isinstance(column.type, String) and not holds_words(column.type)
            assert (
                narrow or holds_words(column.type) or isinstance(column.type, Integer | Boolean | Date | UtcTime)
            ), f"{table.name}.{column.name}"


def test_every_whole_number_wide_enough_for_a_telephone_number_is_an_id() -> None:
    wide = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.type.__class__.__name__ == "BigInteger"
    }
    assert {name.split(".")[1] for name in wide} == {"id", "report_id"}


def test_no_table_says_who_called_or_from_where() -> None:
    forbidden = ("phone_number", "msisdn", "caller", "session", "imei", "cell", "ip", "latitude", "text", "words")
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            assert not [word for word in forbidden if word in column.name.split("_")], (
                f"{table.name}.{column.name}"
            )


# What a value shows when somebody prints it

SECRET_NAMES = {
    "answers",
    "argument",
    "body",
    "body_sealed",
    "envelope",
    "envelopes",
    "key",
    "key_sealed",
    "lock",
    "private",
    "private_sealed",
    "recovery_code",
    "recovery_sealed",
    "sealed",
    "seed",
    "caller",
    "code",
    "code_token",
    "database_url",
    "digits",
    "facts",
    "inputs",
    "message_id",
    "notes",
    "number",
    "passphrase_hash",
    "redis_url",
    "reply_sealed",
    "secret_key",
    "service_code",
    "session",
    "text",
    "token",
    "value",
    "values",
    "words",
}
"""Fields that would hold a caller, their words, a code, a number, a key or a passphrase."""

HARMLESS = {
    "casework.letter.Row.number": "which letter of its report it is",
    "casework.letter.Waiting.number": "which letter of its report it is",
    "casework.site.SiteRow.code": "the three digits painted on a panel",
    "flows.definition.Act.answers": "each of them hides its value and its words",
    "flows.definition.Action.answers": "screens that follow an answer of the store",
    "flows.definition.Action.value": "a word of the flows",
    "flows.definition.Action.words": "an option of a screen, the same for everybody",
    "flows.definition.Letter.answers": "ready answers, the same for everybody",
    "flows.definition.Letter.text": "a ready sentence, the same for everybody",
    "flows.definition.Piece.key": "a key of the telephone",
    "flows.definition.Piece.text": "a piece of a screen, the same for everybody",
    "flows.definition.Problem.text": "what is wrong with a flow file",
    "flows.definition.Raise.value": "a word of the flows",
    "flows.definition.Screen.digits": "how many digits are typed on a screen",
    "flows.definition.Site.code": "the three digits painted on a panel",
    "flows.draft.Step.answers": "screens that follow an answer of the store",
    "flows.draft.Step.value": "a word of the flows",
    "flows.source.Text.value": "a text of a flow file",
    "runtime.Runtime.words": "the catalogues",
    "text.Phrase.text": "a translation",
    "web.admin.reports.Step.text": "what a verb of the journal is called",
}


def values() -> list[Any]:
    """Every dataclass of the product."""
    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if module.name.rsplit(".", 1)[-1] in ("__main__", "env") or ".versions" in module.name:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[name] for name in sorted(found) if name.startswith("gateway.")]


def test_no_value_of_the_product_shows_what_it_must_not() -> None:
    shown = {
        f"{value.__module__}.{value.__name__}.{field.name}".removeprefix("gateway.")
        for value in values()
        for field in dataclasses.fields(value)
        if field.repr and field.name in SECRET_NAMES
    }
    assert shown - HARMLESS.keys() == set()


def test_values_that_hold_secrets_show_none_of_them() -> None:
    secret = "+243990000001"
    row = shelf.Row(
        1, "123456", "t", "P0", None, "fr", date(2026, 1, 1), report.State.RECEIVED, START, None, False, False
    )
    for value in (
        report.Filing(
            id=1,
            reference="123456",
            code_token=secret.encode(),
            topic="t",
            severity="P0",
            lane="child",
            site_id=None,
            language="fr",
            day=date(2026, 1, 1),
            key=ReportKey(bytes(32), bytes(32), bytes(32), "2026-01", {1: secret.encode()}, secret.encode()),
            body=secret.encode(),
            dispatch_at=START,
            due_at=START,
        ),
        shelf.Opened(
            row,
            None,
            None,
            "2026-01",
            secret.encode(),
            [shelf.Part("report/1", None, date(2026, 1, 1), secret.encode())],
        ),
        Pair(bytes(32), secret.encode()),
        desk.Reader(1, Pair(bytes(32), secret.encode())),
        act.Done(date(2026, 1, 1), 1, 0, secret.encode()),
        acts.Performed(secret),
        by_code.Asked(Reply("letter", {"message": secret}), 1),
        contact.Reach(contact.How.CALL, secret, "morning", secret),
        letter.Waiting(1, letter.Kind.MESSAGE, secret.encode()),
        letter.Row(1, None, None, letter.Kind.ANSWER, date(2026, 1, 1), None, None, "p", secret.encode()),
        reminder.Taken(secret, "fr", START),
        desk.Draft(letter.Kind.MESSAGE, secret, (), secret),
        CodeKeys(secret.encode(), Pair(bytes(32), secret.encode())),
        caseworker.Entered("N", Role.SUPERVISOR, True, secret, "fr", frozenset(), frozenset(), frozenset()),
    ):
        assert secret not in repr(value)
        assert secret[1:] not in str(value)
