"""The tables of the first page."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "drops",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.Column("begun", sa.Boolean, nullable=False),
    )
    op.create_table(
        "dropped_files",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("drop_id", sa.String(32), sa.ForeignKey("drops.id"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("stored", sa.String, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("expected", sa.Integer),
        sa.Column("problem", sa.String),
        sa.Column("remarks", sa.JSON, nullable=False),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("drop_id", sa.String(32), sa.ForeignKey("drops.id"), nullable=False, index=True),
        sa.Column("file_id", sa.String(32), sa.ForeignKey("dropped_files.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("problem", sa.String),
        sa.Column("is_dicom", sa.Boolean, nullable=False),
        sa.Column("decision", sa.String),
        sa.Column("malignant", sa.Double),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("case_id", sa.String(32), sa.ForeignKey("cases.id"), nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("made", sa.DateTime, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("outlines", sa.JSON),
        sa.Column("birads", sa.String),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("answer", sa.JSON),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("reader", sa.String),
        sa.Column("signed", sa.DateTime),
        sa.UniqueConstraint("case_id", "version"),
    )


def downgrade() -> None:
    for table in ("readings", "cases", "dropped_files", "drops"):
        op.drop_table(table)
