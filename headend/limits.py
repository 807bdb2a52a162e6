"""Every bound of the core: its unit and its reason; relations between them are asserted at the end."""

CONVERSATIONS_MAX = 512
"""Conversations at once, per collector: enough to fill a core at the wire's latency; each holds 2.6 KiB of cipher."""

CONVERSATIONS_PER_ROUTER_MAX = 64
"""Conversations at once behind one router: a mesh shares one radio channel."""

TRANSMISSIONS_MAX = 4
"""Times one request is sent, the first included, before its interrogation ends as an exception."""

EXCHANGES_MAX = 64
"""Request/reply pairs of one interrogation: a first contact that reads 40 days in 500-octet replies needs about 50."""

INVOCATION_IDS_PER_LEASE = 64
"""Invocation ids reserved with a lease, one for each exchange."""

INVOCATION_ID_MAX = 32_767
"""Largest invocation id we send: one sign-safe 16-bit integer (reference/field-protocol-c1222.md 0, pitfall 7)."""

REPLY_OCTETS = 1_200
"""Largest APDU asked for, in octets: under the mesh's MTU of 1,280."""

LEASE_SECONDS = 300
"""How long an assignment is held: longer than any interrogation can take."""

RECORD_BATCH_MAX = 256
"""Collected endpoints that share one transaction: amortizes the commit, keeps it under a second."""

EVENTS_PER_FILE_MAX = 5_000
"""Events of one file: some 2 MB of XML."""

EARLY_EVENTS_MAX = 100
"""Events kept of an endpoint whose program is not known yet: a meter that is being installed has a dozen."""

EVENT_FEEDS_MAX = 16
"""Feeds of event files of a utility: each is looked at every few seconds."""

UNRECORDED_MAX = 4_096
"""Collected endpoints waiting for the store: past it no new conversation starts."""

PERIOD_DAYS_MAX = 400
"""Longest period of which all values of a meter are held at once, in days: 13 months of a commercial endpoint are half a million."""

VALUES_PER_FETCH = 100_000
"""Values of meters fetched at once, about: a stream's memory is this, however long the answer; a single meter may have more."""

VALUES_PER_METER_DAY = 1_400
"""Values of a meter's day reckoned with: a commercial endpoint with all its channels has 1,345."""

METERS_PER_FETCH_MAX = 250
"""Meters whose values are fetched at once, however few of each are wanted: ten milliseconds of work, so that others get their turn."""

METERS_PER_LOOKUP = 1_000
"""Meters of a set that are looked up at once."""

LATEST_LOOK_BACK_DAYS = 35
"""How far back the newest interval of a meter is looked for, in days: a meter that sent none for longer has none to tell of."""

EVENTS_PER_FETCH = 20_000
"""Events of a history log fetched at once."""

CASES_PER_LOOK = 1_000
"""Events judged in one transaction: a few tenths of a second."""

QUEUES_TOLD_MAX = 64
"""Queues of subscribers told at once: each waits for its own server, and a slow one holds as many as it has connections."""

EVENTS_PER_NOTIFICATION_MAX = 5_000
"""Events in one notification: three megabytes of XML."""

SUBSCRIPTIONS_PER_PARTNER_MAX = 100
"""Subscriptions of one partner that stand in the settings: one for each of its systems and notifications, many times over."""

SILENCINGS_MAX = 10_000
"""Silencings that hold at once: each event is held against all of them."""

EVENTS_PER_LOG_MAX = 10_000
"""Events of one meter in one history log: a day's fault makes hundreds; past it a shorter period must be asked for."""

TEXT_CHARACTERS_MAX = 256
"""Characters of an identifier or another short text of master data: the longest, an address line, has about a hundred."""

DOCUMENT_CHARACTERS_MAX = 1_000_000
"""Characters of an object that is only kept: an outage with 10,000 affected meters is the largest."""

GROUPS_MAX = 10_000
"""Meter groups and configuration groups of a utility: more than one for each feeder of the largest."""

GROUP_METERS_MAX = 100_000
"""Meters of one group: its members are told in one answer."""

