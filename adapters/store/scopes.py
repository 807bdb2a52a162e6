"""The endpoints that a partner's scope lets it know of, as conditions on the table `endpoint`."""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from adapters.store import schema
from adapters.store.limits import KEYS_PER_QUERY_MAX
from adapters.store.meter_store import Conditions
from headend.meter_groups import GroupKind
from headend.model.endpoint import CONFIGURATIONS
from headend.model.partner import MeterScope

_E, _G, _M = schema.endpoint.c, schema.meter_group.c, schema.meter_group_member.c


def conditions(scope: MeterScope) -> Conditions:
    """What an endpoint in the scope fulfils; a group that does not exist has none."""
    if scope.commodity is not None:
        return [_E.configuration.in_([c.name for c in CONFIGURATIONS.values() if c.commodity is scope.commodity])]
    kind = GroupKind.METERS.value
    group_ids = select(_G.group_id).where(_G.group_kind == kind, or_(_G.group_id == scope.group, _G.name == scope.group))
    # By its number before by its name, the first of those that share it, as groups are found everywhere.
    group_id = group_ids.order_by((_G.group_id == scope.group).desc(), _G.group_id).limit(1).scalar_subquery()
    return [_E.endpoint_id.in_(select(_M.endpoint_id).where(_M.group_kind == kind, _M.group_id == group_id))]


def known(connection: Connection, only: Conditions, meter_nos: Sequence[str]) -> set[str]:
    """Those of the meters that fulfil the conditions."""
    found: set[str] = set()
    for start in range(0, len(meter_nos), KEYS_PER_QUERY_MAX):
        chunk = meter_nos[start : start + KEYS_PER_QUERY_MAX]
        found |= set(connection.execute(select(_E.meter_no).where(_E.meter_no.in_(chunk), *only)).scalars())
    return found
