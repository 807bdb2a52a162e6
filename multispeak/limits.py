"""Every bound of the SOAP face: its unit and its reason; relations between them are asserted at the end."""

BODY_OCTETS_MAX = 8 * 1024 * 1024
"""Largest request body: notifications of 10,000 objects are about half of it."""

LARGE_BODIES_MAX = 4
"""Larger bodies received or answered at once, where an address takes such: each is a file of its own meanwhile."""

LARGE_BODY_OCTETS_PER_SECOND = 256 * 1024
"""How fast a larger body must come at least: two megabits a second."""

HEADERS_MAX = 100
"""HTTP header lines of a request: toolkits send about ten."""

HEAD_OCTETS_MAX = 8 * 1024
"""Octets of the head of a request that is taken in the short way: toolkits send 300."""

WHOLE_POST_OCTETS_MAX = 64 * 1024
"""Octets of such a request altogether: what the transport reads at once."""

WHOLE_POST_PIECES_MAX = 4
"""Pieces in which it may come: many clients send head and body apart; one that drips is for the usual way."""

HEADS_REMEMBERED_MAX = 256
"""Such heads that need not be read again: a client's differ by the length of its messages. 2 MiB at the worst."""

PATHS_REMEMBERED_MAX = 64
"""Paths whose endpoint is known without looking for it: each of the six has a few names, in letters of any case."""

CONNECTIONS_MAX = 500
"""Open connections: each may hold a body in memory, and 500 idle ones cost little."""

RECEIVE_SECONDS = 20
"""From the first octet of a request to its last: no honest client on any line needs more for 8 MiB in pieces; a slow one holds a socket."""

IDLE_SECONDS = 60
"""A kept connection without a request."""

CALLS_MAX = 64
"""Calls in progress at once, past which one waits: each may hold a page of objects."""

CALLS_WAITING_MAX = 500
"""Calls that wait for one of these to end, past which one is told to come back: one for each open connection."""

CALL_WAIT_SECONDS = 10
"""How long a call waits before it is told to come back: within what clients wait themselves."""

ATTRIBUTES_MAX = 64
"""Attributes of one element: the contracts' widest has 26; 100,000 would cost seconds further on."""

START_TAG_OCTETS_MAX = 16 * 1024
"""Octets of one start tag: seen before anything is parsed, since parsing 100,000 attributes takes longer than refusing them."""

ATTRIBUTES_CHECKED_FROM_OCTETS = 4_096
"""Bodies below this are not searched for wide elements: they cannot hold enough attributes to matter."""

CHUNK_OCTETS = 64 * 1024
"""Octets of an answer handed to the transport at once: past 16 KiB throughput no longer grows."""

STALL_SECONDS = 60
"""How long a client may take nothing of a streamed answer before it is cut off: it holds one of `CALLS_MAX` calls."""

RECORDS_PER_STEP = 200
"""Objects written between two looks at the transport: about 2 ms, so that small calls get through."""

PAGE_OBJECTS_MAX = 1_000_000
"""Most objects of one streamed answer, whatever a partner's page size says: ten minutes of a slow line."""

FETCH_OBJECTS = 1_000
"""Objects a streamed answer asks of the store at once: its memory is this, however long the answer."""

FETCH_ROWS = 5_000
"""Register reads a streamed list asks of the store at once: its memory is twice this, however long the answer."""

BLOCK_ROWS_MAX = 1_000
"""Rows past which a formattedBlock in a list of them takes no further meter: some 100 KiB."""

LISTED_METERS_MAX = 10_000
"""Meters that a request may name: as many as a page has."""

FIELD_NAMES_MAX = 200
"""fieldNames that a request may have: there are some forty."""

LOOK_DAYS_MAX = 100
"""How many days around a billing date may be looked at: three months of retries."""

READINGS_PER_CHUNK_DAYS = 7
"""Days of one meter fetched at once, where all its values of a period are streamed: some 9,000 values."""

EMPTY_CHUNK_DAYS_MAX = 56
"""The same where nothing has been found so far: a period of a century costs 700 looks."""

GROUP_INTERVALS_MAX = 10_000
"""Intervals held for the register read that ends them: past it they are told without one, a hundred days of a profile."""

PROFILE_DATA_DAYS = 7
"""Days of load profile told where a request names none."""

UNSTREAMED_OBJECTS_MAX = 10_000
"""Most objects of an answer that is fetched in one piece, a few KiB each."""

NOTIFIED_OBJECTS_MAX = 20_000
"""Objects of one notification, twice what the largest clients send at once: they take effect in one transaction of a few seconds."""

FAILED_LOGINS_MAX = 10
"""Wrong passwords for one user from one address in `FAILED_LOGINS_SECONDS`, past which none is looked at."""