METER_SESSIONS_MAX = 1_000
"""Sessions of modified meters kept for a partner: three a day for a year; an older one counts as unknown."""

SCHEDULES_MAX = 1_000
"""Schedules and reading schedules of a utility, each: all that are enabled are looked at every minute."""

GAP_DAYS = 7
"""Days back in which gaps are looked for, in days: a meter that was silent for three of them has been heard again by then."""

GAP_TRIES_MAX = 2
"""Times a gap is asked for: what a meter does not bring then, it does not have."""

GAPS_PER_ENDPOINT_MAX = 8
"""Gaps kept of one endpoint and asked for at once; nearer ones are one."""

PLAN_TIMES_MAX = 96
"""Windows of a collection plan in a day: one for every interval of a quarter of an hour."""

WINDOW_MINUTES_MAX = 1_440
"""Longest window of a collection plan, in minutes: a day; longer ones would let two interrogations of an endpoint meet."""

PLANS_MAX = 1_000
"""Collection plans of groups: each is looked at every minute."""

TIME_POINTS_MAX = 1_000
"""Time points of one schedule: three years of days."""

SCHEDULE_PERIOD_SECONDS_MIN = 900
"""Shortest period of a reading schedule: what a mesh can read again and again, and the shortest interval of our meters."""

DUE_TIMES_MAX = 1_000
"""Times a schedule is asked for at once: a day of the shortest period is a tenth of it."""

REGISTRATIONS_PER_PARTNER_MAX = 1_000
"""Registration ids of one partner, registered under or not: one for each notification and system of the largest, many times over."""

REGISTRATION_ID_DAYS = 7
"""How long a registration id is kept that nothing is registered under, in days."""

DEFERRED_TARGETS_MAX = 50_000
"""Targets of one deferred request: a group of the largest kind that is read at once, stored in a second."""

DEFERRED_DAYS_DEFAULT = 1
"""How long a deferred request is tried whose caller does not say: a battery endpoint wakes four times in it."""

AWAITED_DAYS_DEFAULT = 30
"""How long a record of an exchange or installation is waited for: the contract has no expiration for these, and a crew takes weeks."""

DEFERRED_DAYS_MAX = 366
"""How far ahead a deferred request may begin or expire, in days."""

MONITORINGS_MAX = 10_000
"""Open outage monitorings of one partner that are told in one answer."""

COMMANDS_MAX = 1_536
"""Commands under way at once, per driver: 150 a second that take seven seconds each, as a switch does over a slow mesh, and a quarter for
people who wait; each holds 10 KiB.
"""

COMMANDS_PER_TAKE = 256
"""Commands handed out in one transaction: a twentieth of a second."""

COMMANDS_PER_ROUTER_MAX = 32
"""Commands under way at once behind one router, beside what is collected there: a mesh shares one radio channel."""

COMMAND_INVOCATION_IDS = 32
"""Invocation ids reserved with each command handed out: a switch that is looked at every second while it moves takes 25."""

COMMAND_LEASE_SECONDS = 120
"""How long a command is held: three times as long as one may take."""

PERSON_TARGETS_MAX = 25
"""Targets of a request that goes first: more than one person waits for at a time, fewer than would hold another one up."""

PER_ROUTER_PER_MINUTE = 120
"""Commands of batches begun behind one router in a minute, unless settings say otherwise: so many as are through in twelve seconds each."""

PER_MINUTE = 6_000
"""Commands of batches begun in a minute in all, unless settings say otherwise: two thirds of what a machine with two cores carries out."""

PACE_MAX = 60_000
"""Largest pace that settings may name, in commands a minute."""

BATCH_LINES_MAX = DEFERRED_TARGETS_MAX
"""Meters of one file of a batch: as many as one call may name."""

PROTECTIONS_MAX = 1_000_000
"""Entries of the protected list: each meter of the largest utility."""

CANCELLED_AT_ONCE = 500
"""Commands cancelled in one transaction, a tenth of a second: a batch of 50,000 holds nobody up."""

