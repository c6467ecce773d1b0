"""The table of fault experiments: what fails, what is done, under which load, and what the checker compares.

`make faults` runs the tests that it names; `docs/faults.md` has the table of the last run. A named point (`lib.faults`) stands in
the experiment that kills a process at it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Experiment:
    """One row of the table. `requirement` is the row of `docs/requirements.md`, `tests` are functions of test files.

    `checker` names what must be there and is counted (`tests.faults.tally`), `points` the named points at which it kills,
    `processes` those of `siths_portal.lib.processes.table` that it kills.
    """

    requirement: str
    fault: str
    act: str
    load: str
    checker: str
    tests: tuple[str, ...]
    points: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


_ACTIVATION = "tests/issuance/activation/api/test_faults.py::"
_API = "tests/issuance/suppliers/api/test_walk.py::"
_PUSH = "tests/issuance/suppliers/push/"
_INTAKE = "tests/issuance/suppliers/test_supplier_intake.py::"
_ISSUING = "tests/billing/invoices/test_issuing.py::"
_DELIVERY = "tests/billing/delivery/test_delivery.py::"
_SOAK = "tests/pki/issuing/test_soak_issuance.py::"
_LEASES = "tests/pki/crl/test_crl_leases.py::"
_CRL = "tests/pki/crl/test_crl.py::"
_OUTAGES = "tests/pki/ocsp/test_soak_outages.py::"
_CUTS = "tests/pki/mass_revocation/test_mass_revocation_cuts.py::"
_APPROVALS = "tests/pki/ceremonies/test_ceremony_approvals.py::"
_DISK = "tests/faults/test_full_disk.py::"

_KILLS = (
    Experiment(
        "F01", "kill -9 of the suppliers' worker", "at each named point, and at random moments",
        "an order for each kill", "orders of the supplier, events of acceptance",
        (
            _PUSH + "test_faults.py::test_a_killed_worker_makes_one_order_and_loses_none",
            _PUSH + "test_faults.py::TestReconciliation::test_a_killed_comparison_is_made_again",
            _PUSH + "test_outages.py::test_workers_killed_at_any_moment_send_each_order_once",
        ),
        ("suppliers.before-call", "suppliers.after-call", "suppliers.before-commit", "suppliers.reconcile"),
        ("suppliers-worker",),
    ),
    Experiment(
        "F01", "kill -9 of the API", "in each call of a card and of a certificate, which the client repeats",
        "four calls a card", "sent orders, certificates, effects of a key",
        (
            _API + "test_an_api_killed_at_a_named_point_loses_and_doubles_nothing",
            "tests/pki/clients/test_wire.py::test_a_face_that_is_killed_while_it_orders_is_followed_by_one_certificate",
            "tests/authn/test_idempotency.py::test_a_process_killed_at_any_point_is_followed_by_the_same_effect_and_answer",
        ),
        ("api.before-receipt", "api.after-receipt", "api.after-commit", "pki.plan.before-commit", "pki.client.after-commit"),
        ("api",),
    ),
    Experiment(
        "F01", "kill -9 of a card supplier", "after each step and at any moment", "a card at a time", "sent orders",
        (
            _API + "test_a_supplier_killed_after_every_step_makes_one_card",
            _API + "test_a_supplier_killed_at_any_moment_makes_one_card",
        ),
    ),
    Experiment(
        "F01", "kill -9 of the portal during an activation or a fetch", "at each named point; the eID app repeats",
        "a visit at a time", "signed receipts, eIDs",
        (
            _ACTIVATION + "test_a_portal_killed_at_a_named_point",
            _ACTIVATION + "test_a_portal_killed_at_each_named_point_of_a_fetch",
        ),
        (
            "issuance.start.after-commit", "issuance.code-set.before-commit", "issuance.code-set.after-commit",
            "issuance.complete.before-commit", "issuance.complete.after-commit", "issuance.fetch.certificates.after-commit",
            "issuance.fetch.complete.before-commit", "issuance.fetch.complete.after-commit",
        ),
        ("portal",),
    ),
    Experiment(
        "F01", "kill -9 of Mina sidor while a device gets a mobile eID", "at each named point; the device repeats",
        "an enrolment at a time", "active mobile eIDs, completed enrolments, certificates",
        ("tests/issuance/mobile/test_faults.py::test_a_device_that_repeats_after_each_death_gets_one_mobile_eid",),
        (
            "issuance.mobile.start.after-commit", "issuance.mobile.certificates.after-commit",
            "issuance.mobile.complete.before-commit", "issuance.mobile.complete.after-commit",
        ),
        ("minasidor",),
    ),
    Experiment(
        "F01", "kill -9 of the pki worker while it issues", "at named points and random moments, also while the database refuses",
        "two signers, a planner, a revoker, OCSP and CRLs at once", "planned and revoked certificates, serials, sent orders",
        (
            _SOAK + "test_kill_points_of_issuance_and_revocation",
            _SOAK + "test_kill_points_while_the_database_refuses_certificates_for_a_while",
            _API + "test_a_worker_killed_at_a_named_point_loses_and_doubles_nothing",
            "tests/pki/test_f10.py::test_f10_4_what_a_kill_between_the_two_commits_left_is_signed_as_planned",
        ),
        (
            "pki.sign.before-signature", "pki.sign.after-signature", "pki.sign.after-journal", "pki.sign.before-commit",
            "pki.sign.after-commit",
        ),
        ("pki-worker",),
    ),
    Experiment(
        "F01", "kill -9 of the pki worker while it hands out a PUK or ends a hold", "at each named point", "a card at a time",
        "signed receipts, released certificates",
        (
            _ACTIVATION + "test_a_worker_killed_at_a_named_point",
            "tests/pki/revocation/test_releasing_cuts.py::test_a_cut_ends_all_holds_or_none",
        ),
        (
            "pki.deliver.after-claim", "pki.deliver.after-encryption", "pki.release.before-commit", "pki.release.after-commit",
        ),
    ),
    Experiment(
        "F01", "kill -9 during a revocation", "of one card and of a mass revocation, at each named point",
        "up to 1,020 certificates of two CAs", "revocations",
        (
            "tests/pki/revocation/test_revocation_cuts.py::test_a_cut_before_the_commit_leaves_all_as_it_was",
            "tests/pki/revocation/test_revocation_cuts.py"
            "::test_a_cut_after_the_commit_leaves_all_revoked_and_the_sweepers_publish_it",
            _CUTS + "test_a_cut_in_each_batch",
            _CUTS + "test_a_cut_at_the_end",
            _CUTS + "test_a_cut_while_it_is_started_leaves_the_approval_unused",
            _CUTS + "test_a_worker_that_is_killed_while_it_runs_is_replaced",
        ),
        (
            "pki.revoke.before-commit", "pki.revoke.after-commit", "pki.mass.start.before-commit", "pki.mass.before-commit",
            "pki.mass.after-commit", "pki.mass.after-answers", "pki.mass.after-note", "pki.mass.after-crls",
            "pki.mass.before-finish",
        ),
    ),
    Experiment(
        "F01", "kill -9 of a ceremony or an import", "at each named point; the same file is followed again",
        "6,000 certificates to import", "CAs, ceremonies, transcripts, imported certificates",
        (
            "tests/pki/ceremonies/test_ceremony.py::TestCut::test_repeating_finishes",
            _APPROVALS + "TestCut::test_it_goes_on_without_new_ones",
            _APPROVALS + "TestCut::test_the_protocols_files_are_written_from_the_database",
            "tests/pki/ceremonies/test_ceremony_acts.py::test_a_ceremony_cut_before_its_act_carries_it_out_once",
            "tests/pki/takeover/test_import_rows.py::TestKill::test_repeating_finishes",
            "tests/pki/takeover/test_import_rows.py::TestKill::test_what_follows_the_last_commit_is_made_up_for",
        ),
        (
            "pki.key.before-commit", "pki.ceremony.after-begin", "pki.ceremony.after-key", "pki.ceremony.after-certificate",
            "pki.ceremony.before-act", "pki.ceremony.before-transcript", "pki.import.after-batch", "pki.import.before-commit",
            "pki.import.before-lists", "pki.import.before-responder",
        ),
    ),
    Experiment(
        "F01", "kill -9 of the OCSP responder and of what writes its store",
        "all its workers, the publisher, a writer at any moment",
        "199 answers that change all the time", "answers, answers in the store",
        (
            "tests/pki/ocspd/test_ocspd_wire.py::test_a_killed_worker_is_replaced_and_answers_the_same",
            "tests/pki/ocspd/test_ocspd_wire.py::test_a_killed_publisher_is_followed_by_another",
            "tests/pki/ocspd/test_ocspd_store.py::test_a_writer_killed_anywhere_leaves_a_whole_store",
        ),
        processes=("ocspd", "ocsp-publisher"),
    ),
)  # fmt: skip

_OUTSIDE = (
    Experiment(
        "F02", "Redis is gone and comes back empty", "orders are placed meanwhile; the scheduler's sweepers do the rest",
        "orders, revocations, OCSP", "orders of the supplier, events of acceptance, answers",
        (
            _PUSH + "test_outages.py::test_orders_are_accepted_without_redis_and_sent_by_the_sweeper",
            _OUTAGES + "test_answers_stay_right_and_all_that_was_missed_is_made_good",
        ),
    ),
    Experiment(
        "F03", "PostgreSQL restarts", "in each step of an activation and of an invoice run", "a visit; six customers",
        "signed receipts, invoice numbers, ledger entries",
        (
            _ACTIVATION + "test_a_database_that_is_away_is_said_and_the_repeat_has_one_effect",
            "tests/billing/invoices/test_outages.py::test_a_database_that_restarts_during_a_run_costs_a_repeat_and_nothing_else",
        ),
    ),
    Experiment(
        "F04", "the token is gone, slow, full, refuses a PIN or restarts", "while certificates are planned and signed",
        "eight threads in two processes", "certificates, keys, log-ins to the token",
        (
            "tests/pki/hsm/test_hsm.py::test_a_wrong_pin_is_tried_once",
            "tests/pki/issuing/test_issuing.py::test_a_token_that_is_away_leaves_the_row_for_later",
            "tests/pki/issuing/test_slow_token.py::test_certificates_whose_signatures_hang_are_issued_once_later",
            "tests/pki/issuing/test_issuing.py::test_a_row_that_is_old_when_it_is_first_tried_is_tried_again",
            _SOAK + "test_threads_of_forked_processes_issue_while_the_token_restarts",
            "tests/pki/hsm/test_hsm_limits.py::test_a_call_that_hangs_is_given_up_and_says_that_it_had_begun",
            "tests/pki/hsm/test_inventory.py::test_a_full_token_makes_no_key_no_row_and_no_alarm_once_it_has_room",
        ),
    ),
    Experiment(
        "F05", "a supplier takes an order and does not answer", "it hangs up, fails or is silent after it has stored",
        "several orders", "orders of the supplier, events of acceptance",
        (
            _PUSH + "test_outages.py::test_a_supplier_that_takes_orders_without_an_answer_has_each_once",
            _PUSH + "test_push.py::test_an_order_that_is_taken_without_an_answer_in_time_is_there_once",
        ),
    ),
    Experiment(
        "F05", "the access point takes an invoice and does not answer", "it fails after it has stored, or is down for a day",
        "two invoices", "invoices at the access point",
        (
            _DELIVERY + "test_an_answer_lost_after_storing_sends_the_same_again",
            _DELIVERY + "test_a_day_without_the_access_point_loses_nothing",
            _DELIVERY + "test_a_worker_killed_after_the_call_sends_the_same_again",
        ),
        ("billing.deliver",),
    ),
    Experiment(
        "F06", "reports of a supplier come twice, late and in disorder", "in drawn orders of reports", "25 drawn courses",
        "the order's end after the usual course", (_INTAKE + "test_any_order_and_duplication_of_reports_ends_the_same",),
    ),
    Experiment(
        "F07", "the clock jumps forwards or back", "before a CRL, an invoice run and a delivery", "two invoices",
        "CRLs and their numbers, invoice numbers, invoices at the access point",
        (
            _CRL + "test_a_clock_that_went_back_publishes_nothing",
            _CRL + "test_numbers_rise_also_when_the_clock_does_not",
            _ISSUING + "test_a_clock_that_went_back_gives_no_numbers",
            _DELIVERY + "test_a_clock_that_was_ahead_delays_nothing_and_hides_nothing",
        ),
    ),
    Experiment(
        "F08", "the disk is full", "for each kind of file, and for PostgreSQL while a receipt is stored", "a file at a time",
        "files, records of the journal, statements, answers, CRLs, exports, backups, receipts",
        (
            _DISK + "test_a_file_that_is_replaced_stays_the_old_one",
            _DISK + "test_the_journal_keeps_what_was_appended",
            _DISK + "test_the_audit_chains_statements_stay",
            _DISK + "test_the_store_of_the_responder_keeps_its_answers",
            _DISK + "test_an_invoice_for_the_access_points_folder_is_handed_over_later",
            _LEASES + "test_a_full_disk_leaves_the_old_list",
            "tests/pki/takeover/test_export.py::test_a_full_disk_exports_nothing",
            "tests/ops/test_restoring.py::test_a_full_disk_leaves_no_backup",
            "tests/issuance/operators/test_incident_export.py::test_a_full_disk_exports_nothing",
            "tests/issuance/activation/test_full_database.py::test_a_receipt_without_room_activates_no_card",
        ),
    ),
)  # fmt: skip

_TOGETHER = (
    Experiment(
        "F09", "eight revoke one card at once", "by eight threads", "eight officers", "revocations",
        ("tests/issuance/revocation/test_revocation.py::test_eight_threads_revoke_once",),
    ),
    Experiment(
        "F10", "a card is revoked while it is signed for", "both at once", "two persons", "states of card and eID",
        (
            "tests/issuance/activation/test_activation_app.py"
            "::test_revocation_and_signing_at_once_leave_no_active_card_behind",
        ),
    ),
    Experiment(
        "F11", "a responder certificate nears its end", "time passes half of its life", "two CAs", "responder certificates",
        (
            "tests/pki/issuing/test_responders.py::test_a_responder_past_half_its_life_gets_a_successor",
            "tests/pki/health/test_alarms.py::test_a_revoked_signer_that_nobody_can_replace",
        ),
    ),
    Experiment(
        "F12", "an invoice run is started three times or killed", "at once; at each named point, and run again",
        "six customers", "invoice numbers",
        (
            _ISSUING + "test_three_whole_runs_at_once_make_one",
            _ISSUING + "test_killed_anywhere_and_repeated_loses_and_doubles_nothing",
            "tests/billing/credit/test_crediting.py::test_an_approval_that_was_killed_gives_no_number_and_is_repeated",
        ),
        (
            "billing.collect", "billing.draft", "billing.issue", "billing.render.peppol", "billing.render.pdf", "billing.credit",
        ),
        ("worker",),
    ),
    Experiment(
        "F13", "an upload of a photo is cut off", "at several lengths", "a clerk", "drafts",
        ("tests/issuance/orders/test_drafts.py::TestPhoto::test_a_file_that_is_refused_leaves_the_draft_as_it_was",),
    ),
    Experiment(
        "F14", "kill -9 while a CRL is made", "at each named point, once and repeatedly", "a CA with revocations",
        "revoked serials, numbers of CRLs",
        (_LEASES + "test_a_cut_at_each_point", _LEASES + "test_repeated_cuts_never_use_a_number_twice"),
        tuple(
            f"pki.crl.building.{point}"
            for point in ("after-draw", "after-entries", "after-signature", "before-rename", "after-rename", "after-commit")
        ),
    ),
    Experiment(
        "F15", "the database is yesterday's", "certificates, holds and revocations are taken from the journal",
        "two cards and more", "certificates with their states",
        ("tests/pki/takeover/test_replaying.py::test_lost_certificates_holds_and_revocations_come_back",),
    ),
    Experiment(
        "F16", "a log-in or signature service fails or lies", "it is down, replays, or lies in each way, then is honest",
        "a visit", "log-ins, signed receipts",
        (
            "tests/authn/test_hostile_provider.py::test_each_fault_is_refused_with_its_own_reason_and_the_same_page",
            "tests/authn/test_hostile_provider.py::test_a_provider_that_is_away_gives_a_page_that_says_what_to_do",
            "tests/authn/test_hostile_provider.py::test_a_token_is_taken_once",
            "tests/issuance/activation/test_activation_app.py"
            "::test_guessed_signatures_end_it_and_the_card_can_still_be_signed_for",
        ),
    ),
    Experiment(
        "F17", "a person becomes protected after the order, or the register is down",
        "before the supplier reads the address, between two calls to it, before the activation", "an order",
        "deliveries, orders of the supplier",
        (
            _INTAKE + "TestDelivery::test_a_protection_that_came_after_the_order_counts",
            _PUSH + "test_push.py::TestBody::test_a_protection_between_two_calls_takes_the_address_away",
            "tests/issuance/activation/test_activation.py"
            "::test_a_person_who_became_protected_is_hidden_from_a_clerk_without_the_add_on",
            "tests/issuance/activation/test_activation.py::test_outside_systems_that_do_not_answer_leave_nothing",
        ),
    ),
    Experiment(
        "F18", "ten times the load", "every connection of the database is taken, and strangers ask for unknown serials",
        "eight threads", "answers", (_OUTAGES + "test_f18_answers_have_a_pool_of_their_own",),
    ),
    Experiment(
        "F19", "no connection is free, or a lock lasts long", "for a site, and for an order that is repeated",
        "eight pages, three orders", "pages after the fault, orders",
        (
            "tests/lib/test_faces.py::test_a_site_without_a_free_connection_says_so_and_recovers",
            "tests/issuance/orders/test_long_locks.py::test_a_long_lock_ends_in_an_error_and_the_repeat_makes_one_order",
        ),
    ),
    Experiment(
        "F20", "two processes do the same queued work", "two workers of a supplier, two suppliers, eight acceptances at once",
        "several orders", "orders of the supplier, accepted orders, sent orders",
        (
            _PUSH + "test_outages.py::test_two_workers_at_once_send_each_order_once",
            _API + "test_two_bureaus_make_the_cards_of_their_own_customisations",
            _INTAKE + "TestQueue::test_eight_accepts_at_once_are_one",
        ),
    ),
)  # fmt: skip

KEEPS_NOTHING = {
    "beat": "wakes timed work; the sweepers find what it missed",
    "login": "hands over one log-in, which the person begins again",
    "status": "reads files and answers",
    "metrics": "reads counters",
}
"""Processes without an experiment, and why a kill of theirs can lose or double nothing."""

EXPERIMENTS: tuple[Experiment, ...] = (*_KILLS, *_OUTSIDE, *_TOGETHER)
"""All experiments in the order of the table."""