FAILED_LOGINS_PER_ADDRESS_MAX = 50
"""The same for one address over all users."""

FAILED_LOGINS_SECONDS = 60
"""How long a failed login counts."""

FAILED_LOGINS_REMEMBERED_MAX = 10_000
"""Addresses and users remembered for it; the oldest are forgotten."""

LOGINS_REMEMBERED_MAX = 1_000
"""Logins with a hashed password that are known without hashing: one for each partner of a large process, and some to spare."""

LOGINS_CHECKED_MAX = 32
"""Hashed passwords checked or waiting for it at once, 20 MiB and 40 ms each on one of a few threads; also how many guesses may be
under way beyond `FAILED_LOGINS_MAX` before they are counted."""

TOKEN_FRESH_SECONDS = 300
"""How far Created of a UsernameToken's digest may be from our clock, as the profile recommends."""

NONCES_PER_USER_MAX = 50_000
"""Nonces remembered for one user: 80 calls a second for as long as they are fresh, both ways."""

NONCE_OCTETS_MAX = 64
"""Octets of a nonce: stacks send 16 or 20."""

PAGING_SESSIONS_MAX = 10_000
"""Lists under way whose SessionID is remembered; the oldest are forgotten and get a new one."""

SESSION_ID_CHARACTERS_MAX = 64
"""Longest SessionID taken from a caller: ours have 36."""

REGISTRATION_TEXT_CHARACTERS_MAX = 256
"""Longest responseUserID, responsePwd or MSFunction of a registration."""

METHODS_MAX = 200
"""Methods that one registration names: the contracts have a few dozen notifications."""

TRANSACTION_ID_CHARACTERS_MAX = 256
"""Longest transactionID: UUIDs have 36."""

PARAMETER_CHARACTERS_MAX = 20_000
"""Longest parameter of a request that is kept for later: a list of a thousand field names."""

LOG_QUEUE_MAX = 10_000
"""Exchanges noted and not yet written to the message log: ten seconds of a busy process; past it they are dropped and counted."""

LOG_QUEUE_OCTETS_MAX = 64 * 1024 * 1024
"""Octets of envelopes that these hold."""

LOG_BATCH_MAX = 500
"""Exchanges written in one transaction."""

LOG_PACK_MAX = 32
"""Exchanges whose envelopes are packed together: more hardly make them smaller, and whoever looks at one unpacks all of them."""

LOG_PACK_CHARACTERS_MAX = 256 * 1024
"""Characters after which a pack is full, for the same reason."""

LOG_FLUSH_SECONDS = 1.0
"""How often noted exchanges are written, in seconds."""

LOG_PURGE_SECONDS = 300.0
"""How often old exchanges are forgotten, in seconds."""

NOTICE_OBJECTS_MAX = 500
"""Objects in one notification of ours: a message that any client reads, half a megabyte of readings."""

ANSWER_OCTETS_MAX = 1_000_000
"""Octets read of what a partner's server answers: an errorObject for each object is a fifth of it."""

URL_CHARACTERS_MAX = 2_000
"""Longest address a partner may name: what servers and proxies pass on."""

REPAIRS_MAX = 10_000
"""Elements of an invalid message that gets a lenient second look: real ones have hundreds, and the look may take the square of them."""

SELFTEST_ANSWER_OCTETS_MAX = 64 * 1024 * 1024
"""Largest answer that a self-test takes from a server: ten thousand objects are a tenth of it."""

SELFTEST_REDIRECTS_MAX = 5
"""Redirects followed to a WSDL."""

SELFTEST_SHOWN_CHARACTERS = 16_000
"""Characters of an envelope that an assertion document shows."""

LONG_MESSAGE_OCTETS = 64 * 1024
"""From here on a message is asked how many elements it has: counting those of a small one costs a tenth of its validation."""

PLACED_ERRORS_MAX = 100
"""Schema errors of a large message that are looked for in its tree, each at up to a millisecond."""

YEAR_MIN, YEAR_MAX = 1990, 2100
"""Dates outside are mistakes, such as the year 1 that some toolkits send for nothing."""

assert LISTED_METERS_MAX <= UNSTREAMED_OBJECTS_MAX <= PAGE_OBJECTS_MAX
assert CHUNK_OCTETS < BODY_OCTETS_MAX
assert HEAD_OCTETS_MAX < WHOLE_POST_OCTETS_MAX < BODY_OCTETS_MAX
assert CALLS_WAITING_MAX >= CONNECTIONS_MAX
assert NONCES_PER_USER_MAX >= 2 * TOKEN_FRESH_SECONDS
assert FAILED_LOGINS_MAX <= FAILED_LOGINS_PER_ADDRESS_MAX <= FAILED_LOGINS_REMEMBERED_MAX
