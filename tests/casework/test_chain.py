"""The journal checked: what fits, what does not, where, and what outsiders kept of it."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from gateway.casework import Refused, chain, journal
from gateway.casework.chain import Fault, KeptHead, read_heads
from gateway.casework.journal import Entry, Head
from gateway.casework.report import Report
from gateway.casework.verb import Verb
from tests.build import START
from tests.casework.house import House


@pytest.fixture
def lived_in(house: House) -> House:
    """A person, an organisation and two reports, six lines."""
    person = house.person()
    house.do(journal.write, START, Verb.PERSON_SAVED, subject=person)
    house.do(journal.write, START, Verb.ORGANISATION_SAVED, subject=house.employer("House"))
    for _ in range(2):
        house.do(journal.write, START, Verb.FILED, report=house.filed([person]))
    made = house.ask(lambda db: db.scalars(select(Report.id).order_by(Report.id)).first())
    assert made is not None
    house.offer(made, person)
    house.accept(made, person)
    return house


def verify(house: House, *kept: KeptHead) -> chain.Verdict:
    with house.db.read(still=True) as db:
        return chain.verify(db, house.keys.journal_key, kept)


def faults(house: House, *kept: KeptHead) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify(house, *kept).faults]


def tamper(house: House, *statements: object) -> None:
    """What somebody does who can only write rows."""
    with house.db.begin() as db:
        for statement in statements:
            db.execute(statement)  # type: ignore[call-overload]


def head(house: House) -> KeptHead:
    found = house.ask(chain.head)
    assert found is not None
    return found


def test_an_empty_journal_fits_and_has_no_head(house: House) -> None:
    assert verify(house) == chain.Verdict()
    assert house.ask(chain.head) is None


def test_what_nobody_touched_fits_and_is_counted(lived_in: House) -> None:
    assert verify(lived_in) == chain.Verdict(6, {"report": 2, "person": 1, "site": 0, "organisation": 1}, [])


def test_another_key_fits_no_line_and_no_row(lived_in: House) -> None:
    with lived_in.db.read(still=True) as db:
        verdict = chain.verify(db, bytes(32))
    assert len(verdict.faults) == 6 + 2 + 1 + 1


def test_a_fault_says_where_and_quotes_nothing(lived_in: House) -> None:
    made = lived_in.ask(lambda db: db.scalar(select(Report.id).limit(1)))
    tamper(lived_in, update(Report).where(Report.id == made).values(topic="stolen words"))
    assert verify(lived_in).faults == [Fault(f"report {made}", "changed after its last line")]


def test_a_report_without_a_line_and_a_line_without_its_report_are_told_apart(lived_in: House) -> None:
    added = lived_in.filed()
    assert faults(lived_in) == [f"report {added}: no line tells how it came here"]
    tamper(lived_in, delete(Report).where(Report.id == added))
    lived_in.do(journal.write, START, Verb.CLOSED, report=77)
    assert faults(lived_in) == ["report 77: the journal tells of it, but it is gone"]


def test_a_line_that_was_changed_taken_out_moved_or_put_in_is_named(lived_in: House) -> None:
    changed = "it was changed, moved or put in, or the line before it was"
    whole = lived_in.ask(lambda db: [dict(row) for row in db.execute(select(Entry.__table__)).mappings()])

    def again() -> None:
        tamper(lived_in, delete(Entry), insert(Entry).values(whole))

    tamper(lived_in, update(Entry).where(Entry.id == 3).values(at=START + timedelta(minutes=1)))
    assert faults(lived_in) == [f"line 3: {changed}"]
    again()
    tamper(lived_in, delete(Entry).where(Entry.id == 3))
    assert faults(lived_in)[:2] == [
        "line 4: the line before it is 2: what was between them is gone",
        f"line 4: {changed}",
    ]
    again()
    tamper(
        lived_in,
        update(Entry).where(Entry.id == 2).values(id=99),
        update(Entry).where(Entry.id == 3).values(id=2),
        update(Entry).where(Entry.id == 99).values(id=3),
    )
    assert faults(lived_in)[:3] == [f"line {number}: {changed}" for number in (2, 3, 4)]
    again()
    tamper(lived_in, insert(Entry).values({**whole[5], "id": 7}))
    assert faults(lived_in)[:2] == [
        f"line 7: {changed}",
        "the head of the journal: it is not that of the last line, 7",
    ]
    again()
    assert faults(lived_in) == []


def test_a_head_row_that_is_gone_another_or_one_too_many_is_found(lived_in: House) -> None:
    told = ["the head of the journal: it is not that of the last line, 6"]
    true = lived_in.ask(lambda db: dict(db.execute(select(Head.__table__)).mappings().one()))
    for change in (
        delete(Head),
        update(Head).values(seq=7),
        update(Head).values(head=bytes(32)),
        insert(Head).values({**true, "id": 2}),
    ):
        tamper(lived_in, change)
        assert faults(lived_in) == told
        tamper(lived_in, delete(Head), insert(Head).values(true))
    assert faults(lived_in) == []


def test_reports_are_taken_though_somebody_removed_the_head_row_and_no_line_is_lost(lived_in: House) -> None:
    tamper(lived_in, delete(Head))
    lived_in.do(journal.write, START, Verb.FILED, report=lived_in.filed())
    assert verify(lived_in).lines == 7
    assert faults(lived_in) == []


def test_a_tail_cut_off_with_its_head_row_is_found_only_by_what_outsiders_kept(lived_in: House) -> None:
    made = lived_in.ask(lambda db: db.scalar(select(Entry.report_id).where(Entry.id == 6)))
    before = head(lived_in)
    lived_in.do(journal.write, START, Verb.OPENED, report=made)
    kept = head(lived_in)
    tamper(lived_in, delete(Entry).where(Entry.id == 7), update(Head).values(seq=6, head=before.head))
    assert faults(lived_in, before) == []
    assert faults(lived_in, before, kept) == [
        "line 7: an outsider kept its head, but it is not there: the journal was cut"
    ]


def test_a_journal_made_anew_with_the_key_does_not_fit_what_outsiders_kept(lived_in: House) -> None:
    kept = head(lived_in)
    tamper(lived_in, delete(Entry), delete(Head))
    made = lived_in.ask(lambda db: list(db.scalars(select(Report.id))))
    person = next(iter(lived_in.pairs))
    for each in (*made, *made, None):
        verb = Verb.FILED if each else Verb.PERSON_SAVED
        lived_in.do(journal.write, START, verb, report=each, subject=person)
    lived_in.do(journal.write, START, Verb.ORGANISATION_SAVED, subject=lived_in.employer("House"))
    assert faults(lived_in) == []
    assert faults(lived_in, kept) == ["line 6: it is not what an outsider kept of it"]


def test_a_head_is_read_as_it_was_printed_however_it_was_copied(lived_in: House) -> None:
    kept = head(lived_in)
    line = str(kept)
    assert len(line) <= 160
    assert line.startswith("6 2026-11-21 08:00 ")
    assert read_heads(f"\n{line}\r\n\n  {line.upper()}  \n") == [kept, kept]
    assert read_heads(line[:19] + line[19:].replace(" ", "")) == [kept]


@pytest.mark.parametrize(
    "line",
    ["5", "a note", "5 2026-11-21 08:00 4f2a", "5 2026-13-21 08:00 " + "0" * 64, "5 2026-11-21 08:00 " + "g" * 64],
)
def test_a_line_that_is_no_head_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(Refused) as refused:
        read_heads(f"\n{line}\n")
    assert refused.value.values == {"number": 2}


def test_cells_that_no_column_could_be_read_as_are_found_and_do_not_stop_the_check(lived_in: House) -> None:
    if lived_in.db.dialect != "sqlite":
        return  # PostgreSQL takes no such cell
    made = lived_in.ask(lambda db: db.scalar(select(Report.id).limit(1)))
    for change in (
        "UPDATE report SET due_at = 'soon'",
        "UPDATE report SET due_at = replace(due_at, ' ', 'T')",
        "UPDATE plan SET opened = 7",
        "UPDATE caseworker SET lanes = 'not JSON'",
        "UPDATE caseworker SET number_sealed = 'words'",
        "UPDATE journal SET digest = 'words' WHERE id = 2",
        "UPDATE journal SET hash = 'words', at = 7 WHERE id = 2",
        "UPDATE envelope SET caseworker_id = 'words'",
        "UPDATE chain SET seq = 'words'",
    ):
        with contextlib.suppress(LookupError), lived_in.db.begin() as db:
            db.execute(text("PRAGMA defer_foreign_keys=ON"))
            db.execute(text(change))
            assert chain.verify(db, lived_in.keys.journal_key).faults, change
            raise LookupError  # nothing of this stays
    assert faults(lived_in) == []
    assert lived_in.coarse(made or 0).id == made


def test_rows_that_belong_to_nothing_are_found(lived_in: House) -> None:
    if lived_in.db.dialect != "sqlite":
        return  # PostgreSQL takes no such id
    strange = "INSERT INTO envelope SELECT 'nothing', caseworker_id, public, sealed FROM envelope LIMIT 1"
    with contextlib.suppress(LookupError), lived_in.db.begin() as db:
        db.execute(text("PRAGMA defer_foreign_keys=ON"))
        db.execute(text(strange))
        assert chain.verify(db, lived_in.keys.journal_key).faults == [
            Fault("table envelope", "a row of no report")
        ]
        raise LookupError  # nothing of this stays


def test_a_long_journal_is_walked_in_pieces_and_says_how_far_it_is(house: House) -> None:
    def many(db: object) -> None:
        for _ in range(2500):
            journal.write(db, START, Verb.SIGNED_IN)  # type: ignore[arg-type]

    house.do(many)
    told: list[int] = []
    with house.db.read(still=True) as db:
        assert chain.verify(db, house.keys.journal_key, progress=told.append).lines == 2500
    assert told == [1000, 2000]
