"""Every bound of the C12.22 codec: its unit and its reason; relations between them are asserted at the end."""

APDU_OCTETS_MAX = 16_384
"""Octets of one APDU, reassembled: a year of daily self-reads or 100 days of hourly blocks in one reply."""

AP_TITLE_OCTETS_MAX = 32
"""Octets of an absolute ApTitle: devices store 20 at most, the rest is room for longer relay paths."""

SERVICES_MAX = 128
"""Services in one message: an interrogation's requests for every block of 40 days fit in a few messages of this size."""

INVOCATION_ID_RECEIVED_MAX = 65_535
"""Largest invocation id accepted: devices use 16 bits, and the replay window keeps as many."""

TRACE_TITLES_MAX = 64
"""ApTitles of one trace: hops of a route."""

REASSEMBLIES_MAX = 256
"""APDUs being reassembled at once: 8 MiB of octets and coverage at most."""

REASSEMBLY_SECONDS = 30
"""How long the missing segments of an APDU are waited for: longer than a request is resent."""

REPLIES_REMEMBERED_MAX = 1_024
"""Replies kept to be repeated by one responder: the requests of some ten seconds of a busy process."""

REPLAY_ENTRIES = 16
"""Messages a replay window remembers: more than can be under way at once from one peer."""

REPLAY_SECONDS = 900
"""How far an initialization vector (UNIX seconds) may be from our clock: what an unsynchronized meter clock is allowed."""

MAC_FAILURE_BURST = 8
"""Wrong codes a peer may send at once before it is throttled: a wrong key shows in a few."""

MAC_FAILURE_SECONDS = 10
"""Seconds after which one more wrong code is forgiven: guessing a 32-bit code then takes centuries."""

MAC_PEERS_MAX = 4_096
"""Peers whose failures are counted; the one silent longest is forgotten first."""

assert REASSEMBLIES_MAX * APDU_OCTETS_MAX * 2 <= 8 * 1024 * 1024
assert APDU_OCTETS_MAX <= 0xFFFF  # two length octets
assert APDU_OCTETS_MAX // 16 < 1 << 15  # the counter of the encryption never carries out of its last two octets
