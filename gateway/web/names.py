"""What our own short words are called on the pages: roles, states, reasons, the steps of a story."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.casework.caseworker import Role
from gateway.casework.contact import How
from gateway.casework.letter import Kind as LetterKind
from gateway.casework.organisation import Kind
from gateway.casework.referral import HandOnReason
from gateway.casework.report import Outcome, State
from gateway.casework.shelf import Shelf
from gateway.casework.verb import Verb
from gateway.flows import Book
from gateway.web.reader import say


def msgid(text: str) -> str:
    """Marks an English text that is translated when it is shown."""
    return text


SEVERITIES: Mapping[str, str] = {
    "P0": msgid("Critical"),
    "P1": msgid("Urgent"),
    "P2": msgid("Serious"),
    "P3": msgid("Normal"),
}
SHAPES: Mapping[str, str] = {"P0": "▲", "P1": "◆", "P2": "■", "P3": "●"}
"""A shape for each severity, so that no colour has to be told from another."""

SHELVES: Mapping[Shelf, str] = {
    Shelf.TO_TAKE: msgid("To take"),
    Shelf.MINE: msgid("Mine"),
    Shelf.IN_WORK: msgid("In work"),
    Shelf.CLOSED: msgid("Closed"),
}
STATES: Mapping[State, str] = {
    State.RECEIVED: msgid("Waiting for somebody to take it"),
    State.ACCEPTED: msgid("Somebody is at it"),
    State.CLOSED: msgid("Closed"),
}
OUTCOMES: Mapping[Outcome, str] = {
    Outcome.HELPED: msgid("Help was given"),
    Outcome.REFERRED: msgid("Passed to another service, which confirmed it"),
    Outcome.NOT_CONFIRMED: msgid("Looked into, not confirmed"),
    Outcome.NOT_FOUND: msgid("The place or the people could not be found"),
    Outcome.DUPLICATE: msgid("The same as another report"),
    Outcome.OUT_OF_SCOPE: msgid("Not what this service is for"),
    Outcome.UNSAFE: msgid("Acting would put somebody in danger"),
    Outcome.WITHDRAWN: msgid("Withdrawn by the reporter"),
}
KINDS: Mapping[Kind, str] = {
    Kind.INDEPENDENT: msgid("Independent: an alliance, an NGO, a school, a clinic"),
    Kind.COOPERATIVE: msgid("Cooperative"),
    Kind.BUYER_COMPANY: msgid("Buyer or company"),
    Kind.POLICE_ARMY_GUARD: msgid("Police, soldier or guard"),
    Kind.MINE_SERVICE: msgid("Mine service"),
}
LETTERS: Mapping[LetterKind, str] = {
    LetterKind.MESSAGE: msgid("Message"),
    LetterKind.QUESTION: msgid("Question"),
    LetterKind.CLOSING: msgid("Last words"),
    LetterKind.ANSWER: msgid("Answer of the reporter"),
}
REACHED: Mapping[How, str] = {
    How.CALL: msgid("The reporter asks to be called."),
    How.SMS: msgid("The reporter asks for one neutral SMS when you write. It leaves with your letter."),
}
HOURS: Mapping[str, str] = {
    "morning": msgid("in the morning"),
    "midday": msgid("at midday"),
    "evening": msgid("in the evening"),
    "any_hour": msgid("at any hour"),
}
REASONS: Mapping[HandOnReason, str] = {
    HandOnReason.TOO_MANY: msgid("I have too many reports"),
    HandOnReason.AWAY: msgid("I am away"),
    HandOnReason.KNOWS_SOMEBODY: msgid("I know somebody in it (you will no longer see it)"),
    HandOnReason.OTHER_WORK: msgid("It is not my kind of work"),
}
ROLES: Mapping[Role, str] = {
    Role.CASE_WORKER: msgid("Case worker"),
    Role.SUPERVISOR: msgid("Supervisor"),
    Role.INTEGRITY_OFFICER: msgid("Integrity officer"),
    Role.TECHNICIAN: msgid("Technician"),
    Role.ADMINISTRATOR: msgid("Administrator"),
}
LANES: Mapping[str, str] = {
    "child": msgid("Children"),
    "safety": msgid("Danger and accidents"),
    "protection": msgid("Violence"),
    "gbv": msgid("Sexual violence"),
    "money": msgid("Money and weight"),
    "community": msgid("Community"),
    "integrity": msgid("Complaints about this service"),
}
LANGUAGES: Mapping[str, str] = {
    "fr": msgid("French"),
    "sw_CD": msgid("Swahili"),
    "ln": msgid("Lingala"),
}
STORY: Mapping[Verb, str] = {
    Verb.FILED: msgid("The report arrived"),
    Verb.ADDED: msgid("The reporter added an answer"),
    Verb.MOVED: msgid("Moved to other people"),
    Verb.OFFERED: msgid("Brought to %(whom)s"),
    Verb.EXPIRED: msgid("%(whom)s did not answer in time"),
    Verb.OPENED: msgid("%(who)s opened it"),
    Verb.ACCEPTED: msgid("%(who)s took it"),
    Verb.RELEASED: msgid("%(whom)s cannot answer for it any more: it is brought to somebody else"),
    Verb.HANDED_ON: msgid("%(who)s passed it on"),
    Verb.GRANTED: msgid("%(who)s gave %(whom)s access"),
    Verb.NOTED: msgid("%(who)s wrote a note"),
    Verb.CLOSED: msgid("%(who)s closed it"),
    Verb.REOPENED: msgid("The reporter says it is not settled: it is open again"),
    Verb.WROTE: msgid("%(who)s wrote to the reporter"),
    Verb.ANSWERED: msgid("The reporter answered"),
    Verb.RATED: msgid("The reporter said whether it is settled"),
    Verb.WITHDRAWN: msgid("The reporter withdrew it; what was told is erased"),
    Verb.WITHDRAWAL_ASKED: msgid("The reporter asks to withdraw it"),
    Verb.NARROWED: msgid("Fewer people may act on it"),
    Verb.CONSENTED: msgid("The reporter said how to reach them"),
    Verb.REMINDED: msgid("The one SMS to the reporter is leaving; their number is erased"),
    Verb.NUMBER_OPENED: msgid("%(who)s opened the number"),
    Verb.NUMBER_ERASED: msgid("The number was erased"),
    Verb.HOLD_ASKED: msgid("%(who)s asks to keep it from being erased"),
    Verb.HELD: msgid("%(who)s agrees: it is kept from being erased"),
    Verb.KEYS_DESTROYED: msgid("Its keys were destroyed"),
    Verb.ERASED: msgid("It was erased"),
    Verb.SENT: msgid("SMS to %(whom)s sent"),
    Verb.DELIVERED: msgid("SMS to %(whom)s arrived"),
    Verb.FAILED: msgid("SMS to %(whom)s did not arrive"),
    Verb.REPORT_ALTERED: msgid("Somebody changed it outside this system. Tell your technician."),
}
DONE: Mapping[str, str] = {
    "accepted": msgid("You have taken this report. Its next step is yours."),
    "accepted_before": msgid("You had taken this report already."),
    "noted": msgid("Your note is saved."),
    "granted": msgid("Your colleague can open this report now."),
    "handed_on": msgid("Your colleague has been told by SMS."),
    "handed_on_hidden": msgid("The report was passed on. You no longer see it."),
    "closed": msgid("The report is closed."),
    "written": msgid("Your letter waits for the reporter. They read it with their code."),
    "written_sms": msgid("Your letter waits for the reporter, and the one SMS they asked for is leaving."),
    "left_out": msgid("They no longer see this report, nor does anybody of their organisation."),
    "left_out_hidden": msgid("They no longer see this report, and neither do you: you belong together."),
    "hold_asked": msgid("Saved. The report is kept once a second person agrees."),
    "held": msgid("The report is kept from being erased until that day."),
    "saved": msgid("Saved."),
    "site_added": msgid("The site is saved. Callers see it in two minutes."),
    "signed_out": msgid("You are signed out."),
}
"""Confirmations, by the word that is kept between two pages. None holds anything of a report."""


def topic(book: Book, code: str) -> str:
    """What a topic is called; the code itself when a newer or older book knows no name for it."""
    return say(book.topics[code].name) if code in book.topics else code


def answered(book: Book, field: str, value: str, words: str) -> str | None:
    """An answer in the reader's language; None when only the caller's own words can say it."""
    if field == "topic":
        return topic(book, value)
    if field == "site" and value != "unknown":
        return words
    if (field, value) in book.settable and value in book.names:
        return say(book.names[value])
    return None


def asked(book: Book, field: str) -> str:
    """What a field is called."""
    return say(book.names[field]) if field in book.names else field


def html_language(code: str) -> str:
    """A language as HTML's `lang` spells it."""
    return code.replace("_", "-")
