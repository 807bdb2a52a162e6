"""Tables of billing requests: what was asked, what was answered, and which meters answers are about."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, numbered, octets, small, text

billing_request = Table(
    "billing_request",
    metadata,
    numbered("request_no"),
    text("request_id"),
    text("correlation_id"),
    text("source"),
    text("partner"),
    text("origin"),
    octets("digest"),
    text("cycle"),
    text("bill_date"),
    big("received_us"),
    big("deadline_us"),
    text("defaults"),
    text("state"),
    integer("items"),
    integer("open_items"),
)

billing_item = Table(
    "billing_item",
    metadata,
    big("request_no", key=True),
    integer("position", key=True),
    text("item_id"),
    text("payload"),
    small("is_open"),
    big("billed_us", nullable=True),
)

billing_answer = Table(
    "billing_answer",
    metadata,
    big("request_no", key=True),
    integer("number", key=True),
    integer("position", key=True),
    text("status"),
    text("answer"),
)

billing_response = Table(
    "billing_response",
    metadata,
    big("request_no", key=True),
    integer("number", key=True),
    small("unsolicited"),
    big("created_us"),
    big("data_seq"),
    text("counts"),
)

billing_item_meter = Table(
    "billing_item_meter",
    metadata,
    integer("endpoint_id", key=True),
    big("request_no", key=True),
    integer("position", key=True),
)

billing_mark = Table("billing_mark", metadata, small("one", key=True), big("change_seq"))
