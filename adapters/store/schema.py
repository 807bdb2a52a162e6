"""The tables as queries name them; the migrations make them, and a test holds the two against each other.

Instants are microseconds since the epoch, days are days since it (`instants`). `change_seq` is the number of the transaction that wrote
a row: the single row of `tally` is counted up, and so locked, late in each recording transaction and released by its commit; therefore
numbers become visible in their order, and whoever reads "everything after N" misses nothing that commits later. `endpoint_change` says
which endpoints and days a number is about, packed; the large tables need no index on it, and their rows stay cheap to rewrite.
"""

from sqlalchemy import Column, Double, Table

from adapters.store.columns import big as _big
from adapters.store.columns import integer as _int
from adapters.store.columns import metadata
from adapters.store.columns import octets as _octets
from adapters.store.columns import small as _small
from adapters.store.columns import text as _text

store_identity = Table(
    "store_identity", metadata, _small("one", key=True), _text("utility_id"), _octets("key_check")
)

tally = Table(
    "tally",
    metadata,
    _small("one", key=True),
    _big("change_seq"),
    _big("endpoints"),
    _big("due"),
    _big("done"),
    _big("failed"),
    _big("register_reads"),
    _big("intervals"),
    _big("events"),
)

router = Table("router", metadata, _int("router_id", key=True), _text("name"))

endpoint = Table(
    "endpoint",
    metadata,
    _int("endpoint_id", key=True),
    _text("meter_no"),
    _text("serial_no"),
    _text("model"),
    _text("configuration"),
    _text("ap_title", nullable=True),
    _octets("ap_title_octets", nullable=True),
    _small("key_id", nullable=True),
    _int("router_id", nullable=True),
    _text("transport", nullable=True),
    _text("host", nullable=True),
    _int("port", nullable=True),
    _small("active"),
    _small("polled"),
    _big("created_us"),
    _small("muted"),
)

endpoint_key = Table("endpoint_key", metadata, _int("endpoint_id", key=True), _small("key_id", key=True), _octets("sealed"))

account = Table(
    "account",
    metadata,
    _text("account_no", key=True),
    _text("name"),
    _text("phone"),
    _text("email"),
    _text("customer_id", nullable=True),
)

customer = Table("customer", metadata, _text("customer_id", key=True), _text("name"), _text("phone"), _text("email"))

service_point = Table(
    "service_point",
    metadata,
    _text("service_point_no", key=True),
    _text("commodity"),
    _text("address_line"),
    _text("city"),
    _text("state"),
    _text("postal_code"),
    _text("account_no", nullable=True),
    _text("bill_cycle"),
    Column("latitude", Double, nullable=True),
    Column("longitude", Double, nullable=True),
    _text("location_no"),
)

installation = Table(
    "installation",
    metadata,
    _int("endpoint_id", key=True),
    _big("started_us", key=True),
    _text("service_point_no"),
    _big("ended_us", nullable=True),
)

endpoint_state = Table(
    "endpoint_state",
    metadata,
    _int("endpoint_id", key=True),
    _small("outcome"),
    _big("due_us", nullable=True),
    _big("scheduled_us", nullable=True),
    _big("collect_from_us"),
    _text("lease_owner", nullable=True),
    _int("lease_no"),
    _int("attempts"),
    _int("next_invocation_id"),
    _octets("program", nullable=True),
    _octets("progress"),
    _octets("replay_window"),
    _big("heard_us", nullable=True),
    _text("transport", nullable=True),
    _text("host", nullable=True),
    _int("port", nullable=True),
    _big("octets_sent"),
    _big("octets_received"),
    _big("last_read_us", nullable=True),
    _int("missed"),
    _big("missed_us", nullable=True),
)

program = Table("program", metadata, _octets("fingerprint", key=True), _octets("tables"))

register_read = Table(
    "register_read",
    metadata,
    _int("endpoint_id", key=True),
    _big("instant_us", key=True),
    _small("channel_id", key=True),
    _small("source", key=True),
    _small("exponent"),
    _int("flags"),
    _big("value"),
    _big("received_us"),
    _big("change_seq"),
)

register_read_history = Table(
    "register_read_history",
    metadata,
    _int("endpoint_id", key=True),
    _big("instant_us", key=True),
    _small("channel_id", key=True),
    _small("source", key=True),
    _small("exponent"),
    _int("flags"),
    _big("value"),
    _big("received_us"),
    _big("change_seq", key=True),
    _big("superseded_seq"),
)

interval_day = Table(
    "interval_day",
    metadata,
    _int("endpoint_id", key=True),
    _int("day", key=True),
    _big("change_seq"),
    _octets("packed"),
)

interval_day_history = Table(
    "interval_day_history",
    metadata,
    _int("endpoint_id", key=True),
    _int("day", key=True),
    _big("change_seq", key=True),
    _big("superseded_seq"),
    _octets("packed"),
)

