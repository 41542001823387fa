"""Whose a case is."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("cases") as table:
        table.add_column(sa.Column("patient", sa.String(32)))
    op.create_index("ix_cases_patient", "cases", ["patient"])


def downgrade() -> None:
    op.drop_index("ix_cases_patient", "cases")
    with op.batch_alter_table("cases") as table:
        table.drop_column("patient")
