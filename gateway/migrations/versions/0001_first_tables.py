"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "act",
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("dialogue", sa.LargeBinary(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_act")),
    )
    op.create_index("ix_act_day", "act", ["day"], unique=False)
    op.create_index("ix_act_dialogue", "act", ["dialogue"], unique=False)

    op.create_table(
        "caseworker",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("sms_language", sa.String(length=8), nullable=False),
        sa.Column("lanes", sa.JSON(), nullable=False),
        sa.Column("sites", sa.JSON(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caseworker")),
    )
    op.create_table(
        "early_receipt",
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name=op.f("pk_early_receipt")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=3), nullable=False),
        sa.Column("phone_place", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("code", name=op.f("uq_site_code")),
        sa.UniqueConstraint("phone_place", name=op.f("uq_site_phone_place")),
    )
    op.create_table(
        "account",
        sa.Column("caseworker_id", sa.Integer(), nullable=False),
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("passphrase_hash", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["caseworker_id"], ["caseworker.id"], name=op.f("fk_account_caseworker_id")),
        sa.PrimaryKeyConstraint("caseworker_id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["caseworker.id"], name=op.f("fk_journal_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_report_id", "journal", ["report_id", "id"], unique=False)

    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=6), nullable=False),
        sa.Column("code_token", sa.LargeBinary(length=32), nullable=False),
        sa.Column("topic", sa.String(length=24), nullable=False),
        sa.Column("severity", sa.String(length=2), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("dispatch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("responsible_id", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["responsible_id"], ["caseworker.id"], name=op.f("fk_report_responsible_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_report_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("code_token", name=op.f("uq_report_code_token")),
    )
    op.create_index("ix_report_dispatch", "report", ["dispatch_at"], unique=False)
    op.create_index(
        "ix_report_responsible", "report", ["responsible_id", "state", "severity", "due_at", "id"], unique=False
    )
    op.create_index(
        "uq_report_reference",
        "report",
        ["reference"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )

    op.create_table(
        "sign_in",
        sa.Column("token", sa.LargeBinary(length=32), nullable=False),
        sa.Column("caseworker_id", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["caseworker_id"], ["caseworker.id"], name=op.f("fk_sign_in_caseworker_id")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_sign_in")),
    )
    op.create_index("ix_sign_in_caseworker_id", "sign_in", ["caseworker_id"], unique=False)

    op.create_table(
        "addition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["caseworker.id"], name=op.f("fk_addition_author_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_addition_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addition")),
    )
    op.create_index("ix_addition_report_id", "addition", ["report_id", "id"], unique=False)

    op.create_table(
        "plan",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("caseworker_id", sa.Integer(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.String(length=2), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["caseworker_id"], ["caseworker.id"], name=op.f("fk_plan_caseworker_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_plan_report_id")),
        sa.PrimaryKeyConstraint("report_id", "caseworker_id", name=op.f("pk_plan")),
    )
    op.create_index(
        "ix_plan_closed", "plan", ["caseworker_id", "opened", "state", "due_at", "report_id"], unique=False
    )
    op.create_index(
        "ix_plan_urgency",
        "plan",
        ["caseworker_id", "opened", "state", "severity", "due_at", "report_id"],
        unique=False,
    )

    op.create_table(
        "referral",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("caseworker_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["caseworker_id"], ["caseworker.id"], name=op.f("fk_referral_caseworker_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_referral_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
    )
    op.create_index("ix_referral_due", "referral", ["state", "due_at"], unique=False)
    op.create_index("ix_referral_report_id", "referral", ["report_id"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("referral_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("failure", sa.String(length=20), nullable=True),
        sa.Column("provider_id", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["referral_id"], ["referral.id"], name=op.f("fk_message_referral_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_message_provider_id")),
    )
    op.create_index("ix_message_due", "message", ["state", "due_at"], unique=False)
    op.create_index("ix_message_referral_id", "message", ["referral_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_message_referral_id", "message")
    op.drop_index("ix_message_due", "message")

    op.drop_table("message")
    op.drop_index("ix_referral_report_id", "referral")
    op.drop_index("ix_referral_due", "referral")

    op.drop_table("referral")
    op.drop_index("ix_plan_urgency", "plan")
    op.drop_index("ix_plan_closed", "plan")

    op.drop_table("plan")
    op.drop_index("ix_addition_report_id", "addition")

    op.drop_table("addition")
    op.drop_index("ix_sign_in_caseworker_id", "sign_in")

    op.drop_table("sign_in")
    op.drop_index(
        "uq_report_reference",
        "report",
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_index("ix_report_responsible", "report")
    op.drop_index("ix_report_dispatch", "report")

    op.drop_table("report")
    op.drop_index("ix_journal_report_id", "journal")

    op.drop_table("journal")
    op.drop_table("account")
    op.drop_table("site")
    op.drop_table("lease")
    op.drop_table("installation")
    op.drop_table("early_receipt")
    op.drop_table("caseworker")
    op.drop_index("ix_act_dialogue", "act")
    op.drop_index("ix_act_day", "act")

    op.drop_table("act")
