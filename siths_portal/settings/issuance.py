"""Limits of the life cycle of cards and eIDs, and of search (rules/issuance 4.5)."""

from siths_portal.settings.environment import DEBUG, PORT_BASE, env

CARD_VALIDITY_YEARS = env.int("CARD_VALIDITY_YEARS", default=5)
EID_VALIDITY_YEARS = env.int("EID_VALIDITY_YEARS", default=2)
NOT_ACTIVATED_DAYS = env.int("NOT_ACTIVATED_DAYS", default=90)
NOT_SIGNED_DAYS = env.int("NOT_SIGNED_DAYS", default=5)
RESERVE_CARD_DAYS_LOA2 = env.int("RESERVE_CARD_DAYS_LOA2", default=14)
RESERVE_CARD_DAYS_LOA3 = env.int("RESERVE_CARD_DAYS_LOA3", default=183)
RESERVE_CARD_APPROVAL_MINUTES = env.int("RESERVE_CARD_APPROVAL_MINUTES", default=60)
ORDER_DRAFT_DAYS = env.int("ORDER_DRAFT_DAYS", default=7)
# eIDs that are ordered on a card in use (rules/issuance 3.6): days in which the holder fetches them, and how many a card takes
# beside its first.
EID_ORDER_DAYS = env.int("EID_ORDER_DAYS", default=90)
ADDITIONAL_EIDS_PER_CARRIER = env.int("ADDITIONAL_EIDS_PER_CARRIER", default=1)
# Bundles of reserve cards (rules/issuance 3.9): Swedish working days within which the supplier sends one.
RESERVE_CARD_WORKING_DAYS = env.int("RESERVE_CARD_WORKING_DAYS", default=5)
# Day of delivery (rules/issuance 3.15): Swedish working days until a supplier leaves an ordered card to the post, if it sent too
# few cards in the last 30 days to tell, and those that a card is in the post.
CARD_WORKING_DAYS = env.int("CARD_WORKING_DAYS", default=5)
POST_WORKING_DAYS = env.int("POST_WORKING_DAYS", default=2)
MINIMUM_AGE_LOA3 = env.int("MINIMUM_AGE_LOA3", default=18)
MINIMUM_AGE_LOA2 = env.int("MINIMUM_AGE_LOA2", default=15)
# Role holders (rules/issuance 1.4): days that a training and a person check are valid (0: no end), and days before the end from
# which they are listed as due soon. Without both nobody may issue (ADR 0187).
TRAINING_VALID_DAYS = env.int("TRAINING_VALID_DAYS", default=365)
PERSON_CHECK_VALID_DAYS = env.int("PERSON_CHECK_VALID_DAYS", default=0)
QUALIFICATION_SOON_DAYS = env.int("QUALIFICATION_SOON_DAYS", default=60)
# Carriers that one officer may revoke within an hour; more need a second officer.
REVOCATIONS_PER_HOUR = env.int("REVOCATIONS_PER_HOUR", default=20)
# Days that a request for a global role waits for a second administrator.
ROLE_REQUEST_DAYS = env.int("ROLE_REQUEST_DAYS", default=14)
# Nightly reading of role holders from the HSA directory: the hour in Stockholm at which it begins, queries a second (0: no
# limit), and the most assignments, in per cent of a batch, that may end before the directory is considered faulty.
ROLE_HOLDERS_READ_HOUR = env.int("ROLE_HOLDERS_READ_HOUR", default=2)
ROLE_HOLDERS_READ_PER_SECOND = env.float("ROLE_HOLDERS_READ_PER_SECOND", default=5.0)
ROLE_HOLDERS_LOST_PERCENT = env.int("ROLE_HOLDERS_LOST_PERCENT", default=10)
# The most assignments, in per cent of all, that a file of the HSA directory may end or move before it is considered faulty.
DIRECTORY_IMPORT_LOST_PERCENT = env.int("DIRECTORY_IMPORT_LOST_PERCENT", default=5)
# Register care (rules/issuance 7.11): the hour in Stockholm at which the nightly comparison begins, requests a second to the
# person register (0: no limit), days after which a sent card, a sent bundle and an order without news are listed, days before the
# end of a reserve card in stock, and the days after sending on which holders are reminded.
REGISTER_CARE_HOUR = env.int("REGISTER_CARE_HOUR", default=3)
REGISTER_CARE_READS_PER_SECOND = env.float("REGISTER_CARE_READS_PER_SECOND", default=5.0)
REGISTER_CARE_NOT_ACTIVATED_DAYS = env.int("REGISTER_CARE_NOT_ACTIVATED_DAYS", default=14)
REGISTER_CARE_AWAITED_DAYS = env.int("REGISTER_CARE_AWAITED_DAYS", default=14)
REGISTER_CARE_SILENT_ORDER_DAYS = env.int("REGISTER_CARE_SILENT_ORDER_DAYS", default=14)
REGISTER_CARE_STOCK_DAYS = env.int("REGISTER_CARE_STOCK_DAYS", default=60)
REMINDER_DAYS = env.list("REMINDER_DAYS", cast=int, default=[30, 60, 80])
# Days before the last day of an eID on which its holder is reminded (rules/issuance 7.13).
EID_REMINDER_DAYS = env.list("EID_REMINDER_DAYS", cast=int, default=[90, 60, 30])
# Activation: seconds that a start code is valid and that a started transaction lasts, minutes for which an identification can be
# reused, wrong proofs that end a transaction, seconds that `start` waits for the worker, and calls a minute by address.
EID_APP_URL = env.str("EID_APP_URL", default=f"http://127.0.0.1:{PORT_BASE + 11}/")
EID_APP_DOWNLOAD_URL = env.str("EID_APP_DOWNLOAD_URL", default=EID_APP_URL if DEBUG else "")
ACTIVATION_HANDLE_SECONDS = env.int("ACTIVATION_HANDLE_SECONDS", default=300)
ACTIVATION_STARTED_SECONDS = env.int("ACTIVATION_STARTED_SECONDS", default=900)
ACTIVATION_IDENTIFICATION_MINUTES = env.int("ACTIVATION_IDENTIFICATION_MINUTES", default=30)
ACTIVATION_WRONG_PROOFS = env.int("ACTIVATION_WRONG_PROOFS", default=5)
EID_APP_WAIT_SECONDS = env.float("EID_APP_WAIT_SECONDS", default=3.0)
EID_APP_CALLS_PER_MINUTE = env.int("EID_APP_CALLS_PER_MINUTE", default=600)
# Activations and unlockings that are opened per process and minute: in total, by one person, by the people of one organisation.
VISITS_PER_MINUTE = env.int("VISITS_PER_MINUTE", default=3_000)
VISITS_PER_MINUTE_BY_PERSON = env.int("VISITS_PER_MINUTE_BY_PERSON", default=60)
VISITS_PER_MINUTE_BY_ORGANISATION = env.int("VISITS_PER_MINUTE_BY_ORGANISATION", default=600)
# Mobile eIDs (rules/issuance 5.12): the makers' roots (PEM) of attestations of keys on devices (without a file no holder gets a
# mobile eID), how long a start code may be taken by a device, and how many valid ones a person has.
DEVICE_ATTESTATION_ROOTS = env.str("DEVICE_ATTESTATION_ROOTS", default="")
MOBILE_HANDLE_SECONDS = env.int("MOBILE_HANDLE_SECONDS", default=900)
MOBILE_EIDS_PER_PERSON = env.int("MOBILE_EIDS_PER_PERSON", default=3)
# The accepted country prefixes of HSA-ids; empty also accepts those of test directories.
HSA_ID_PREFIXES = env.list("HSA_ID_PREFIXES", default=[] if DEBUG else ["SE"])
# Search (rules/issuance 2.1): limits per person and hour, which an ID administrator with 50 cards a day does not reach.
SEARCHES_PER_HOUR = env.int("SEARCHES_PER_HOUR", default=240)
SEARCHES_BY_ENDING_PER_HOUR = env.int("SEARCHES_BY_ENDING_PER_HOUR", default=60)
SEARCHES_EXTENDED_PER_HOUR = env.int("SEARCHES_EXTENDED_PER_HOUR", default=20)
# And per process and minute, in total and by the people of one organisation.
SEARCHES_PER_MINUTE = env.int("SEARCHES_PER_MINUTE", default=3_000)
SEARCHES_PER_MINUTE_BY_ORGANISATION = env.int("SEARCHES_PER_MINUTE_BY_ORGANISATION", default=600)
SEARCH_MISSES_SUSPECT = env.int("SEARCH_MISSES_SUSPECT", default=25)
SEARCH_SHOWN_SUSPECT = env.int("SEARCH_SHOWN_SUSPECT", default=600)
SEARCH_MAX_HITS = env.int("SEARCH_MAX_HITS", default=100)
SEARCH_EXTENDED_MAX_HITS = env.int("SEARCH_EXTENDED_MAX_HITS", default=10)
SEARCH_KEEP_HOURS = env.int("SEARCH_KEEP_HOURS", default=24)
SETUP_IMPORT_HOURS = env.int("SETUP_IMPORT_HOURS", default=24)
SETUP_IMPORT_MISSES_PER_HOUR = env.int("SETUP_IMPORT_MISSES_PER_HOUR", default=250)
EXTENDED_REACH_MINUTES = env.int("EXTENDED_REACH_MINUTES", default=30)
