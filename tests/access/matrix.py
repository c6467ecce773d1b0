"""Who may do what at which address: the whole portal as data. An address or a method that no row names fails the test.

`right` is PUBLIC, LOGGED_IN, or the action that `issuance.authz.roles.ALLOWED` must give the caller's role; `target` what the
address names, one of `world.Things`, or a maker of it for what belongs to one person or session. `ok` is the status when all is
well; everything else follows (`walker.expected`). A POST without `data` is an empty form: whoever may send it is told what is
missing (422), whoever may not is refused before.
"""

from issuance.authz import Action
from tests.access import pki_things, role_things
from tests.access.row import LOGGED_IN, PUBLIC, Maker, Row
from tests.access.targets import (
    AREAS,
    ORGANISATIONS,
    REVOCATION,
    SUB_ORGANISATIONS,
    TOP_ORGANISATIONS,
    WHOLE_REVOCATION,
    anothers_draft,
    anothers_identification,
    area,
    article,
    article_code,
    authority,
    bank_file,
    bank_payment,
    carrier_import,
    certificate_search,
    completed,
    credit_request,
    credited_invoice,
    customer,
    customer_file,
    customisation,
    draft,
    generic_customisation,
    identification,
    invoice_draft,
    invoice_draft_counted,
    invoice_month,
    mass,
    mass_trial,
    matter,
    office,
    ordered_bundle,
    organisation,
    organisation_with_own,
    own_matter,
    own_search,
    own_statement,
    photo_draft,
    photo_of_draft,
    post_of_draft,
    price_change,
    price_file,
    puk_letter,
    replacing_draft,
    returned,
    running_mass,
    setup_import,
    setup_table,
    stock_card,
    stopped_delivery,
    subscriber,
    supplier,
    suspicion,
    transaction,
    unlocking,
    waiting_eid,
    waiting_issue,
    work_item,
    work_list,
)

ORDER, ACTIVATE, ASSIGN = Action.ORDER_ORDINARY_CARD, Action.ACTIVATE_ORDINARY_CARD, Action.ASSIGN_ROLE
OF_ONES_OWN = ("body", "headers")
"""A draft of one's own for a person who went out of sight is asked for once more than none: its owner knows that it is there."""


def _draft_rows(name: str, target: Maker = draft, *, ok: int) -> list[Row]:
    """The page of an order, shown, and answered with nothing."""
    return [
        Row(name, "GET", ORDER, target, compared=OF_ONES_OWN),
        Row(name, "POST", ORDER, target, ok=ok, compared=OF_ONES_OWN),
    ]