device_event = Table(
    "device_event",
    metadata,
    _int("endpoint_id", key=True),
    _big("occurred_us", key=True),
    _int("code", key=True),
    _big("sequence", key=True),
    _text("path"),
    _octets("argument"),
    _big("received_us"),
    _big("change_seq"),
)

endpoint_change = Table(
    "endpoint_change",
    metadata,
    _big("change_seq", key=True),
    _octets("packed"),
)

exception_record = Table(
    "exception_record",
    metadata,
    _int("endpoint_id", key=True),
    _big("occurred_us", key=True),
    _text("kind", key=True),
    _text("reason"),
)

outbox = Table(
    "outbox",
    metadata,
    _big("change_seq", key=True),
    _int("position", key=True),
    _octets("message_id"),
    _text("subscriber"),
    _text("kind"),
    _int("endpoint_id", nullable=True),
    _octets("payload"),
    _text("state"),
    _int("attempts"),
    _big("next_try_us"),
    _big("created_us"),
    _text("answer"),
)

meter_group = Table(
    "meter_group", metadata, _text("group_kind", key=True), _text("group_id", key=True), _text("name"), _big("changed_us")
)

meter_group_member = Table(
    "meter_group_member",
    metadata,
    _text("group_kind", key=True),
    _text("group_id", key=True),
    _int("endpoint_id", key=True),
    _int("position"),
    _text("transaction_id", nullable=True),
    _text("response_url", nullable=True),
)

switch_device = Table("switch_device", metadata, _int("endpoint_id", key=True), _text("device_id"), _small("present"))

document = Table(
    "document",
    metadata,
    _text("document_kind", key=True),
    _text("object_id", key=True),
    _text("fields"),
    _text("ended"),
    _big("changed_us"),
)

master_change = Table(
    "master_change",
    metadata,
    _big("change_no", key=True),
    _int("position", key=True),
    _big("at_us"),
    _text("partner"),
    _text("operation"),
    _text("kind"),
    _text("object_key"),
    _text("before", nullable=True),
    _text("after", nullable=True),
)

meter_change = Table("meter_change", metadata, _big("change_no", key=True), _int("endpoint_id", key=True), _small("is_new"))

switch_state = Table(
    "switch_state",
    metadata,
    _int("endpoint_id", key=True),
    _small("enabled"),
    _text("state"),
    _big("since_us", nullable=True),
    _text("known_by", nullable=True),
)

outage_state = Table(
    "outage_state",
    metadata,
    _int("endpoint_id", key=True),
    _text("state"),
    _big("since_us", nullable=True),
    _text("said_status", nullable=True),
)

meter_session = Table(
    "meter_session",
    metadata,
    _big("session_no", key=True),
    _text("meter_list"),
    _text("partner"),
    _text("previous"),
    _big("after_no", nullable=True),
    _big("until_no"),
    _big("started_us"),
)

meter_monitoring = Table(
    "meter_monitoring",
    metadata,
    _text("kind", key=True),
    _int("endpoint_id", key=True),
    _text("partner", key=True),
    _text("item_id", key=True),
    _big("starts_us"),
    _big("ends_us", nullable=True),
    _text("response_url"),
    _text("transaction_id"),
    _text("details"),
)

schedule = Table(
    "schedule",
    metadata,
    _text("kind", key=True),
    _text("schedule_id", key=True),
    _small("enabled"),
    _text("purpose"),
    _text("times"),
    _text("targets"),
    _text("version"),
    _text("told"),
    _text("partner"),
    _big("followed_us"),
)

router_profile = Table(
    "router_profile",
    metadata,
    _int("router_id", key=True),
    _text("host"),
    _int("port"),
    _text("second_host", nullable=True),
    _int("second_port", nullable=True),
    _int("expected_nodes", nullable=True),
    _text("location"),
    Column("latitude", Double, nullable=True),
    Column("longitude", Double, nullable=True),
    _octets("sealed"),
    _big("created_us"),
)

router_state = Table(
    "router_state",
    metadata,
    _int("router_id", key=True),
    _text("state"),
    _big("heard_us", nullable=True),
    _octets("health"),
    _octets("troubleshooting", nullable=True),
)

router_event = Table(
    "router_event",
    metadata,
    _int("router_id", key=True),
    _big("sequence", key=True),
    _int("code"),
    _big("occurred_us"),
    _text("detail"),
)

router_troubleshooting = Table(
    "router_troubleshooting",
    metadata,
    _int("router_id", key=True),
    _big("began_us", key=True),
    _int("code", key=True),
    _octets("packed"),
)

router_watch = Table("router_watch", metadata, _small("one", key=True), _text("owner"), _big("until_us"))

work_item = Table(
    "work_item",
    metadata,
    _int("work_item_id", key=True),
    _text("kind"),
    _text("subject"),
    _text("state"),
    _text("routed_to"),
    _big("opened_us"),
    _big("closed_us", nullable=True),
    _text("diagnosis"),
    _octets("history"),
    _text("assigned_to"),
)
