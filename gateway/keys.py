"""The `keys` commands: what a technician, and the holders of the escrow, do with the key directory.

No command takes a secret as an argument, and none prints a key but the three sheets of a new escrow, once.
"""

from __future__ import annotations

import argparse
import getpass
import stat
import sys
import textwrap
import warnings
from datetime import date, datetime, timedelta

from gateway import desk, log, process, vault
from gateway.casework import account, caseworker, erasure, installation, journal
from gateway.casework.verb import Verb
from gateway.db import Database, Unavailable
from gateway.runtime import Runtime
from gateway.settings import Settings
from gateway.vault import KeyDirectory, Vault, escrow
from gateway.vault.troubles import troubles

_ROTATING = timedelta(minutes=5)


class _Stopped(Exception):
    """Why nothing was done, in a line for the person at the terminal."""


def commands(parser: argparse.ArgumentParser) -> None:
    """Add what `keys` can do to its parser."""
    does = parser.add_subparsers(metavar="what", required=True)
    init = does.add_parser("init", help="make KEYS_DIR and its mirror, or restore it from there")
    status = does.add_parser("status", help="what is there, and what is wrong with it")
    step = does.add_parser("step", help="begin the day keys anew, when the clock was wrong and now is right")
    rotate = does.add_parser("rotate", help="put a new server key in front, seal anew what the house itself reads")
    papers = does.add_parser("escrow", help="what any two of three holders open")
    on_paper = papers.add_subparsers(metavar="what", required=True)
    new = on_paper.add_parser("new", help="print three sheets, for three people in three countries")
    new.add_argument(
        "--replace", action="store_true", help="when there is one; old sheets open what is sealed so far"
    )
    check = on_paper.add_parser("check", help="see whether two sheets fit; opens nothing else")
    grant = on_paper.add_parser("grant", help="give somebody the reports of their plan, with two sheets")
    grant.add_argument("login", help="the name the person signs in with")
    destroy = does.add_parser("destroy", help="make what was told in a month unreadable for ever, in every copy")
    destroy.add_argument("month", help="such as 2026-11")
    for made, does_it in (
        (init, _init),
        (status, _status),
        (step, _step),
        (rotate, _rotate),
        (new, _escrow_new),
        (check, _escrow_check),
        (grant, _escrow_grant),
        (destroy, _destroy),
    ):
        made.set_defaults(keys=does_it)
    for asking in (step, rotate, destroy):
        asking.add_argument("--yes", action="store_true", help="do it without asking")


def run(arguments: argparse.Namespace) -> int:
    """One of the commands; returns the exit code. Raises what `cli.main` puts into words."""
    process.no_core_dumps()
    try:
        code: int | None = arguments.keys(arguments, Settings.read())
    except (_Stopped, escrow.EscrowRefused) as stopped:
        print(stopped, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or 'The key directory'}: {error.strerror}", file=sys.stderr)
        return 1
    return code or 0


def begin(settings: Settings) -> None:
    """A process that starts to work says in its log that a lost disk would lose every report."""
    if settings.keys_mirror is None and not settings.demo:
        log.warn("keys.no_mirror")


def _init(arguments: argparse.Namespace, settings: Settings) -> None:
    directory = KeyDirectory(settings.keys_dir, settings.keys_mirror)
    mirrored = directory.in_mirror("server.keys") is not None
    try:
        vault.create(settings.keys_dir, settings.keys_mirror)
        done = (
            f"Restored the keys in {settings.keys_dir} from its mirror."
            if mirrored
            else f"Made the keys in {settings.keys_dir}."
        )
    except FileExistsError:
        if settings.keys_mirror is None or mirrored:
            raise _Stopped(f"{settings.keys_dir} holds a server key already; nothing was changed.") from None
        done = f"Filled the mirror {settings.keys_mirror}."
        if trouble := directory.begin_mirror():
            raise _Stopped(f"The mirror could not be filled: {trouble}.") from None
    opened = Vault.open_directory(settings.keys_dir, settings.keys_mirror)
    opened.months.prepare(opened.days.overlapping(_today(settings))[0])
    trouble = opened.directory.bring_into_step()
    _say(
        done,
        "Without these keys no report opens. Keep the directory out of every backup, snapshot and rsync: an old "
        "copy of it undoes what was erased. Its one copy is the mirror.",
        f"But {trouble}." if trouble else "",
        ""
        if settings.keys_mirror
        else "Set KEYS_MIRROR to a directory on another disk or host, then do this again.",
        "Next: `python3 -m gateway migrate`, then `python3 -m gateway keys status`.",
    )


