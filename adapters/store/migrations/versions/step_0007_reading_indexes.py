"""Indexes by which readings are asked for: meters by their serial numbers, service points by their bill cycle."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make them."""
    op.execute("CREATE INDEX ix_endpoint_serial_no ON endpoint (serial_no)")
    op.execute("CREATE INDEX ix_service_point_bill_cycle ON service_point (bill_cycle)")
