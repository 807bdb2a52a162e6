"""Partners of all utilities, found by what they log in with, which says which utility is meant. Held in memory, since every call asks."""

from collections.abc import Iterable, Sequence

from headend.model.partner import Caller, ClientCertificate, Partner
from headend.model.utility import Utility


class PartnerDirectory:
    """A login belongs to one partner of one utility; settings see to that."""

    def __init__(self, partners: Iterable[tuple[Utility, Sequence[Partner]]]) -> None:
        self._callers = {p.user_id: Caller(utility, p) for utility, theirs in partners for p in theirs}
        self._certified = [caller for caller in self._callers.values() if caller.partner.certificate]

    def find(self, user_id: str) -> Caller | None:
        """The partner with a UserID; None for a stranger."""
        return self._callers.get(user_id)

    def find_certified(self, certificate: ClientCertificate) -> Caller | None:
        """The partner with a client certificate; one known by fingerprint comes before one known by subject."""
        found = [caller for caller in self._certified if caller.partner.holds(certificate)]
        return next((c for c in found if c.partner.certificate and c.partner.certificate.sha256), found[0] if found else None)
