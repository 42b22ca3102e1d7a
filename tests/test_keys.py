"""The `keys` commands as a technician types them, tired, in the wrong order, and as somebody who means harm."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select as rows
from sqlalchemy import update

from gateway import cli, vault
from gateway.casework import account, caseworker, hold, installation, plan, report, session
from gateway.casework.caseworker import CaseWorker
from gateway.casework.report import Report
from gateway.keys import begin
from gateway.runtime import Runtime
from gateway.settings import ROOT, SETTINGS
from gateway.vault import KeyDirectory, Pair, Vault, escrow
from tests import build, processes
from tests.later import story

NOW = datetime(2027, 2, 3, 10, 0, tzinfo=UTC)
Run = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings of the house that `build.runtime(tmp_path)` makes, with a mirror."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.sqlite'}",
        "SECRET_KEY": "k" * 40,
        "PUBLIC_URL": "https://gateway.example.org",
        "KEYS_DIR": str(tmp_path / "keys"),
        "KEYS_MIRROR": str(tmp_path / "mirror"),
        "HOOK_SECRETS": build.SECRET,
        "AT_USERNAME": "sandbox",
        "AT_API_KEY": "test-key",
        "USSD_CODES": build.CODE,
    }


@pytest.fixture
def keys(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One `keys` command, in this process; what it says holds no key of the directory."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return run_at.astimezone(tz)  # type: ignore[arg-type]

    run_at = NOW

    def run(*words: str, typed: str = "", sheets: tuple[str, str] | None = None, at: datetime = NOW) -> Done:
        nonlocal run_at
        run_at = at
        for setting in SETTINGS:
            monkeypatch.delenv(setting.name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        lines = iter([*typed.splitlines()])

        def answer(_: str) -> str:
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        held = iter(sheets or ())

        def sheet(_: str) -> str:
            try:
                return next(held)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("getpass.getpass", sheet)
        monkeypatch.setattr("gateway.keys.datetime", Clock)
        monkeypatch.setattr("gateway.process.no_core_dumps", lambda: None)
        monkeypatch.setattr("gateway.log.configure", lambda _: None)
        try:
            code = cli.main(["keys", *words])
        except SystemExit as ending:
            code = int(ending.code or 0)
        said = capsys.readouterr()
        for path in Path(environment["KEYS_DIR"]).rglob("*"):
            if path.is_file() and path.suffix in (".keys", ".key"):
                for key in path.read_text().split():
                    assert key not in said.out + said.err
        return Done(code, said.out, said.err)

    return run


def sheets_in(said: str) -> list[str]:
    return re.findall(r"^Secret +([a-z0-9-]{35})$", said, re.MULTILINE)


def opened(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "keys", tmp_path / "mirror")


# init


def test_keys_are_made_with_their_mirror_and_the_months_ahead(keys: Run, tmp_path: Path) -> None:
    done = keys("init")
    assert (done.code, done.err) == (0, "")
    assert "Made the keys" in done.out
    assert "Next:" in done.out
    assert opened(tmp_path).months.months()[0] == "2027-02"
    assert len(opened(tmp_path).months.months()) == 25
    assert opened(tmp_path).directory.mirror_trouble() == ""
    before = (tmp_path / "keys" / "server.keys").read_bytes()
    again = keys("init")
    assert (again.code, again.out) == (1, "")
    assert again.err == f"{tmp_path / 'keys'} holds a server key already; nothing was changed.\n"
    assert (tmp_path / "keys" / "server.keys").read_bytes() == before


def test_a_lost_directory_comes_back_from_the_mirror(keys: Run, tmp_path: Path) -> None:
    keys("init")
    check = opened(tmp_path).check()
    shutil.rmtree(tmp_path / "keys")
    lost = keys("status")
    assert lost.code == 1
    assert lost.err.count("\n") == 1
    assert "keys init` restores it" in lost.err
    done = keys("init")
    assert done.code == 0
    assert "Restored" in done.out
    assert opened(tmp_path).check() == check


def test_a_mirror_that_is_set_later_is_filled_by_init(
    keys: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    mirror = environment.pop("KEYS_MIRROR")
    without = keys("init")
    assert "Set KEYS_MIRROR" in without.out
    environment["KEYS_MIRROR"] = mirror
    away = keys("status")
    assert away.code == 1
    assert "keys init" in away.err
    assert not Path(mirror).exists()
    done = keys("init")
    assert done.code == 0
    assert "Filled the mirror" in done.out
    assert opened(tmp_path).directory.mirror_trouble() == ""


def test_a_directory_that_cannot_be_made_is_one_line(keys: Run, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    done = keys("init")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"{tmp_path / 'keys'}: Not a directory\n"


# status


def test_status_says_what_is_there_and_what_is_wrong(keys: Run, tmp_path: Path) -> None:
    keys("init")
    poor = keys("status")
    assert poor.code == 1
    assert [line.split(":")[1].strip() for line in poor.err.splitlines()] == ["no escrow"]
    keys("escrow", "new")
    whole = keys("status")
    assert (whole.code, whole.err) == (0, "")
    assert "2027-02 to 2029-02 open, destroyed: 0" in whole.out
    assert "at 2027-02-03, the clock at 2027-02-03" in whole.out
    assert whole.out.endswith("Nothing is wrong.\n")
    (tmp_path / "keys").chmod(0o755)
    assert "open to others" in keys("status").err
    (tmp_path / "keys").chmod(0o700)
    (tmp_path / "mirror").rename(tmp_path / "unmounted")
    away = keys("status")
    assert away.code == 1
    assert "the mirror is away" in away.err
    (tmp_path / "unmounted").rename(tmp_path / "mirror")
    (tmp_path / "mirror" / "escrow.json").unlink()
    assert keys("status").code == 0, "it brings the mirror into step"


# step


def test_the_day_keys_are_stepped_only_when_they_are_wrong_and_a_person_says_so(keys: Run, tmp_path: Path) -> None:
    keys("init")
    state = (tmp_path / "keys" / "day.json").read_text()
    assert "nothing to do" in keys("step").out
    assert (tmp_path / "keys" / "day.json").read_text() == state
    later = NOW + timedelta(days=30)
    assert "keys step" in keys("status", at=later).err
    for typed in ("", "no\n", "YES!\n"):
        refused = keys("step", typed=typed, at=later)
        assert refused.code == 1
        assert refused.err.splitlines()[-1] == "Nothing was changed."
        assert (tmp_path / "keys" / "day.json").read_text() == state
    done = keys("step", typed="yes\n", at=later)
    assert done.code == 0
    assert opened(tmp_path).days.overlapping(later.date())[0] == later.date()
    assert keys("step", "--yes", at=NOW).code == 0
    assert opened(tmp_path).days.overlapping(NOW.date())[0] == NOW.date()


# destroy


def test_a_month_is_destroyed_when_it_is_past_and_typed_twice(keys: Run, tmp_path: Path) -> None:
    keys("init")
    for wrong in ("2027-02", "2027-03", "2026-05", "May", "2027-2"):
        refused = keys("destroy", wrong, "--yes")
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.count("\n") == 1
    after = NOW + timedelta(days=28)
    opened(tmp_path).days.step(after.date())
    for typed in ("", "yes\n", "2027-03\n"):
        assert keys("destroy", "2027-02", typed=typed, at=after).err == "Nothing was changed.\n"
    assert opened(tmp_path).months.key("2027-02")
    done = keys("destroy", "2027-02", typed="2027-02\n", at=after)
    assert done.code == 0
    assert "0 other past months still open" in " ".join(done.out.split())
    assert opened(tmp_path).months.destroyed() == ["2027-02"]
    assert keys("destroy", "2027-02", "--yes", at=after).code == 0


def test_a_month_of_which_two_people_hold_a_report_is_not_destroyed(keys: Run, tmp_path: Path) -> None:
    """Nor does anybody destroy one without being told how many reports of it are open."""
    rt = build.runtime(tmp_path, keys_mirror=tmp_path / "mirror")
    rt.vault.directory.begin_mirror()
    staff = story.staff(rt)
    one, other = story.tell(rt, session="one"), story.tell(rt, session="two")
    with rt.db.begin() as db:
        month = db.scalars(rows(Report.month)).first()
    assert month is not None
    for made in (one, other):
        story.brought(rt, made)
    after = rt.now() + timedelta(days=40)
    rt.vault.days.step(after.date())
    told = keys("destroy", month, typed="no\n", at=after)
    assert "2 reports of that month are still open." in " ".join(told.out.split())
    until = rt.today() + timedelta(days=90)
    with rt.begin() as unit:
        hold.ask(unit.db, one, staff["supervisor"], until, rt.today(), rt.now())
        hold.agree(unit.db, one, staff["integrity"], until, rt.today(), rt.now())
    for answer in ((), ("--yes",)):
        refused = keys("destroy", month, *answer, typed=f"{month}\n", at=after)
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert "Two people hold 1 report" in refused.err
    assert opened(tmp_path).months.key(month)
    rt.vault.days.step((after + timedelta(days=90)).date())
    done = keys("destroy", month, "--yes", at=after + timedelta(days=90))
    assert done.code == 0, done.err
    rt.close()


def test_a_database_that_does_not_answer_is_said_to_before_a_month_is_destroyed(keys: Run, tmp_path: Path) -> None:
    keys("init")
    after = NOW + timedelta(days=28)
    opened(tmp_path).days.step(after.date())
    told = keys("destroy", "2027-02", typed="no\n", at=after)
    assert "The database does not answer" in told.out
    assert keys("destroy", "2027-02", typed="2027-02\n", at=after).code == 0


def test_a_clock_that_is_wrong_cannot_destroy_the_present_month(keys: Run, tmp_path: Path) -> None:
    keys("init")
    refused = keys("destroy", "2027-02", "--yes", at=NOW + timedelta(days=4000))
    assert refused.code == 1
    assert "not past" in refused.err
    assert opened(tmp_path).months.key("2027-02")


def test_a_month_is_not_said_to_be_gone_while_the_mirror_may_hold_it(keys: Run, tmp_path: Path) -> None:
    keys("init")
    after = NOW + timedelta(days=28)
    opened(tmp_path).days.step(after.date())
    (tmp_path / "mirror").rename(tmp_path / "unmounted")
    done = keys("destroy", "2027-02", "--yes", at=after)
    assert done.code == 1
    assert "may be there" in done.err
    (tmp_path / "unmounted").rename(tmp_path / "mirror")
    assert (tmp_path / "mirror" / "months" / "2027-02.key").exists()
    keys("status", at=after)
    assert not (tmp_path / "mirror" / "months" / "2027-02.key").exists()


# escrow


def test_three_sheets_are_printed_once_and_any_two_are_tried(keys: Run, tmp_path: Path) -> None:
    keys("init")
    made = keys("escrow", "new")
    sheets = sheets_in(made.out)
    assert len(set(sheets)) == 3
    assert made.out.count("another country") == 3
    held = escrow.public(KeyDirectory(tmp_path / "keys"))
    assert held is not None
    for one, other in ((0, 1), (2, 0), (1, 2)):
        done = keys("escrow", "check", sheets=(sheets[one], sheets[other].upper().replace("-", " ")))
        assert done.code == 0
        assert done.out == f"These two open the escrow {vault.fingerprint(held)}.\n"
    again = keys("escrow", "new")
    assert again.code == 1
    assert sheets_in(again.out) == []
    wrong = keys("escrow", "check", sheets=(sheets[0], sheets[0]))
    assert (wrong.code, wrong.out, wrong.err) == (1, "", "these two secrets open no escrow\n")
    replaced = keys("escrow", "new", "--replace")
    assert len(set(sheets_in(replaced.out)) | set(sheets)) == 6
    assert keys("escrow", "check", sheets=(sheets[0], sheets[1])).code == 0


def test_secrets_are_typed_at_a_terminal_and_not_shown(environment: dict[str, str], tmp_path: Path) -> None:
    vault.create(tmp_path / "keys", tmp_path / "mirror")
    one, other, _ = escrow.establish(KeyDirectory(tmp_path / "keys"))
    command = [sys.executable, "-m", "gateway", "keys", "escrow", "check"]
    piped = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        input=f"{one}\n{other}\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        timeout=processes.PATIENCE,
    )
    assert (piped.returncode, piped.stderr) == (1, "The secrets must be typed at a terminal.\n")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, command, environment)
    shown = b""
    for secret in (one, other):
        shown += _until(terminal, b"holder: ")
        os.write(terminal, secret.encode() + b"\n")
    shown += _until(terminal, b".\r\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)
    assert b"These two open the escrow" in shown
    for secret in (one, other):
        assert secret.encode() not in shown


def _until(terminal: int, ending: bytes) -> bytes:
    seen = b""
    while not seen.endswith(ending):
        assert select.select([terminal], [], [], processes.PATIENCE)[0], seen
        seen += os.read(terminal, 1000)
    return seen


@pytest.fixture
def house(tmp_path: Path, keys: Run) -> Runtime:
    """A house at work today, with an escrow; the commands' database and keys."""
    rt = build.runtime(tmp_path, clock=lambda: datetime.now(UTC))
    keys("init", at=datetime.now(UTC))
    return build.another(rt)


