"""Bounds of the store: unit and reason of each."""

THREADS_MAX = 4
"""Threads for reading, and as many for writing on PostgreSQL: two cores, and some waiting for the disk. SQLite writes with one."""

WORKS_WAITING_MAX = 1_024
"""Pieces of work queued or running: past it the caller is told that the store is overloaded."""

PATIENCE_SECONDS = 30.0
"""How long one transaction is tried again while the database is locked or restarts, in seconds; then its caller is told."""

OPENING_PATIENCE_SECONDS = 10.0
"""The same when a database is opened: whoever starts a process wants to know why it does not come up."""

RETRY_SECONDS_FIRST = 0.05
RETRY_SECONDS_MAX = 2.0
"""First and longest wait before a transaction is tried again; doubled from one to the other."""

BUSY_SECONDS = 0.5
"""How long SQLite waits for another process's lock within each try, in seconds: after the first it is said that there is one."""

CONNECT_SECONDS = 10
"""How long a connection to PostgreSQL may take to come about, in seconds."""

LOCK_SECONDS = 30
"""How long PostgreSQL waits for a row or table lock, in seconds: an import of a million endpoints holds rows for most of it."""

STATISTICS_ROWS = 1_000
"""Rows written at once after which PostgreSQL counts a table anew: fewer do not change how it is best read."""

DEAD_PEER_SECONDS = 60
"""After how long a connection to PostgreSQL whose other end answers nothing is given up, in seconds."""

SQLITE_CACHE_KIB = 16_384
"""Page cache of each SQLite connection, in KiB."""

DAYS_PAST_MAX = 1_130
"""Oldest day accepted, in days before now: three years of late data; bounds the number of day partitions."""

DAYS_AHEAD_MAX = 7
"""Latest day accepted, in days after now: a clock that is further ahead than a week is not to be believed."""

INTERVALS_PER_DAY_MAX = 1_440
"""Intervals of one block: one a minute."""

KEYS_PER_QUERY_MAX = 5_000
"""Keys handed to one statement, so that its parameters stay within a few hundred KiB."""

NAMES_GATHERED_MAX = 100
"""Names that go together in one look-up: more would make the first of them wait."""

PLACES_COUNTED_MAX = 1_000
"""Places in lists of reads of which it is remembered how many follow; past that all are forgotten."""

TITLES_GATHERED_MAX = 500
"""Senders of messages whose keys are looked up together: a storm brings thousands a second, each look-up takes some ten milliseconds."""

KEY_FILE_OCTETS_MAX = 65_536
"""Largest key file read, in octets: a thousand rotations."""

REASON_CHARACTERS_MAX = 1_000
"""Longest reason of an exception kept, in characters."""

MESSAGES_PURGED_AT_ONCE = 5_000
"""Exchanges of the message log forgotten in one transaction, so that it never holds others up for long."""

ENDPOINTS_PER_SEARCH_MAX = 100_000
"""Endpoints that one statement of a list goes through for reads that few of them have: a fraction of a second."""

BACKUP_PAGES_AT_ONCE = 2_048
"""Pages of SQLite copied between two looks of whoever shows progress: 8 MiB."""

ENDPOINTS_PER_ACCOUNT = 2_000
"""Endpoints counted at once for the accounts of what is used: some ten milliseconds."""

DAYS_PER_ACCOUNT = 31
"""Days counted at once at most, after a time in which nobody did."""

COMPACTION_LOCK_SECONDS = 2
"""How long compacting an old day waits for its readers, who queue behind it meanwhile, in seconds."""
