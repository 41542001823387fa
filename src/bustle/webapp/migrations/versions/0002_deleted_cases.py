"""A dropped file remembers which of its cases were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("dropped_files", sa.Column("deleted", sa.JSON, nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("dropped_files") as table:
        table.drop_column("deleted")