def test_two_holders_give_a_person_the_reports_that_their_new_key_does_not_open(
    keys: Run, house: Runtime, tmp_path: Path
) -> None:
    """Somebody lost both passphrase and recovery code, and joined anew."""
    build.staff(house)
    sheets = sheets_in(keys("escrow", "new", at=datetime.now(UTC)).out)
    build.sites(house, "Site A", "Site B")
    build.urgent(house)
    with house.db.read() as db:
        (made,) = db.scalars(rows(Report.id))
        someone = min(plan.holders(db, made))
        login = account.login_of(db, someone)
    new = vault.enrol(someone, "another synthetic passphrase")
    with house.begin() as unit:
        account.drop_key(unit.db, someone)
        account.enrolled(unit.db, someone, new)
    unconfirmed = keys("escrow", "grant", login, sheets=(sheets[0], sheets[1]))
    assert unconfirmed.code == 1
    assert "confirmed" in unconfirmed.err
    with house.begin() as unit:
        caseworker.confirm_key(unit.db, house.vault, someone)
    assert not _opens(house, someone, new.key, made)
    assert keys("escrow", "grant", login, sheets=(sheets[0], "wrong")).err == "these two secrets open no escrow\n"
    assert keys("escrow", "grant", "nobody", sheets=(sheets[0], sheets[1])).code == 1
    assert not _opens(house, someone, new.key, made)
    done = keys("escrow", "grant", login.upper(), sheets=(sheets[2], sheets[0]))
    assert done.code == 0, done.err
    assert "1 reports open for this person now, 0 do not open" in done.out
    assert _opens(house, someone, new.key, made)
    assert "0 reports open" in keys("escrow", "grant", login, sheets=(sheets[2], sheets[0])).out


