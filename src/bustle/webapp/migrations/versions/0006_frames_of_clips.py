"""Which frame of which clip a case is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("cases") as table:
        table.add_column(sa.Column("clip_id", sa.String(32)))
        table.add_column(sa.Column("frame", sa.Integer))


def downgrade() -> None:
    op.execute("DELETE FROM readings WHERE case_id IN (SELECT id FROM cases WHERE frame IS NOT NULL)")
    op.execute("DELETE FROM addenda WHERE case_id IN (SELECT id FROM cases WHERE frame IS NOT NULL)")
    op.execute("DELETE FROM second_readings WHERE case_id IN (SELECT id FROM cases WHERE frame IS NOT NULL)")
    op.execute("DELETE FROM cases WHERE frame IS NOT NULL")
    with op.batch_alter_table("cases") as table:
        for column in ("clip_id", "frame"):
            table.drop_column(column)
