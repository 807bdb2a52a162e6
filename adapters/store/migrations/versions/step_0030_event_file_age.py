"""Event files by age: those past their time are found without a look at all of them."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX ix_event_file_made ON event_file (made_us)")