def _opens(rt: Runtime, person: int, key: Pair, made: int) -> bool:
    with rt.db.read() as db:
        found, envelope = report.lock(db, made), plan.envelope(db, made, person)
    assert found is not None
    try:
        rt.vault.open_envelope(person, key, report.place(made), found.month, envelope or b"")
    except vault.SealBroken:
        return False
    return True


# rotate


def test_a_new_server_key_seals_anew_what_the_house_reads_and_ends_all_sessions(
    keys: Run, house: Runtime, tmp_path: Path
) -> None:
    people = build.staff(house)
    worker = people["worker"]
    with house.begin() as unit:
        cookie = session.begin(unit.db, house.vault, worker, house.now())
        number = caseworker.number(unit.db, house.vault, worker)
        before = {person.id: person.attest for person in caseworker.every(unit.db)}
        unit.db.execute(update(CaseWorker).where(CaseWorker.id == people["integrity"]).values(attest=b"f" * 32))
    refused = keys("rotate", typed="\n")
    assert refused.code == 1
    assert len(opened(tmp_path).directory.server_keys()) == 1
    done = keys("rotate", typed="yes\n")
    assert done.code == 0, done.err
    assert "start web, worker and clock again" in " ".join(done.out.split())
    after = opened(tmp_path)
    assert len(after.directory.server_keys()) == 2
    assert after.directory.mirror_trouble() == ""
    (tmp_path / "newest only").mkdir()
    shutil.copytree(tmp_path / "keys", tmp_path / "newest only", dirs_exist_ok=True)
    newest = (tmp_path / "keys" / "server.keys").read_text().split()[0]
    (tmp_path / "newest only" / "server.keys").write_text(newest + "\n")
    alone = Vault(tmp_path / "newest only")
    with house.db.read() as db:
        assert caseworker.number(db, alone, worker) == number
        for person in caseworker.every(db):
            if person.reader is None:
                continue
            if person.id == people["integrity"]:
                assert person.attest == b"f" * 32
                assert not after.is_attested(person.reader), (
                    "who nobody vouched for is not vouched for by a rotation"
                )
            else:
                assert person.attest != before[person.id]
                assert alone.is_attested(person.reader)
        assert session.count(db, worker, house.now()) == 0
        assert session.who(db, session.token_of(after, cookie), house.now()) is None
        installation.declare(db, demo=False, keys=after.check())
    assert after.check() == house.vault.check(), "codes and the journal hang on the first"


