"""Composition of a utility's billing export: the desk, its inboxes, the driver of what is open."""

from collections.abc import Awaitable, Callable

from adapters.billing.desk import BillingDesk
from adapters.billing.inbox import LOOK_SECONDS as INBOX_SECONDS
from adapters.billing.inbox import BillingInbox
from adapters.billing.response_xml import AnswerTexts
from adapters.delivery.targets import build_sftp_inbox
from adapters.delivery.threads import on_threads_of
from adapters.store import Store
from headend.biller import Biller
from headend.billing_driver import LOOK_SECONDS as BILLING_SECONDS
from headend.billing_driver import BillingDriver
from headend.billing_reading import BillingReads
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding

RegularLook = tuple[Callable[[], Awaitable[object]], float]
"""What never raises, and every how many seconds it is done."""


def billing_desk(settings: UtilitySettings, store: Store, around: Surrounding) -> BillingDesk:
    """Where a utility's billing documents are taken."""
    utility, on_thread = settings.utility, on_threads_of(around.reactor)
    scopes = {one.user_id: one.partner.meters for one in settings.partners}
    biller = Biller(utility, store, AnswerTexts(utility), BillingReads(utility, store), on_thread, around.now, scopes.get)
    billing = settings.billing
    return BillingDesk(utility, store, biller, billing.policy, around.reactor, on_thread, settings.spool, billing.targets, around.now)


def billing_looks(settings: UtilitySettings, desk: BillingDesk, store: Store, around: Surrounding, owner: str) -> list[RegularLook]:
    """What is done again and again, and every how many seconds: seeing to open requests, fetching files, taking files."""
    billing = settings.billing
    looks: list[RegularLook] = [(BillingDriver(store, desk.biller, desk.policy, desk.tell, owner).look, BILLING_SECONDS)]
    directory = billing.inbox or settings.spool / "requests"
    if billing.sftp_inbox is not None:
        looks.append((build_sftp_inbox(billing.sftp_inbox, directory, around.reactor, around.now).look, billing.sftp_inbox.look_seconds))
    if billing.inbox or billing.sftp_inbox:
        inbox = BillingInbox(directory, billing.partner, desk, on_threads_of(around.reactor), around.now)
        looks.append((inbox.look, INBOX_SECONDS))
    return looks
