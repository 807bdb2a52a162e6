"""Tables of what passes between us and partners: registrations, deferred requests, the message log; as `schema` has the rest."""

from sqlalchemy import Table

from adapters.store.columns import big as _big
from adapters.store.columns import integer as _int
from adapters.store.columns import metadata, numbered
from adapters.store.columns import octets as _octets
from adapters.store.columns import small as _small
from adapters.store.columns import text as _text

registration = Table(
    "registration",
    metadata,
    _text("registration_id", key=True),
    _text("partner"),
    _big("requested_us"),
    _big("registered_us", nullable=True),
    _text("version"),
    _text("server"),
    _text("response_url"),
    _text("response_user_id"),
    _octets("response_password", nullable=True),
    _text("function"),
)

registration_notification = Table(
    "registration_notification", metadata, _text("notification", key=True), _text("registration_id", key=True)
)

deferred_request = Table(
    "deferred_request",
    metadata,
    _big("request_id", key=True),
    _text("partner"),
    _text("transaction_id", nullable=True),
    _text("kind"),
    _text("operation"),
    _text("server"),
    _text("version"),
    _text("response_url"),
    _text("answers"),
    _text("parameters"),
    _big("accepted_us"),
    _big("begins_us", nullable=True),
    _big("expires_us"),
    _octets("fingerprint"),
    _text("refusals"),
    _big("batch_id", nullable=True),
    _text("title"),
    _text("cancelled"),
)

deferred_target = Table(
    "deferred_target",
    metadata,
    _big("request_id", key=True),
    _int("endpoint_id", key=True),
    _int("position"),
    _text("action", nullable=True),
    _small("actuates"),
    _text("details"),
    _text("state"),
    _int("attempts"),
    _big("due_us", nullable=True),
    _big("changed_us"),
    _text("reason"),
    _small("priority"),
    _text("lease_owner", nullable=True),
    _int("lease_no"),
    _big("began_us", nullable=True),
    _text("told", nullable=True),
    _text("outcome", nullable=True),
)

message = Table(
    "message",
    metadata,
    numbered("message_no"),
    _text("direction"),
    _big("began_us"),
    _big("duration_us"),
    _text("partner"),
    _text("address"),
    _text("server"),
    _text("version"),
    _text("soap"),
    _text("operation"),
    _text("transaction_id"),
    _text("registration_id"),
    _int("objects_in"),
    _int("objects_out"),
    _big("octets_in"),
    _big("octets_out"),
    _text("verdict"),
    _big("pack_no"),
    _small("place"),
    _int("octets_kept"),
)

message_pack = Table("message_pack", metadata, numbered("pack_no"), _int("messages"), _octets("octets"))

message_day = Table("message_day", metadata, _int("day", key=True), _big("messages"), _big("octets"))