def _status(arguments: argparse.Namespace, settings: Settings) -> int:
    opened, today = Vault.open_directory(settings.keys_dir, settings.keys_mirror), _today(settings)
    opened.directory.bring_into_step()
    day = opened.days.overlapping(today)[0]
    months, gone = opened.months.months(), opened.months.destroyed()
    held = escrow.public(opened.directory)
    print(f"Key directory  {settings.keys_dir}, server keys: {len(opened.directory.server_keys())}")
    print(f"Mirror         {settings.keys_mirror or 'none'}")
    print(f"Months         {f'{months[0]} to {months[-1]} open' if months else 'none'}, destroyed: {len(gone)}")
    print(f"Day keys       at {day}, the clock at {today}")
    print(f"Escrow         {vault.fingerprint(held) if held else 'none'}")
    wrong = troubles(opened.directory, opened.days, opened.months, today, demo=settings.demo)
    for place in (settings.keys_dir, settings.keys_mirror):
        if place is not None and place.exists() and stat.S_IMODE(place.stat().st_mode) & 0o077:
            wrong.append(f"{place} is open to others on its machine: chmod 700 it")
    for line in wrong:
        print(f"Wrong: {line}.", file=sys.stderr)
    if not wrong:
        print("Nothing is wrong.")
    return 1 if wrong else 0


def _step(arguments: argparse.Namespace, settings: Settings) -> None:
    opened, today = Vault.open_directory(settings.keys_dir, settings.keys_mirror), _today(settings)
    day = opened.days.overlapping(today)[0]
    days = opened.days
    if not (days.far_ahead(today) or days.far_behind(today) or days.doubted(today)):
        print(f"The day keys are at {day} and the clock at {today}: nothing to do.")
        return
    _confirm(
        arguments,
        f"The clock of this machine says {today}; the day keys are at {day}. When the clock is right, they begin "
        "anew: a dialogue under way may file twice, and nothing else is lost.",
        "yes",
    )
    days.step(today)
    opened.months.prepare(today)
    print(
        f"The day keys are at {today}. Every running process follows within a minute: there is nothing to restart."
    )


def _rotate(arguments: argparse.Namespace, settings: Settings) -> None:
    _confirm(
        arguments,
        "Stop web, worker and clock first: they know only the old keys, and would seal new reports to nobody. "
        "Everybody signs in again afterwards.",
        "yes",
    )
    rt = _runtime(settings)
    try:
        now, holder = rt.now(), "keys rotate"
        with rt.begin() as unit:
            if not installation.take_lease(unit.db, "clock", holder, now, _ROTATING):
                raise _Stopped("The clock is running: stop web, worker and clock, then do this again.")
        try:
            if trouble := rt.vault.directory.bring_into_step():
                raise _Stopped(f"Nothing was changed: {trouble}.")
            # The key lies on both disks before anything is sealed under it.
            rt.vault.directory.add_server_key()
            if trouble := rt.vault.directory.bring_into_step():
                raise _Stopped(
                    f"The new key is here but nothing is sealed under it yet: {trouble}. Then do this again."
                )
            newest = Vault.open_directory(settings.keys_dir, settings.keys_mirror)
            with rt.begin() as unit:
                caseworker.reseal(unit.db, newest)
                account.reseal(unit.db, newest)
                for person in caseworker.every(unit.db):
                    journal.write(unit.db, now, Verb.KEYS_CHANGED, subject=person.id)
        finally:
            with rt.begin() as unit:
                installation.give_up_lease(unit.db, "clock", holder, rt.now())
    finally:
        rt.close()
    _say(
        "A new server key is in front; what the house itself reads is sealed under it. The older ones stay: codes "
        "and the journal hang on the first.",
        "Next: start web, worker and clock again. Printed one-time codes and open invitations fit no more: give "
        "new ones to whoever needs them.",
    )


def _escrow_new(arguments: argparse.Namespace, settings: Settings) -> None:
    directory = _directory(settings)
    try:
        secrets = escrow.establish(directory, replace=arguments.replace)
    except FileExistsError:
        raise _Stopped(
            "There is an escrow already; nothing was changed. With --replace a new one stands in front, and the "
            "old sheets still open what is sealed so far: keep them."
        ) from None
    held = escrow.public(directory)
    for number, secret in enumerate(secrets, start=1):
        print(f"{'-' * 72}\nEscrow of {settings.public_url}, sheet {number} of 3, {_today(settings)}")
        print(f"Fingerprint  {vault.fingerprint(held) if held else ''}\nSecret       {secret}\n")
        _say(
            "Any two of the three sheets, with the key directory, open every report that has not expired. One "
            "alone opens nothing. Keep it on paper, in a closed envelope, in another country than the other two. "
            "Never photograph it, never send it, never type it but after `python3 -m gateway keys escrow`.",
        )
    print("-" * 72)
    _say(
        "The secrets are kept nowhere else and never shown again. From now on every new report is sealed to this "
        "escrow too. Next: write or print each sheet, clear this screen, and try two of them with "
        "`python3 -m gateway keys escrow check`.",
        f"But {trouble}." if (trouble := directory.mirror_trouble()) else "",
    )


