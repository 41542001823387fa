"""Where in the breast a reading is about."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("readings") as table:
        table.add_column(sa.Column("side", sa.String(8)))
        table.add_column(sa.Column("clock", sa.Integer))
        table.add_column(sa.Column("nipple_mm", sa.Double))


def downgrade() -> None:
    with op.batch_alter_table("readings") as table:
        for column in ("side", "clock", "nipple_mm"):
            table.drop_column(column)