ROWS: list[Row] = [
    # house and frame
    Row("healthz/live", "GET", PUBLIC),
    Row("healthz/ready", "GET", PUBLIC),
    Row("start", "GET", PUBLIC, in_session=302),
    Row("help", "GET", PUBLIC),
    Row("about", "GET", PUBLIC),
    Row("accessibility", "GET", PUBLIC),
    Row("component_sheet", "GET", PUBLIC),
    Row("csp_report", "POST", PUBLIC, ok=204),
    # log-in and sessions
    Row("login", "GET", PUBLIC),
    Row("login", "POST", PUBLIC, ok=302),
    Row("login_callback", "GET", PUBLIC, ok=400),
    Row("login_card_callback", "GET", PUBLIC, ok=400),
    Row("login_post", "GET", PUBLIC, ok=302),
    Row("login_post", "POST", PUBLIC, ok=302),
    Row("session_state", "GET", LOGGED_IN),
    Row("session_continue", "POST", LOGGED_IN),
    Row("upload_session", "GET", PUBLIC, ok=401, in_session=204),
    Row("logout", "GET", PUBLIC, in_session=302),
    Row("logout", "POST", PUBLIC),
    Row("settings", "GET", LOGGED_IN),
    Row("settings", "POST", LOGGED_IN, ok=302),
    # Dagen
    Row("day", "GET", LOGGED_IN),
    Row("day_sent", "GET", ACTIVATE),
    Row("day_unsigned", "GET", ACTIVATE),
    Row("day_orders", "GET", ORDER),
    Row("day_ending", "GET", ORDER),
    Row("day_to_fetch", "GET", Action.ORDER_EID),
    # search
    Row("search", "GET", Action.VIEW),
    Row("search", "POST", Action.VIEW, ok=422),
    Row("search", "POST", Action.EXTENDED_SEARCH, data={"text": "1024", "extended": "on"}, ok=422, case="extended"),
    Row("search_hits", "GET", Action.VIEW, own_search, own=True, unseen=403),
    # person
    Row("person", "GET", Action.VIEW, "person"),
    Row("person_history", "GET", Action.VIEW_HISTORY, "person"),
    Row("person_photo", "GET", Action.VIEW_PHOTO, "person"),
    Row("carrier_history", "GET", Action.VIEW_HISTORY, "active"),
    Row("eid_history", "GET", Action.VIEW_HISTORY, "eid"),
    Row("person_access_log", "GET", Action.VIEW_ACCESS_LOG, "person"),
    Row("certificate", "GET", Action.VIEW, "certificate"),
    Row("certificate_pem", "GET", Action.VIEW, "certificate"),
    Row("receipt", "GET", Action.VIEW_RECEIPT, "active"),
    Row("receipt_pdf", "GET", Action.VIEW_RECEIPT, "active"),
    # revocation
    Row("carrier_revoke", "GET", Action.REVOKE_CARRIER, "active"),
    Row("carrier_revoke", "POST", Action.REVOKE_CARRIER, "active", ok=422),
    Row("carrier_revoke", "POST", Action.REVOKE_CARRIER, "active", ok=302, data=REVOCATION, case="confirmed"),
    Row("carrier_revoked", "GET", Action.REVOKE_CARRIER, "active", ok=302),
    Row("eid_revoke", "GET", Action.REVOKE_EID, "eid"),
    Row("eid_revoke", "POST", Action.REVOKE_EID, "eid", ok=422),
    Row("eid_revoke", "POST", Action.REVOKE_EID, "eid", ok=302, data=REVOCATION, case="confirmed"),
    Row("eid_revoked", "GET", Action.REVOKE_EID, "eid", ok=302),
    Row("person_revoke", "GET", Action.REVOKE_CARRIER, "person"),
    Row("person_revoke", "POST", Action.REVOKE_CARRIER, "person", ok=422),
    Row("person_revoke", "POST", Action.REVOKE_CARRIER, "person", ok=302, data=WHOLE_REVOCATION, case="confirmed"),
    Row("person_revoked", "GET", Action.REVOKE_CARRIER, "person", ok=302),
    Row("paper_revocations", "GET", Action.REVOKE_CARRIER),
    Row("paper_revocations", "POST", Action.REVOKE_CARRIER, ok=422),
    Row("held_revocations", "GET", Action.REVOKE_CARRIER),
    Row("held_revocations", "POST", Action.REVOKE_CARRIER, ok=422),
    # activation
    Row("activate", "GET", ACTIVATE, "sent"),
    Row("activate", "POST", ACTIVATE, "sent", ok=422),
    Row("activation_sign", "GET", ACTIVATE, transaction),
    Row("activation_sign", "POST", ACTIVATE, transaction, ok=302),
    Row("activation_state", "GET", ACTIVATE, transaction),
    Row("activation_done", "GET", ACTIVATE, completed),
    Row("activation_done", "POST", ACTIVATE, completed, ok=302),
    Row("activation_cancel", "GET", LOGGED_IN, transaction, ok=302),  # to the second step, which decides
    Row("identification_withdraw", "GET", Action.WITHDRAW_IDENTIFICATION, identification),
    Row("identification_withdraw", "POST", Action.WITHDRAW_IDENTIFICATION, identification, ok=422),
    *(
        Row(
            "identification_withdraw",
            method,
            Action.WITHDRAW_ANOTHERS_IDENTIFICATION,
            anothers_identification,
            ok=ok,
            case="a colleague's",
        )
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("activation_cancel", "POST", ACTIVATE, transaction, ok=302),
    Row("unlock", "GET", Action.UNLOCK_CARD, "active"),
    Row("unlock", "POST", Action.UNLOCK_CARD, "active", ok=422),
    Row("unlocking", "GET", Action.UNLOCK_CARD, unlocking),
    Row("unlocking", "POST", Action.UNLOCK_CARD, unlocking, ok=302),
    Row("unlocking_state", "GET", Action.UNLOCK_CARD, unlocking),
    Row("unlocking_cancel", "GET", LOGGED_IN, unlocking, ok=302),  # to the page, which decides
    Row("unlocking_cancel", "POST", Action.UNLOCK_CARD, unlocking, ok=302),
    Row("suspicion_report", "GET", Action.REPORT_DOCUMENT, "sent"),
    Row("suspicion_report", "POST", Action.REPORT_DOCUMENT, "sent", ok=422),
    Row("suspicions", "GET", Action.JUDGE_DOCUMENT),
    Row("suspicion", "GET", Action.JUDGE_DOCUMENT, suspicion),
    Row("suspicion", "POST", Action.JUDGE_DOCUMENT, suspicion, ok=422),
    Row("identification_help", "GET", LOGGED_IN),
    Row("terms", "GET", PUBLIC),
    # reserve cards
    Row("reserve_card", "GET", Action.ISSUE_RESERVE_CARD, "orderable"),
    Row("reserve_card", "POST", Action.ISSUE_RESERVE_CARD, "orderable", ok=422),
    Row("reserve_cards_waiting", "GET", Action.APPROVE_RESERVE_CARD),
    Row("reserve_card_approve", "GET", Action.APPROVE_RESERVE_CARD, waiting_issue),
    Row("reserve_card_approve", "POST", Action.APPROVE_RESERVE_CARD, waiting_issue, ok=422),
    Row("reserve_card_statement", "GET", Action.ISSUE_RESERVE_CARD, own_statement, own=True, unseen=403),
    Row("reserve_card_statement", "POST", Action.ISSUE_RESERVE_CARD, own_statement, own=True, ok=302, unseen=403),
    Row("reserve_card_statement_state", "GET", Action.ISSUE_RESERVE_CARD, own_statement, own=True, unseen=403),
    Row("reserve_card_statement_cancel", "GET", Action.ISSUE_RESERVE_CARD, own_statement, own=True, ok=302, unseen=403),
    Row("reserve_card_statement_cancel", "POST", Action.ISSUE_RESERVE_CARD, own_statement, own=True, ok=302, unseen=403),
    # PUK letters
    Row("puk_letter", "GET", Action.ORDER_PUK_LETTER, "active"),
    Row("puk_letter", "POST", Action.ORDER_PUK_LETTER, "active", ok=409),
    Row("puk_letter_ordered", "GET", Action.VIEW, puk_letter),
    # eIDs that holders fetch
    Row("eid_order", "GET", Action.ORDER_EID, "active"),
    Row("eid_order", "POST", Action.ORDER_EID, "active", ok=409),
    Row("eid_renew", "GET", Action.ORDER_EID, "eid"),
    Row("eid_renew", "POST", Action.ORDER_EID, "eid", ok=302),
    Row("eid_order_withdraw", "GET", Action.WITHDRAW_EID_ORDER, waiting_eid),
    Row("eid_order_withdraw", "POST", Action.WITHDRAW_EID_ORDER, waiting_eid, ok=302),
    # ordering
    Row("order_start", "GET", LOGGED_IN, "orderable", ok=302),  # to the person, which decides
    Row("order_start", "POST", ORDER, "orderable", ok=302),
    Row("carrier_replace", "GET", Action.REVOKE_CARRIER, "active", ok=302),  # to the card, which says why if it cannot be
    Row("carrier_replace", "POST", ORDER, "active", ok=302),
    *_draft_rows("order", ok=422),
    Row("order", "GET", ORDER, replacing_draft, compared=OF_ONES_OWN, case="replacing a card"),
    Row("order_remake", "GET", Action.REMOVE_ORDER, returned),
    Row("order_remake", "POST", Action.REMOVE_ORDER, returned, ok=422),
    Row("order", "GET", ORDER, photo_draft, compared=OF_ONES_OWN, case="with photo"),
    Row("order_photo_upload", "GET", LOGGED_IN, photo_draft, ok=302),
    Row("order_photo_upload", "POST", ORDER, photo_draft, ok=422, compared=OF_ONES_OWN),
    Row("order", "GET", ORDER, anothers_draft, own=True, blind=404, case="a colleague's"),
    Row("order", "POST", ORDER, anothers_draft, own=True, ok=422, blind=404, case="a colleague's"),
    Row("order_photo_adjust", "GET", LOGGED_IN, photo_draft, ok=302),
    Row("order_photo_adjust", "POST", ORDER, photo_draft, ok=422, data={"valj": "upp"}, compared=OF_ONES_OWN),
    Row("order_done", "GET", ORDER, draft, ok=302, compared=OF_ONES_OWN),
    Row("order_step", "GET", LOGGED_IN, draft, ok=302, more=("granska",)),
    Row("order_step", "POST", LOGGED_IN, draft, ok=302, more=("granska",)),
    Row("order_photo_image", "GET", ORDER, photo_of_draft, compared=OF_ONES_OWN),
    Row("order_logotype_image", "GET", ORDER, post_of_draft, compared=OF_ONES_OWN),
    Row("order_abandon", "GET", LOGGED_IN, draft, ok=302),
    Row("order_abandon", "POST", ORDER, draft, ok=302, compared=OF_ONES_OWN),
    Row("order_restart", "GET", LOGGED_IN, draft, ok=302),
    Row("order_restart", "POST", ORDER, draft, ok=302, compared=OF_ONES_OWN),
    Row("photo_rules", "GET", LOGGED_IN),
    Row("order_cancel", "GET", Action.REMOVE_ORDER, "queued"),
    Row("order_cancel", "POST", Action.REMOVE_ORDER, "queued"),
    Row("order_cancel", "POST", Action.REMOVE_ORDER, "queued", ok=302, data={"bekrafta": "1"}, case="confirmed"),
    # configuration
    Row("administration", "GET", Action.VIEW_CONFIGURATION),
    Row("area_new", "GET", Action.CREATE_ORGANISATION),
    Row("area_new", "POST", Action.CREATE_ORGANISATION, ok=422),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, area, places=AREAS) for name in ("area", "area_history", "area_tree")),
    Row("area_tree", "POST", Action.VIEW_CONFIGURATION, area, data={"text": "finns inte"}, places=AREAS),
    Row("area_extended_searches", "GET", ASSIGN, area, places=AREAS),
    *(
        Row("area_articles", method, Action.CHOOSE_ARTICLES, area, ok=ok, places=AREAS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("area_customisations", "GET", Action.CHOOSE_ARTICLES, area, places=AREAS),
    Row("area_customisations", "POST", Action.VERIFY_CUSTOMISATION, area, ok=302, places=AREAS),
    Row("area_remove", "GET", Action.CREATE_ORGANISATION, area, places=AREAS),
    Row("area_remove", "POST", Action.CREATE_ORGANISATION, area, ok=409, places=AREAS),
    *(
        Row(name, method, Action.CREATE_ORGANISATION, area, ok=ok, places=AREAS)
        for name in ("area_edit", "organisation_new")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, "GET", Action.VIEW_CONFIGURATION, organisation, places=ORGANISATIONS)
        for name in (
            "organisation",
            "organisation_history",
            "organisation_receipt_texts",
            "organisation_holders",
            "organisation_holders_csv",
        )
    ),
    *(
        Row(name, method, Action.CREATE_SUB_ORGANISATION, organisation, ok=ok, places=ORGANISATIONS)
        for name in ("sub_organisation_new",)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, method, right, organisation, ok=ok, places=places, case=case)
        for name in ("organisation_edit", "organisation_move", "organisation_end")
        for method, ok in (("GET", 200), ("POST", 422))
        for right, places, case in (
            (Action.CREATE_SUB_ORGANISATION, SUB_ORGANISATIONS, "below another"),
            (Action.CREATE_ORGANISATION, TOP_ORGANISATIONS, "at the top"),
        )
    ),
    *(
        Row("organisation_reopen", "POST", right, organisation, ok=302, places=places, case=case)
        for right, places, case in (
            (Action.CREATE_SUB_ORGANISATION, SUB_ORGANISATIONS, "below another"),
            (Action.CREATE_ORGANISATION, TOP_ORGANISATIONS, "at the top"),
        )
    ),
    *(
        Row("organisation_fee", method, Action.CREATE_ORGANISATION, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(Row("office_new", method, Action.EDIT_OFFICE, area, ok=ok, places=AREAS) for method, ok in (("GET", 200), ("POST", 422))),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, office, places=ORGANISATIONS) for name in ("office", "office_history")),
    *(
        Row(name, method, right, office, ok=ok, places=ORGANISATIONS)
        for name, right, sent in (
            ("office_edit", Action.EDIT_OFFICE, 422),
            ("office_close", Action.EDIT_OFFICE, 302),
            ("office_connect", Action.LINK_OFFICE, 422),
        )
        for method, ok in (("GET", 200), ("POST", sent))
    ),
    Row("office_reopen", "POST", Action.EDIT_OFFICE, office, ok=302, places=ORGANISATIONS),
    *(
        Row("organisation_offices", method, Action.LINK_OFFICE, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row("bundle_new", method, Action.ORDER_RESERVE_BUNDLE, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("organisation_bundles", "GET", Action.VIEW_CONFIGURATION, organisation, places=ORGANISATIONS),
    Row("bundle", "GET", Action.VIEW_CONFIGURATION, ordered_bundle, places=ORGANISATIONS),
    *(
        Row("bundle_withdraw", method, Action.ORDER_RESERVE_BUNDLE, ordered_bundle, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    # stock of reserve cards
    Row("stock", "GET", Action.KEEP_STOCK),
    *(
        Row(name, method, Action.KEEP_STOCK, target, ok=ok, places=ORGANISATIONS)
        for name, target, sent in (
            ("office_stock", office, 200),
            ("stock_count", office, 302),
            ("stock_level", office, 302),
            ("stock_receive", ordered_bundle, 409),
            ("stock_lost", ordered_bundle, 422),
            ("stock_card", stock_card, 422),
        )
        for method, ok in (("GET", 200), ("POST", sent))
    ),
    # register care
    Row("register_care", "GET", Action.KEEP_REGISTER),
    Row("register_care_list", "GET", Action.KEEP_REGISTER, work_list, nowhere=True, unseen=403),
    Row("register_care_list", "POST", Action.KEEP_REGISTER, work_list, nowhere=True, unseen=403, ok=422),
    Row("work_item", "GET", Action.KEEP_REGISTER, work_item),
    Row("work_item", "POST", Action.KEEP_REGISTER, work_item, ok=422),
    *(
        Row("organisation_receipt_text", method, Action.EDIT_RECEIPT_TEXT, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    *(
        Row("organisation_articles", method, Action.CHOOSE_ARTICLES, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    Row("articles", "GET", Action.VIEW_CONFIGURATION),
    *(Row(name, "GET", Action.VIEW_CONFIGURATION, article, nowhere=True, unseen=403) for name in ("article", "article_history")),
    *(
        Row(name, method, Action.CREATE_ORGANISATION, ok=ok)
        for name in ("article_new", "customisation_new_generic")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row("article_edit", method, Action.CREATE_ORGANISATION, article, ok=ok, nowhere=True, unseen=403)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("customisations", "GET", Action.VIEW_CONFIGURATION),
    Row("organisation_customisation", "GET", Action.VIEW_CONFIGURATION, organisation, places=ORGANISATIONS),
    *(
        Row("customisation_new", method, Action.CREATE_ORGANISATION, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row("customisation_request", method, Action.VERIFY_CUSTOMISATION, organisation, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, "POST", right, organisation, ok=302, places=ORGANISATIONS)
        for name, right in (
            ("customisation_request_close", Action.CREATE_ORGANISATION),
            ("customisation_withdraw", Action.CREATE_ORGANISATION),
            ("customisation_use_generic", Action.VERIFY_CUSTOMISATION),
        )
    ),
    *(
        Row("customisation_give_up", method, Action.CREATE_ORGANISATION, organisation_with_own, ok=ok, places=ORGANISATIONS)
        for method, ok in (("GET", 200), ("POST", 409))
    ),
    *(
        Row(name, method, right, customisation, ok=ok, places=ORGANISATIONS)
        for name, method, right, ok in (
            ("customisation", "GET", Action.VIEW_CONFIGURATION, 200),
            ("customisation", "POST", Action.VERIFY_CUSTOMISATION, 409),
            ("customisation_history", "GET", Action.VIEW_CONFIGURATION, 200),
            ("customisation_edit", "GET", Action.CREATE_ORGANISATION, 200),
            ("customisation_edit", "POST", Action.CREATE_ORGANISATION, 422),
        )
    ),
    *(
        Row("customisation", method, right, generic_customisation, ok=ok, nowhere=True, blind=403, case="the generic one")
        for method, right, ok in (
            ("GET", Action.VIEW_CONFIGURATION, 200),
            ("POST", Action.CREATE_ORGANISATION, 409),
        )
    ),
    # roles
    Row("organisation_roles", "GET", ASSIGN, organisation, places=ORGANISATIONS),
    # bulk set-up: those who connect offices are those who set something up
    Row("setup_import", "GET", Action.LINK_OFFICE),
    Row("setup_import", "POST", Action.LINK_OFFICE, ok=422),
    Row("setup_template_xlsx", "GET", Action.LINK_OFFICE),
    Row("setup_template_csv", "GET", Action.LINK_OFFICE, setup_table, nowhere=True, unseen=403),
    *(
        Row("setup_import_preview", method, Action.LINK_OFFICE, setup_import, ok=ok, data=data, own=True, unseen=403, case=case)
        for method, ok, data, case in (
            ("GET", 200, {}, ""),
            ("POST", 409, {}, "without what was seen"),
            ("POST", 302, {"avbryt": "1"}, "given up"),
        )
    ),
    # cards from an earlier portal
    Row("carrier_import", "GET", Action.REGISTER_MIGRATED_CARD),
    Row("carrier_import", "POST", Action.REGISTER_MIGRATED_CARD, ok=422),
    Row("carrier_template_xlsx", "GET", Action.REGISTER_MIGRATED_CARD),
    Row("carrier_template_csv", "GET", Action.REGISTER_MIGRATED_CARD),
    *(
        Row(
            "carrier_import_preview",
            method,
            Action.REGISTER_MIGRATED_CARD,
            carrier_import,
            ok=ok,
            data=data,
            own=True,
            unseen=403,
            case=case,
        )
        for method, ok, data, case in (
            ("GET", 200, {}, ""),
            ("POST", 409, {}, "without what was seen"),
            ("POST", 302, {"avbryt": "1"}, "given up"),
        )
    ),
    Row("area_export_xlsx", "GET", Action.VIEW_CONFIGURATION, area, places=AREAS),
    Row("area_export_csv", "GET", Action.VIEW_CONFIGURATION, area, more=("kontor",), places=AREAS),
    Row("organisation_export_xlsx", "GET", Action.VIEW_CONFIGURATION, organisation, places=ORGANISATIONS),
    Row("organisation_export_csv", "GET", Action.VIEW_CONFIGURATION, organisation, more=("kontor",), places=ORGANISATIONS),
    *(
        Row(name, method, ASSIGN, target, ok=ok, places=places)
        for name, target, places in (
            ("organisation_role_add", organisation, ORGANISATIONS),
            ("area_issuer_add", area, AREAS),
            ("area_role_add", area, AREAS),
        )
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    *(
        Row(name, method, ASSIGN, role_things.grant, ok=ok, places=role_things.PLACES, unseen=403)
        for name in ("role_change", "role_end")
        for method, ok in (("GET", 200), ("POST", 302))
    ),
    Row("role_holders", "GET", ASSIGN),
    Row("role_holders", "POST", ASSIGN, ok=302),
    *(Row("holders_training", method, ASSIGN, ok=ok) for method, ok in (("GET", 200), ("POST", 422))),
    Row("role_requests", "GET", Action.ASSIGN_GLOBAL_ROLE),
    Row("log_ins", "GET", Action.END_SESSION),
    Row("log_ins", "POST", Action.END_SESSION, ok=302),
    Row("role_request", "GET", Action.ASSIGN_GLOBAL_ROLE, role_things.role_request, nowhere=True, unseen=403),
    Row("role_request", "POST", Action.ASSIGN_GLOBAL_ROLE, role_things.role_request, ok=422, nowhere=True, unseen=403),
    *(
        Row("role_request_withdraw", method, Action.ASSIGN_GLOBAL_ROLE, target, ok=302, nowhere=True, unseen=403)
        for method, target in (("GET", role_things.role_request), ("POST", role_things.own_role_request))
    ),
    Row("role_rights", "GET", Action.VIEW_CONFIGURATION),
    Row("person_roles", "GET", ASSIGN, "orderable"),
    *(
        Row(name, method, ASSIGN, "orderable", ok=ok)
        for name in ("person_role_add", "qualification_add")
        for method, ok in (("GET", 200), ("POST", 422))
    ),
    Row("qualification_withdraw", "GET", ASSIGN, role_things.qualification, ok=302),
    Row("qualification_withdraw", "POST", ASSIGN, role_things.qualification, ok=302),
    # invoices: without the right nobody learns which numbers there are
    Row("invoices", "GET", Action.VIEW_INVOICE),
    Row("invoices_running", "GET", Action.VIEW_INVOICE),
    Row("invoices_running_counted", "GET", Action.VIEW_INVOICE, subscriber, places=("parent", "outside", "unknown"), unseen=403),
    Row("invoice_runs", "GET", Action.MANAGE_BILLING),
    Row("invoice_runs", "POST", Action.MANAGE_BILLING, ok=302),
    *(
        Row(name, method, Action.MANAGE_BILLING, target, ok=ok, nowhere=True, unseen=403)
        for name, method, target, ok in (
            ("invoice_run", "GET", invoice_month, 200),
            ("invoice_run", "POST", invoice_month, 302),
            ("invoice_run_customers", "GET", invoice_month, 200),
            ("invoice_run_sie", "GET", invoice_month, 200),
            ("invoice_run_csv", "GET", invoice_month, 200),
            ("invoice_draft", "GET", invoice_draft, 200),
            ("invoice_draft", "POST", invoice_draft, 409),  # the run is not open
        )
    ),
    Row(  # the draft has no lines; whoever sees it sees all drafts
        "invoice_draft_counted",
        "GET",
        Action.MANAGE_BILLING,
        invoice_draft_counted,
        ok=404,
        nowhere=True,
        unseen=403,
        compared=("body", "headers"),
    ),
    Row("invoice_deliveries", "GET", Action.MANAGE_BILLING),
    Row("invoice_delivery", "GET", Action.MANAGE_BILLING, credited_invoice, nowhere=True, unseen=403),
    Row("invoice_delivery", "POST", Action.MANAGE_BILLING, credited_invoice, nowhere=True, unseen=403, ok=422),
    Row("payments", "GET", Action.MANAGE_BILLING),
    Row("payment_file", "GET", Action.MANAGE_BILLING),
    Row("payment_file", "POST", Action.MANAGE_BILLING, ok=422),
    Row("payment_file_preview", "GET", Action.MANAGE_BILLING, bank_file, own=True, unseen=403),
    Row("payment_file_preview", "POST", Action.MANAGE_BILLING, bank_file, ok=409, own=True, unseen=403),
    Row("payment", "GET", Action.MANAGE_BILLING, bank_payment, nowhere=True, unseen=403),
    Row("payment", "POST", Action.MANAGE_BILLING, bank_payment, ok=422, nowhere=True, unseen=403),
    Row("invoice_dispute", "GET", Action.MANAGE_BILLING, credited_invoice, nowhere=True, unseen=403),
    Row("invoice_dispute", "POST", Action.MANAGE_BILLING, credited_invoice, ok=422, nowhere=True, unseen=403),
    Row("invoices_overdue", "GET", Action.MANAGE_BILLING),
    Row("invoices_overdue", "POST", Action.MANAGE_BILLING, ok=422),
    Row("invoice_series", "GET", Action.CORRECT_INVOICE_SERIES),
    Row("invoice_series", "POST", Action.CORRECT_INVOICE_SERIES, ok=422),
    Row("invoice", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_pdf", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_xml", "GET", Action.VIEW_INVOICE, "invoice", unseen=403),
    Row("invoice_line", "GET", Action.VIEW_INVOICE, "invoice", more=(1,), unseen=403),
    Row("invoice_line_csv", "GET", Action.VIEW_INVOICE, "invoice", more=(1,), unseen=403),
    Row("credit_requests", "GET", Action.MANAGE_BILLING),
    *(
        Row(name, method, Action.MANAGE_BILLING, target, ok=ok, nowhere=True, unseen=403)
        for name, target, wrong in (("credit_lines", credited_invoice, 422), ("credit_request", credit_request, 409))
        for method, ok in (("GET", 200), ("POST", wrong))
    ),
    Row("customers", "GET", Action.MANAGE_BILLING),
    *(
        Row(name, method, Action.MANAGE_BILLING, customer, ok=ok, nowhere=True, unseen=403)
        for name, wrong in (("customer", 409), ("customer_edit", 422), ("customer_end", 422))
        for method, ok in (("GET", 200), ("POST", wrong))
    ),
    *(
        Row(f"{name}_import{part}", method, Action.MANAGE_BILLING, target, ok=ok, own=own, unseen=403)
        for name, file in (("customer", customer_file), ("price", price_file))
        for part, method, target, ok, own in (
            ("", "GET", None, 200, False),
            ("", "POST", None, 422, False),
            ("_xlsx", "GET", None, 200, False),
            ("_csv", "GET", None, 200, False),
            ("_preview", "GET", file, 200, True),
            ("_preview", "POST", file, 409, True),
        )
    ),
    Row("prices", "GET", Action.MANAGE_BILLING),
    Row("price_new", "GET", Action.MANAGE_BILLING),
    Row("price_new", "POST", Action.MANAGE_BILLING, ok=422),
    Row("price", "GET", Action.MANAGE_BILLING, article_code, nowhere=True, unseen=403),
    Row("price_request", "GET", Action.MANAGE_BILLING, price_change, nowhere=True, unseen=403),
    Row("price_request", "POST", Action.MANAGE_BILLING, price_change, ok=409, nowhere=True, unseen=403),
    Row("customer_own", "GET", Action.CONFIRM_CUSTOMER),
    Row("customer_own", "POST", Action.CONFIRM_CUSTOMER, ok=422),
    # the PKI: without the right nobody learns which CAs, certificates and matters there are
    Row("pki_authorities", "GET", Action.VIEW_PKI),
    *(
        Row(name, "GET", Action.VIEW_PKI, authority, nowhere=True, unseen=403)
        for name in ("pki_authority", "pki_authority_pem", "pki_authority_der")
    ),
    Row("pki_keys", "GET", Action.VIEW_PKI),
    Row("pki_certificates", "GET", Action.VIEW_PKI),
    Row("pki_certificates", "POST", Action.VIEW_PKI, ok=422),
    Row("pki_certificates", "POST", Action.VIEW_PKI, ok=302, data={"text": "0177AB"}, case="a number"),
    Row("pki_certificate_hits", "GET", Action.VIEW_PKI, certificate_search, own=True, unseen=403),
    *(
        Row(name, "GET", Action.VIEW_PKI, "certificate", unseen=403)
        for name in ("pki_certificate", "pki_certificate_pem", "pki_certificate_der")
    ),
    Row("pki_approvals", "GET", Action.VIEW_PKI),
    Row("pki_approval", "GET", Action.VIEW_PKI, matter, nowhere=True, unseen=403),
    Row("pki_approval_decide", "GET", Action.DECIDE_PKI, matter, nowhere=True, unseen=403),
    Row("pki_approval_decide", "POST", Action.DECIDE_PKI, matter, ok=422, nowhere=True, unseen=403),
    Row("pki_approval_withdraw", "GET", Action.DECIDE_PKI, matter, nowhere=True, unseen=403),
    Row("pki_approval_withdraw", "POST", Action.DECIDE_PKI, own_matter, ok=302, nowhere=True, unseen=403),
    Row("pki_authority_state", "GET", Action.CHANGE_CA_STATE, authority, nowhere=True, unseen=403),
    Row("pki_authority_state", "POST", Action.CHANGE_CA_STATE, authority, ok=422, nowhere=True, unseen=403),
    Row(
        "pki_authority_state",
        "POST",
        Action.CHANGE_CA_STATE,
        authority,
        ok=302,
        data=pki_things.STATE,
        case="another state",
        nowhere=True,
        unseen=403,
    ),
    Row("pki_approval_carry_out", "GET", Action.CHANGE_CA_STATE, pki_things.ca_matter, nowhere=True, unseen=403),
    Row("pki_approval_carry_out", "POST", Action.CHANGE_CA_STATE, pki_things.ca_matter, ok=302, nowhere=True, unseen=403),
    Row("pki_ceremonies", "GET", Action.VIEW_PKI),
    Row("pki_ceremony_propose", "GET", Action.DECIDE_PKI),
    Row("pki_ceremony_propose", "POST", Action.DECIDE_PKI, ok=422),
    *(
        Row(name, "GET", Action.VIEW_PKI, pki_things.ceremony, nowhere=True, unseen=403)
        for name in ("pki_ceremony", "pki_ceremony_protocol", "pki_ceremony_protocol_text", "pki_ceremony_file")
    ),
    *(
        Row(name, "GET", Action.VIEW_PKI, pki_things.proposal, nowhere=True, unseen=403)
        for name in ("pki_proposal", "pki_proposal_file")
    ),
    Row("pki_proposal_sign", "GET", Action.DECIDE_PKI, pki_things.proposal, nowhere=True, unseen=403),
    Row("pki_proposal_sign", "POST", Action.DECIDE_PKI, pki_things.proposal, ok=422, nowhere=True, unseen=403),
    Row("pki_proposal_withdraw", "GET", Action.DECIDE_PKI, pki_things.proposal, nowhere=True, unseen=403),
    Row("pki_proposal_withdraw", "POST", Action.DECIDE_PKI, pki_things.proposal, ok=302, nowhere=True, unseen=403),
    Row("pki_health", "GET", Action.VIEW_PKI),
    Row("pki_status", "GET", Action.VIEW_PKI),
    Row("pki_imports", "GET", Action.VIEW_PKI),
    Row("pki_import", "GET", Action.VIEW_PKI, pki_things.imported, nowhere=True, unseen=403),
    Row("pki_import_findings", "GET", Action.VIEW_PKI, pki_things.imported, more=("serial",), nowhere=True, unseen=403),
    *(
        Row("pki_import_report", "GET", Action.VIEW_PKI, pki_things.imported, more=(kind,), case=kind, nowhere=True, unseen=403)
        for kind in ("json", "txt", "sig", "pem")
    ),
    Row("pki_mass_revocations", "GET", Action.VIEW_PKI),
    Row("pki_mass_new", "GET", Action.MASS_REVOKE),
    Row("pki_mass_new", "POST", Action.MASS_REVOKE, ok=422),
    Row("pki_mass_new", "POST", Action.MASS_REVOKE, ok=302, data={"unit_ref": "none"}, case="a unit"),
    Row("pki_mass_trial", "GET", Action.MASS_REVOKE, mass_trial, own=True, unseen=403),
    Row("pki_mass_trial", "POST", Action.MASS_REVOKE, mass_trial, own=True, ok=422, unseen=403),
    Row("pki_mass_revocation", "GET", Action.VIEW_PKI, mass, nowhere=True, unseen=403),
    Row("pki_mass_start", "GET", Action.MASS_REVOKE, mass, nowhere=True, unseen=403),
    Row("pki_mass_start", "POST", Action.MASS_REVOKE, mass, ok=302, nowhere=True, unseen=403),
    Row("pki_mass_stop", "GET", Action.MASS_REVOKE, running_mass, nowhere=True, unseen=403),
    Row("pki_mass_stop", "POST", Action.MASS_REVOKE, running_mass, ok=422, nowhere=True, unseen=403),
    # card suppliers
    Row("suppliers", "GET", Action.OPERATE_SUPPLIERS),
    Row("supplier", "GET", Action.OPERATE_SUPPLIERS, supplier, nowhere=True, unseen=403),
    Row("supplier", "POST", Action.OPERATE_SUPPLIERS, supplier, ok=302, nowhere=True, unseen=403),
    Row(
        "supplier",
        "POST",
        Action.OPERATE_SUPPLIERS,
        supplier,
        ok=302,
        data={"pausa": "1"},
        nowhere=True,
        unseen=403,
        case="pause",
    ),
    Row("supplier_delivery", "GET", Action.OPERATE_SUPPLIERS, stopped_delivery, nowhere=True, unseen=403),
    Row("supplier_delivery", "POST", Action.OPERATE_SUPPLIERS, stopped_delivery, ok=302, nowhere=True, unseen=403),
]