def _escrow_check(arguments: argparse.Namespace, settings: Settings) -> None:
    directory = _directory(settings)
    for pair in escrow.open_pairs(directory, *_two_secrets()):
        print(f"These two open the escrow {vault.fingerprint(pair.public)}.")


def _escrow_grant(arguments: argparse.Namespace, settings: Settings) -> None:
    rt = _runtime(settings)
    try:
        with rt.db.read() as db:
            person = account.holder(db, arguments.login)
        if person.reader is None:
            raise _Stopped(
                "Nobody has confirmed the key of this person yet: that comes first, on the page of people."
            )
        pairs = escrow.open_pairs(rt.vault.directory, *_two_secrets())
        given = unopened = 0
        for given, unopened, lacking in desk.grant_from_escrow(rt, person.id, pairs):
            print(f"\r{given + unopened} of {lacking} reports", end="", flush=True)
        print(f"\n{given} reports open for this person now, {unopened} do not open with these secrets.")
    finally:
        rt.close()


def _destroy(arguments: argparse.Namespace, settings: Settings) -> None:
    opened, month = Vault.open_directory(settings.keys_dir, settings.keys_mirror), arguments.month
    months, today = opened.months.months(), opened.days.overlapping(_today(settings))[0]
    past = [each for each in months if each < f"{today:%Y-%m}"]
    if month in past:
        others = len(past) - 1
        _confirm(
            arguments,
            f"What was told in {month} becomes unreadable for ever, here and in every backup of the database; "
            f"nobody can undo it. {_standing(settings, month, today)} "
            f"{others} other past {'month' if others == 1 else 'months'} still open.",
            month,
        )
    try:
        opened.months.destroy(month, today)
    except ValueError as refused:
        raise _Stopped(str(refused)) from None
    print(f"The key of {month} is erased in {settings.keys_dir}.")
    if trouble := opened.directory.bring_into_step():
        raise _Stopped(
            f"But {trouble}. Until then its copy of the key may be there; the clock erases it when it can."
        )
    print("Next: erase copies that were made by hand, if there are any.")


def _standing(settings: Settings, month: str, today: date) -> str:
    """What the database says of the reports of a month, for whoever is about to make them unreadable. Raises
    _Stopped when two people hold one of them."""
    db = Database(settings.database_url)
    try:
        with db.read() as session:
            open_, held = erasure.standing(session, month, today)
    except Unavailable:
        return "The database does not answer, so nobody knows whether reports of it are open, or held for a court."
    finally:
        db.dispose()
    if held:
        raise _Stopped(
            f"Two people hold {_reports(held)} of {month} for a court or an inquiry: nothing of that month is "
            "destroyed before their day."
        )
    return f"{_reports(open_)} of that month {'is' if open_ == 1 else 'are'} still open."


def _reports(count: int) -> str:
    return f"{count} report{'' if count == 1 else 's'}"


def _two_secrets() -> tuple[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would echo what is typed
        try:
            return getpass.getpass("Secret of one holder: "), getpass.getpass("Secret of another holder: ")
        except (getpass.GetPassWarning, EOFError):
            raise _Stopped("The secrets must be typed at a terminal.") from None


def _confirm(arguments: argparse.Namespace, what: str, word: str) -> None:
    if arguments.yes:
        return
    _say(what)
    try:
        typed = input(f"Type {word} to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() != word:
        raise _Stopped("Nothing was changed.")


def _say(*paragraphs: str) -> None:
    for paragraph in filter(None, paragraphs):
        print(textwrap.fill(paragraph, 100, break_long_words=False, break_on_hyphens=False))


def _directory(settings: Settings) -> KeyDirectory:
    directory = KeyDirectory(settings.keys_dir, settings.keys_mirror)
    directory.server_keys()
    return directory


def _runtime(settings: Settings) -> Runtime:
    log.configure("keys")
    rt = Runtime.build(settings)
    rt.declare()
    return rt


def _today(settings: Settings) -> date:
    return datetime.now(settings.local_zone).date()
