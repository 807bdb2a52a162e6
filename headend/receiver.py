"""Takes every APDU that a link brings in to where it belongs; what belongs nowhere is dropped and counted, never fatal."""

from typing import Any

from twisted.logger import Logger

from headend.c1222.acse import parse_apdu
from headend.c1222.identifiers import ApTitle
from headend.c1222.segmentation import Reassembler
from headend.collection.counters import Dropped
from headend.conversations import Conversations
from headend.errors import WireError
from headend.model.endpoint import NativeAddress
from headend.poller import Poller, PollerParts
from headend.unsolicited import Message, Unsolicited


class Receiver:
    """A LinkReceiver for all links of one utility.

    Segments are put together, replies go to their conversation (the poller's, or one of `others`), the rest to `unsolicited`.
    """

    log = Logger()

    def __init__(self, parts: PollerParts, poller: Poller) -> None:
        self.unsolicited = Unsolicited(parts)
        self.others: list[Conversations[Any]] = []
        self._poller = poller
        self._counters = parts.counters
        self._wire_now = parts.wire_now or parts.now
        self._title = ApTitle.parse(parts.utility.ap_title)
        self._reassembler = Reassembler()

    def apdu_received(self, octets: bytes, address: NativeAddress) -> None:
        """See LinkReceiver."""
        self._counters.received += 1
        try:
            self._take(octets, address)
        except WireError as error:
            self._counters.dropped[Dropped.MALFORMED] += 1
            self.log.debug("{count} octets from {address} dropped: {error}", count=len(octets), address=address, error=error)
        except Exception:  # noqa: BLE001  # datagram received: whatever it was, the next one must be taken
            self._counters.dropped[Dropped.FAILED] += 1
            self.log.failure("{count} octets from {address}", count=len(octets), address=address)

    def _take(self, octets: bytes, address: NativeAddress) -> None:
        apdu = parse_apdu(octets)
        if apdu.called != self._title:
            self._counters.dropped[Dropped.NOT_FOR_US] += 1
            return
        if apdu.is_segment:
            whole = self._reassembler.add(apdu, self._wire_now())
            if whole is None:
                return
            apdu, octets = parse_apdu(whole), whole
        if apdu.reply_to is not None:
            for others in self.others:
                if others.awaits(apdu):
                    others.reply_received(apdu, len(octets))
                    return
            self._poller.reply_received(apdu, len(octets))
        else:
            self.unsolicited.received(Message(apdu, octets, address))