SERVERS_TOLD_MAX, SERVERS_PER_PARTNER_MAX = 256, 8
"""Servers told at once, and of one partner: each waits for its own answer, and a partner that names many takes no other's place."""

TELLINGS_WAITING_MAX = 2_000
"""Outcomes taken for one partner that may wait for its servers: told within the time for which they are taken, at ten a second."""

SERVER_SILENT_SECONDS_MAX = 3 * 86_400
"""Seconds of a server's silence after which what has waited for it as long is parked: a weekend and a day."""

CIRCUITS_MAX = 10_000
"""Servers remembered that do not answer: ten for each of a thousand partners."""

TELLINGS_PER_CLAIM = 500
"""Outcomes handed out at once to be told: as many go into one notification where the partner takes arrays."""

TELLING_ATTEMPTS_MAX = 80
"""Times one message is tried: with waits of up to an hour, three days; then it is parked."""

TRANSACTION_DAYS = 7
"""How long a transaction id stands for its request, in days, however soon that is done: longer than anything tries again."""

ROUTERS_MAX = 5_000
"""Routers of one utility that are watched: a large utility has 500; each costs some KiB and a poll of some milliseconds."""

ROUTER_POLLS_MAX = 32
"""Polls of routers at once: 500 that take six seconds each over a cellular network are through in two minutes."""

ROUTER_EVENTS_KEPT = 1_000
"""Events kept of one router, the newest: a year of one that has something to say three times a day."""

ROUTER_TROUBLESHOOTINGS_KEPT = 50
"""Troubleshootings kept of one router, the newest."""

PURGE_STEP_SECONDS = 0.2
"""Longest step of a purge that is wanted, in seconds: a transaction that records waits for one at most (SQLite has one writer)."""

PURGE_WORK_FIRST, PURGE_WORK_MAX = 200, 5_000
"""Rows or endpoints that one step of a purge goes through, at first and at most."""

PURGE_CLAIM_SECONDS = 600.0
"""How long a claim to purge lasts, in seconds; renewed at a quarter of it."""

SUSPECT_EVENTS_PER_LOOK = 500
"""Events that look like theft taken at once: as many work items in one transaction."""

SILENCE_STEPS_MAX = 40
"""Changes kept of one endpoint's silences, the first half and the last: ten silences that each went through all states."""

SILENCES_PER_LOOK = 2_000
"""Endpoints judged and recorded at once: a second of work where all of them get work items."""

WAKEUPS_MISSED_MAX = 100
"""Missed wake-ups of one endpoint told at one look, the newest: 25 days in which nobody looked."""

TARGETS_MAX = 50
"""Targets that files of one utility go to: each may be sending at the same time."""

EXPORT_SCHEDULES_MAX = 50
"""Regular exports of a utility."""

BILLING_ITEMS_PER_STEP = 2_000
"""Items of a billing request received and answered at once: a MiB or two, and a commit for each of them."""

BILLING_ITEMS_MAX = 1_000_000
"""Items of one billing request: all accounts of a large utility."""

METERS_PER_EXPORT_STEP = 1_000
"""Meters exported at once: their values are a few MiB, and take some tens of milliseconds of a thread."""

METERS_PER_FILE_MAX = 10_000
"""Meters of one exported file (reference/domain-itron-openway.md 4.1)."""

EXPORT_CLAIM_SECONDS = 600
"""How long a claim to make an export lasts, in seconds; renewed at a quarter of it. Then another process makes what a killed one began."""

DONE_FILES_AT_ONCE = 100
"""Delivered files removed at one look: a day's largest export has as many parts."""

assert INVOCATION_IDS_PER_LEASE >= EXCHANGES_MAX
assert INVOCATION_ID_MAX // INVOCATION_IDS_PER_LEASE > 500
assert CONVERSATIONS_PER_ROUTER_MAX <= CONVERSATIONS_MAX <= UNRECORDED_MAX
assert VALUES_PER_METER_DAY * 31 <= VALUES_PER_FETCH
assert EVENTS_PER_LOG_MAX <= EVENTS_PER_FETCH
