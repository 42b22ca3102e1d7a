"""Who may open which page, press which button, see what and send what: one table, to be read by people.

A row is a page, or one button of a page. Its columns are

- the page, by its name in the program; the one that a button is on is the page that shows it;
- **who**: C case workers, S supervisors, I integrity officers, T technicians, A administrators; N somebody who is
  not signed in, J somebody who came in with an invitation and has no account yet. Whoever is not named here is
  shown a page that does not exist, or asked to sign in;
- **button**: which button of the form, where there are several;
- **proof**: whether the own passphrase has to be typed again;
- **shows**: what stands on the page. `number/SA` means that supervisors and administrators see the number and the
  others of this row do not. A form shows its fields, be they empty. What somebody has just typed and is shown once
  more is not told here;
- **takes**: what the form may send (or the address, of a page that is only read). A form that sends anything else
  is refused before anything is done; an address may hold anything else, and it means nothing;
- **again**: when something is refused, this page is shown once more, with the reason.

The table says which pages; it does not say whose report. A report is open to the people of its plan, once it was
brought to them, and to nobody else whatever their role: lists, counts and the report itself ask the plan. And
whose page of people may be changed by whom stands in `CHANGES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.casework.caseworker import Role

LETTERS: Final[Mapping[Role, str]] = {
    Role.CASE_WORKER: "C",
    Role.SUPERVISOR: "S",
    Role.INTEGRITY_OFFICER: "I",
    Role.TECHNICIAN: "T",
    Role.ADMINISTRATOR: "A",
}
NOBODY, JOINING = "N", "J"
ANYBODY: Final = "NJCSITA"
STAFF: Final = "CSITA"
READERS: Final = "CSI"


class Proof(StrEnum):
    """When the own passphrase is asked for once more."""

    NONE = "not asked"
    TEN_MINUTES = "unless typed within ten minutes"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, as it is written."""

    page: str
    who: str
    button: str = ""
    proof: Proof = Proof.NONE
    shows: str = ""
    takes: str = ""
    again: str = ""

    def seen(self, letter: str) -> frozenset[str]:
        """What stands on the page for somebody of this letter."""
        return _given(self.shows, letter) | (_EVERYWHERE if letter in STAFF else frozenset())

    def sent(self, letter: str) -> frozenset[str]:
        """The names that a form, or an address, of somebody of this letter may hold."""
        button = {"do"} if self.button else set()
        return _given(self.takes, letter) | button | ({"proof"} if self.proof is not Proof.NONE else set())


_EVERYWHERE: Final = frozenset({"me"})
"""On every page, for whoever is signed in: their own name."""
_FORM_OF_A_PERSON: Final = (
    "name login role number sms_language languages lanes sites active organisation/A supervisor/A aliases/A"
)
_PERSON: Final = (
    "name role key fingerprint login/SA number/SA sms_language/SA languages/SA lanes/SA sites/SA active/SA "
    "invited_until/SA organisation/A supervisor/A aliases/A"
)
_REPORT: Final = (
    "reference severity state clock responsible site day language narrative notes story colleagues letters "
    "contact hold"
)
TEN: Final = Proof.TEN_MINUTES

