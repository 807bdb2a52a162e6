"""Collection plans of groups and of all others, and an index by the place that an endpoint has in the windows of plans."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0017"
down_revision = "0016"

_PLAN = """CREATE TABLE collection_plan (
    kind {text} NOT NULL,
    group_id {text} NOT NULL,
    begins {text} NOT NULL,
    window_minutes {int} NOT NULL,
    followed_us {big} NOT NULL,
    CONSTRAINT pk_collection_plan PRIMARY KEY (kind, group_id)
) {keyed}"""
# 40503 and 65536 are PLACE_STEP and PLACES of headend/collection_plan.py: they may never change, or endpoints would change their places.
_PLACE = {"sqlite": "endpoint_id * 40503 % 65536", "postgresql": "endpoint_id::bigint * 40503 % 65536"}


def upgrade() -> None:
    """Make them."""
    dialect = op.get_bind().dialect.name
    op.execute(_PLAN.format(**words(dialect)))
    op.execute(f"CREATE INDEX ix_endpoint_place ON endpoint (({_PLACE[dialect]}))")
    op.execute("CREATE INDEX ix_endpoint_state_new ON endpoint_state (endpoint_id) WHERE outcome = 0")
