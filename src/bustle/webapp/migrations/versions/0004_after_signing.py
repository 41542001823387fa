"""What follows a signature: addenda, and the readings of a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "addenda",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.String(32), sa.ForeignKey("cases.id"), nullable=False, index=True),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("reader", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
    )
    op.create_table(
        "second_readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.String(32), sa.ForeignKey("cases.id"), nullable=False, index=True),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("reader", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("outlines", sa.JSON),
        sa.Column("birads", sa.String),
        sa.Column("note", sa.String, nullable=False),
        sa.UniqueConstraint("case_id", "reader"),
    )


def downgrade() -> None:
    for table in ("second_readings", "addenda"):
        op.drop_table(table)