TABLE: Final = (
    # Signing in, joining, a forgotten passphrase.
    Row("admin.sign_in.form", ANYBODY, takes="next"),
    Row("admin.sign_in.enter", ANYBODY, takes="login passphrase code next", again="admin.sign_in.form"),
    Row("admin.sign_in.leave", ANYBODY),
    Row("admin.joining.blank", ANYBODY),
    Row("admin.joining.enter", ANYBODY, takes="login invitation", again="admin.joining.blank"),
    Row("admin.joining.form", "J", shows="name login seed"),
    Row(
        "admin.joining.finish",
        "J",
        shows="login recovery_code codes fingerprint",
        takes="passphrase again code",
        again="admin.joining.form",
    ),
    Row("admin.recovery.form", ANYBODY),
    Row(
        "admin.recovery.recover",
        ANYBODY,
        shows="login recovery_code",
        takes="login recovery code passphrase again",
        again="admin.recovery.form",
    ),
    # The own account.
    Row("admin.own.show", STAFF, shows="login role since sessions codes_left fingerprint/CSI"),
    Row("admin.own.change", STAFF, "end"),
    Row("admin.own.change", STAFF, "passphrase", Proof.ALWAYS, takes="passphrase again", again="admin.own.show"),
    Row("admin.own.change", READERS, "recovery", TEN, shows="login recovery_code", again="admin.own.show"),
    Row("admin.own.change", STAFF, "codes", TEN, shows="login codes", again="admin.own.show"),
    Row("admin.own.offer", STAFF, shows="seed"),
    Row("admin.own.replace", STAFF, "", TEN, shows="login codes", takes="code", again="admin.own.offer"),
    # The installation.
    Row("admin.machine.show", "TA", shows="health day_key months mirror escrow journal_head"),
    # Reports. Whose: see above.
    Row(
        "admin.reports.inbox",
        READERS,
        shows="count reference severity topic site language day clock responsible letters",
        takes="shelf topic after",
    ),
    Row("admin.reports.show", READERS, shows=_REPORT),
    Row("admin.reports.act", READERS, "accept", again="admin.reports.show"),
    Row("admin.reports.act", READERS, "note", takes="words", again="admin.reports.show"),
    Row(
        "admin.reports.act",
        READERS,
        "preview",
        shows=_REPORT,
        takes="ready letter choices",
        again="admin.reports.show",
    ),
    Row("admin.reports.act", READERS, "write", takes="ready letter choices", again="admin.reports.show"),
    Row(
        "admin.reports.act",
        READERS,
        "number",
        Proof.ALWAYS,
        shows=f"{_REPORT} caller",
        takes="why",
        again="admin.reports.show",
    ),
    Row("admin.reports.act", READERS, "hand_on", takes="reason to", again="admin.reports.show"),
    Row("admin.reports.act", READERS, "close", takes="outcome closing", again="admin.reports.show"),
    Row("admin.reports.act", READERS, "grant", TEN, takes="grantee", again="admin.reports.show"),
    Row("admin.reports.act", "SI", "hold", TEN, takes="until", again="admin.reports.show"),
    Row("admin.reports.act", "SI", "agree", TEN, takes="until", again="admin.reports.show"),
    Row("admin.reports.act", READERS, "leave_out", TEN, takes="person", again="admin.reports.show"),
    # The people who work here.
    Row("admin.people.every", "SIA", shows="name role lanes sites languages standing"),
    Row("admin.people.blank", "SA", shows=_FORM_OF_A_PERSON),
    Row(
        "admin.people.add",
        "SA",
        "",
        TEN,
        shows="name login invitation invited_until",
        takes=_FORM_OF_A_PERSON,
        again="admin.people.blank",
    ),
    Row("admin.people.show", "SIA", shows=_PERSON),
    Row("admin.people.change", "SA", "save", TEN, takes=_FORM_OF_A_PERSON, again="admin.people.show"),
    Row(
        "admin.people.change",
        "SA",
        "invite",
        TEN,
        shows="name login invitation invited_until",
        again="admin.people.show",
    ),
    Row("admin.people.change", "SI", "confirm", TEN, takes="fingerprint", again="admin.people.show"),
    # Organisations.
    Row("admin.organisations.every", "A", shows="organisation kind aliases count"),
    Row("admin.organisations.blank", "A", shows="organisation kind aliases"),
    Row("admin.organisations.add", "A", "", TEN, takes="name kind aliases", again="admin.organisations.blank"),
    Row("admin.organisations.show", "A", shows="organisation kind aliases"),
    Row("admin.organisations.change", "A", "", TEN, takes="name kind aliases", again="admin.organisations.show"),
    # Sites.
    Row("admin.sites.every", "SA", shows="site place code open"),
    Row("admin.sites.blank", "SA", shows="site code"),
    Row("admin.sites.add", "SA", takes="name code", again="admin.sites.blank"),
    Row("admin.sites.show", "SA", shows="site place code open"),
    Row("admin.sites.change", "SA", takes="name open", again="admin.sites.show"),
)

CHANGES: Final[Mapping[Role, frozenset[Role]]] = {
    Role.ADMINISTRATOR: frozenset(Role),
    Role.SUPERVISOR: frozenset({Role.CASE_WORKER, Role.SUPERVISOR}),
}
"""Whom somebody of a role may add, change and invite anew. Of anybody else they see what an integrity officer
sees: a name, a role and a key to confirm."""

OUTSIDE: Final[Mapping[str, str]] = {
    "static": "the style",
    "pages.start": "leads on by who is signed in",
    "pages.choose_language": "anybody's choice, kept in their own cookie",
    "pages.no_icon": "nothing",
    "hooks.hook": "for machines: its address holds a secret",
    "hooks.healthz": "for machines: this process answers",
    "hooks.readyz": "for machines: why it cannot take reports",
    "phone.pick_up": "the demonstration only",
    "phone.press": "the demonstration only",
    "phone.sms": "the demonstration only",
}
"""Every other address, and why nobody is asked who they are: none shows anything of a report or a person."""


def rows(page: str) -> list[Row]:
    """The lines about a page: one, or one for each of its buttons."""
    return [row for row in TABLE if row.page == page]


def pressed(page: str, button: str) -> Row | None:
    """The line about this button of a page; None when there is none."""
    return next((row for row in rows(page) if row.button in ("", button)), None)


def open_to(letter: str) -> frozenset[str]:
    """The pages that somebody of this letter may open, or press a button of."""
    return frozenset(row.page for row in TABLE if letter in row.who)


def _given(fields: str, letter: str) -> frozenset[str]:
    named = (field.partition("/") for field in fields.split())
    return frozenset(name for name, _, only in named if letter in (only or ANYBODY))
