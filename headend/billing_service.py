"""Composition of a utility's billing export: the desk, its inbox, the driver of what is open."""

from adapters.billing.desk import BillingDesk
from adapters.billing.inbox import BillingInbox
from adapters.billing.response_xml import AnswerTexts
from adapters.delivery.threads import on_threads_of
from adapters.store import Store
from headend.biller import Biller
from headend.billing_driver import BillingDriver
from headend.billing_reading import BillingReads
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding


def billing_desk(settings: UtilitySettings, store: Store, around: Surrounding) -> BillingDesk:
    """Where a utility's billing documents are taken."""
    utility, on_thread = settings.utility, on_threads_of(around.reactor)
    scopes = {one.user_id: one.partner.meters for one in settings.partners}
    biller = Biller(utility, store, AnswerTexts(utility), BillingReads(utility, store), on_thread, around.now, scopes.get)
    billing = settings.billing
    return BillingDesk(utility, store, biller, billing.policy, around.reactor, on_thread, settings.spool, billing.targets, around.now)


def billing_driver(desk: BillingDesk, store: Store, owner: str) -> BillingDriver:
    """Who sees to open requests."""
    return BillingDriver(store, desk.biller, desk.policy, desk.tell, owner)


def billing_inbox(settings: UtilitySettings, desk: BillingDesk, around: Surrounding) -> BillingInbox | None:
    """Who looks for files, where there is a place for them."""
    billing = settings.billing
    if billing.inbox is None:
        return None
    return BillingInbox(billing.inbox, billing.partner, desk, on_threads_of(around.reactor), around.now)
