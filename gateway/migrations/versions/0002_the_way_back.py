"""The way back by code, organisations and exclusions, contacts, holds and erasure."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COMMENTS = {
    "act": (
        "Holds: what a dialogue has done, under the day's marks; no caller, session or input.\nKept: two days; the keys of the marks are gone by then.\nRead by: the hop that comes next.",
        "Holds: what a dialogue has done, and what it was answered, under the day's marks and keys; no caller, session or input.\nKept: two days; the keys of the marks are gone by then.\nRead by: the hop that comes next.",
    ),
    "caseworker": (
        "Holds: who works here, what they do, their sealed number, their public key.\nKept: as long as they are named by a report or a line of the journal.\nRead by: colleagues, the name and role; supervisors and administrators, on one page, the number.",
        "Holds: who works here, for whom, under whom, what they do, their sealed number, their public key.\nKept: as long as they are named by a report or a line of the journal.\nRead by: colleagues, the name and role; supervisors and administrators, on one page, the number.",
    ),
    "report": (
        "Holds: what a report is about in coarse words (topic, severity, lane, site, language, local day), where it stands, its public key, and the sealed story.\nKept: with its case; the story opens no longer than the key of its month lasts.\nRead by: the people of its plan; the story only with their own key, or by two escrow holders.",
        "Holds: what a report is about in coarse words (topic, severity, lane, site, language, local day), where it stands, its public key and its reporter's, and the sealed story.\nKept: as long as flows/topics.yaml says after it was closed; the story opens no longer than the key of its month lasts.\nRead by: the people of its plan; the story only with their own key, or by two escrow holders.",
    ),
}
"""Of tables that were there before: what their comment said, and what it says now."""


def upgrade() -> None:
    op.create_table(
        "guess",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "bucket", name=op.f("pk_guess")),
        comment="Holds: how many wrong codes were typed, by day and bucket; thousands of numbers share one.\nKept: two days.\nRead by: the hop that asks for a code; whether there were too many, the technician.",
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("name", name=op.f("uq_organisation_name")),
        comment="Holds: whom people here work for, what it is at the mines, what else it is called.\nKept: for good.\nRead by: supervisors and administrators; the screening of what callers write.",
    )
    op.create_table(
        "reminder",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        comment="Holds: numbers of reporters who asked for an SMS that is leaving now, under the server's key; whose it is tells only the minute, beside the journal.\nKept: until it leaves, an hour at most.\nRead by: the senders.",
    )
    op.create_table(
        "remains",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.String(length=24), nullable=False),
        sa.Column("severity", sa.String(length=2), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_remains_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remains")),
        comment="Holds: of each report that was erased: its topic, severity, lane, site (but for rare lanes), month and how it ended.\nKept: for good.\nRead by: whoever counts.",
    )
    op.create_table(
        "contact",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.String(length=4), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_contact_report_id")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_contact")),
        comment="Holds: how a reporter who asked for it can be reached: call or SMS; the number and the hours, sealed to the report and locked by the key of the week.\nKept: until the report is closed or withdrawn or the SMS is sent; thirty days at most.\nRead by: whoever has taken the report, one at a time, with a reason and their passphrase.",
    )
    op.create_table(
        "hold",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("agreed_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["agreed_by"], ["caseworker.id"], name=op.f("fk_hold_agreed_by")),
        sa.ForeignKeyConstraint(["asked_by"], ["caseworker.id"], name=op.f("fk_hold_asked_by")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_hold_report_id")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_hold")),
        comment="Holds: which report two people keep from being erased, and until when.\nKept: as long as its report.\nRead by: the people of the report; the erasing job.",
    )
    op.create_table(
        "letter",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("reply_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("read_on", sa.Date(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["caseworker.id"], name=op.f("fk_letter_author_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_letter_report_id")),
        sa.PrimaryKeyConstraint("report_id", "number", name=op.f("pk_letter")),
        comment="Holds: what case workers and a reporter wrote to each other, sealed to both; the day it was first read.\nKept: as long as the story of its report.\nRead by: whoever can open the report; whoever has its code.",
    )
    op.add_column("act", sa.Column("reply_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("caseworker", sa.Column("organisation_id", sa.Integer(), nullable=True))
    op.add_column("caseworker", sa.Column("supervisor_id", sa.Integer(), nullable=True))
    op.add_column("caseworker", sa.Column("aliases", sa.JSON(), nullable=True))
    op.add_column("caseworker", sa.Column("moved", sa.Boolean(), nullable=True))
    op.add_column("report", sa.Column("reply", sa.LargeBinary(length=32), nullable=True))
    op.add_column("report", sa.Column("silent", sa.Boolean(), nullable=True))
    op.add_column("report", sa.Column("accused_known", sa.Boolean(), nullable=True))
    _comment(1)


def downgrade() -> None:
    op.drop_column("report", "accused_known")
    op.drop_column("report", "silent")
    op.drop_column("report", "reply")
    op.drop_column("caseworker", "moved")
    op.drop_column("caseworker", "aliases")
    op.drop_column("caseworker", "supervisor_id")
    op.drop_column("caseworker", "organisation_id")
    op.drop_column("act", "reply_sealed")
    op.drop_table("letter")
    op.drop_table("hold")
    op.drop_table("contact")
    op.drop_table("remains")
    op.drop_table("reminder")
    op.drop_table("organisation")
    op.drop_table("guess")
    _comment(0)


def _comment(at: int) -> None:
    """SQLite keeps no comments."""
    if op.get_bind().dialect.name == "postgresql":
        for table, said in COMMENTS.items():
            op.create_table_comment(table, said[at], existing_comment=said[1 - at])
