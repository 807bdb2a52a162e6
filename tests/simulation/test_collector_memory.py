"""What a collector keeps of endpoints that it is not speaking with: nothing."""

import gc

from headend.conversations import Conversation
from tests.simulation.field import Field


def test_nothing_is_kept_of_conversations_that_are_over():
    field = Field(1, 60)
    due = field.schedule()
    field.collector.start()
    until = field.clock.seconds() + 60
    while any(endpoint.due is not None for endpoint in field.polled):
        assert field.clock.seconds() < until
        field.clock.advance(0.05)
    assert field.endings().total() == due > 30
    gc.collect()
    kept = [one for one in gc.get_objects() if isinstance(one, Conversation)]
    assert kept == [], "each would keep its cipher, its request and what was said: 5 KiB and more"
    assert len(field.collector.poller._conversations) == 0