def test_a_server_key_is_not_rotated_under_a_running_clock_nor_without_the_mirror(
    keys: Run, house: Runtime, tmp_path: Path
) -> None:
    with house.begin() as unit:
        installation.take_lease(unit.db, "clock", "a clock", house.now(), timedelta(hours=1))
    running = keys("rotate", "--yes")
    assert running.code == 1
    assert "The clock is running" in running.err
    with house.begin() as unit:
        installation.give_up_lease(unit.db, "clock", "a clock", house.now())
    (tmp_path / "mirror").rename(tmp_path / "unmounted")
    away = keys("rotate", "--yes")
    assert away.code == 1
    assert "Nothing was changed" in away.err
    assert len(opened(tmp_path).directory.server_keys()) == 1
    (tmp_path / "unmounted").rename(tmp_path / "mirror")
    assert keys("rotate", "--yes").code == 0
    with house.begin() as unit:
        assert installation.take_lease(unit.db, "clock", "a clock", house.now(), timedelta(seconds=1))


@pytest.mark.parametrize("words", ["", "escrow", "escrow grant", "destroy", "escrow burn", "init x"])
def test_what_is_not_understood_is_answered_with_the_usage(keys: Run, words: str) -> None:
    done = keys(*words.split())
    assert done.code == 2
    assert "usage:" in done.err


def test_every_command_before_init_says_to_begin_there(keys: Run) -> None:
    for words in ("status", "step --yes", "rotate --yes", "escrow new", "escrow check", "destroy 2026-11 --yes"):
        done = keys(*words.split())
        assert (done.code, done.out) == (1, ""), words
        assert done.err.count("\n") == 1
        assert "keys init" in done.err


@pytest.mark.parametrize(("mirror", "demo", "told"), [(None, False, 1), ("mirror", False, 0), (None, True, 0)])
def test_a_start_without_a_mirror_is_told_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mirror: str | None, demo: bool, told: int
) -> None:
    begin(build.settings(tmp_path, keys_mirror=tmp_path / mirror if mirror else None, demo=demo))
    assert [record.getMessage() for record in caplog.records] == ["keys.no_mirror"] * told
