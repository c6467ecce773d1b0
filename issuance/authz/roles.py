"""Roles, actions and the permission matrix of rules/issuance 1.2, for the actions that the portal implements."""

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """A role for persons. The first five are global; RESPONSIBLE_ISSUER covers an issuing area, the others organisations.

    MASTER_DATA_ADMIN, PKI_OPERATOR and FINANCE_ADMIN separate the administration's duties (ADR 0295).
    """

    MASTER_DATA_ADMIN = "master_data_admin"
    PKI_OPERATOR = "pki_operator"
    FINANCE_ADMIN = "finance_admin"
    GLOBAL_REVOKER = "global_revoker"
    GLOBAL_READER = "global_reader"
    RESPONSIBLE_ISSUER = "responsible_issuer"
    DEPUTY_ISSUER = "deputy_issuer"
    ID_ADMINISTRATOR = "id_administrator"
    RESERVE_CARD_ADMIN_LOA3 = "reserve_card_admin_loa3"
    RESERVE_CARD_ADMIN_LOA2 = "reserve_card_admin_loa2"
    REVOKER = "revoker"
    READER = "reader"
    CUSTOMER_FINANCE = "customer_finance"


class Action(StrEnum):
    """What an actor may do. Card suppliers have SUPPLY, and READ_SUPPLIED for the data that they need to make their orders."""

    VIEW = "view"
    EXTENDED_SEARCH = "extended_search"
    VIEW_HISTORY = "view_history"
    VIEW_ACCESS_LOG = "view_access_log"
    VIEW_CONFIGURATION = "view_configuration"
    VIEW_RECEIPT = "view_receipt"
    VIEW_PHOTO = "view_photo"
    ORDER_ORDINARY_CARD = "order_ordinary_card"
    REMOVE_ORDER = "remove_order"
    ORDER_RESERVE_BUNDLE = "order_reserve_bundle"
    KEEP_STOCK = "keep_stock"
    KEEP_REGISTER = "keep_register"
    ISSUE_RESERVE_CARD = "issue_reserve_card"
    ISSUE_RESERVE_CARD_LOA3 = "issue_reserve_card_loa3"
    APPROVE_RESERVE_CARD = "approve_reserve_card"
    ORDER_EID = "order_eid"
    ORDER_PUK_LETTER = "order_puk_letter"
    WITHDRAW_EID_ORDER = "withdraw_eid_order"
    FETCH_EID = "fetch_eid"
    ENROL_MOBILE_EID = "enrol_mobile_eid"
    ACTIVATE_ORDINARY_CARD = "activate_ordinary_card"
    UNLOCK_CARD = "unlock_card"
    WITHDRAW_IDENTIFICATION = "withdraw_identification"
    WITHDRAW_ANOTHERS_IDENTIFICATION = "withdraw_anothers_identification"
    REPORT_DOCUMENT = "report_document"
    JUDGE_DOCUMENT = "judge_document"
    REVOKE_CARRIER = "revoke_carrier"
    REVOKE_EID = "revoke_eid"
    EXPIRE = "expire"
    REGISTER_MIGRATED_CARD = "register_migrated_card"
    END_SESSION = "end_session"
    ASSIGN_ROLE = "assign_role"
    ASSIGN_GLOBAL_ROLE = "assign_global_role"
    EDIT_OFFICE = "edit_office"
    LINK_OFFICE = "link_office"
    CREATE_SUB_ORGANISATION = "create_sub_organisation"
    EDIT_RECEIPT_TEXT = "edit_receipt_text"
    CHOOSE_ARTICLES = "choose_articles"
    VERIFY_CUSTOMISATION = "verify_customisation"
    CREATE_ORGANISATION = "create_organisation"
    VIEW_INVOICE = "view_invoice"
    CORRECT_INVOICE_SERIES = "correct_invoice_series"
    MANAGE_BILLING = "manage_billing"
    CONFIRM_CUSTOMER = "confirm_customer"
    VIEW_PKI = "view_pki"
    DECIDE_PKI = "decide_pki"
    CHANGE_CA_STATE = "change_ca_state"
    MASS_REVOKE = "mass_revoke"
    OPERATE_SUPPLIERS = "operate_suppliers"
    SUPPLY = "supply"
    READ_SUPPLIED = "read_supplied"


ADMINISTRATION = (Role.MASTER_DATA_ADMIN, Role.PKI_OPERATOR, Role.FINANCE_ADMIN)
"""The three roles that together cover all of the administration's duties."""

RETIRED_ROLES = frozenset({"system_admin"})
"""Codes of roles that nobody is given any more. Only ended grants and events still have them."""

GLOBAL_ROLES = frozenset({*ADMINISTRATION, Role.GLOBAL_REVOKER, Role.GLOBAL_READER})
AREA_ROLES = frozenset({Role.RESPONSIBLE_ISSUER})
ORGANISATION_ROLES = frozenset(Role) - GLOBAL_ROLES - AREA_ROLES
QUALIFIED_ROLES = frozenset(
    {
        Role.RESPONSIBLE_ISSUER,
        Role.DEPUTY_ISSUER,
        Role.ID_ADMINISTRATOR,
        Role.RESERVE_CARD_ADMIN_LOA3,
        Role.RESERVE_CARD_ADMIN_LOA2,
    }
)
"""Roles that issue, now or in planned functions. Their holders need a person check and yearly training (rules/issuance 1.4)."""

_VIEWING = frozenset({Action.VIEW, Action.VIEW_HISTORY})
_CONFIGURATION = frozenset({Action.VIEW_CONFIGURATION})
"""Configuration of areas, organisations and offices, and an organisation's list of cards, are shown to those who edit it and to
those who read everything."""

_REVOKING = frozenset({Action.REVOKE_CARRIER, Action.REVOKE_EID})
_EXTENDED = frozenset({Action.EXTENDED_SEARCH})
ISSUING = frozenset(
    {
        Action.ORDER_ORDINARY_CARD,
        Action.ACTIVATE_ORDINARY_CARD,
        Action.ISSUE_RESERVE_CARD,
        Action.ISSUE_RESERVE_CARD_LOA3,
        Action.APPROVE_RESERVE_CARD,
        Action.ORDER_EID,
        Action.ORDER_PUK_LETTER,
        Action.UNLOCK_CARD,
    }
)
"""Actions by which a holder obtains something.

They are dormant while training or person check is overdue; viewing, removing and revoking are not.
"""

_ORDERING_EIDS = frozenset({Action.ORDER_EID, Action.WITHDRAW_EID_ORDER})
_IDENTIFYING = frozenset({Action.WITHDRAW_IDENTIFICATION, Action.REPORT_DOCUMENT})
_RESERVE_CARDS = _IDENTIFYING | {Action.ISSUE_RESERVE_CARD}
_SECOND_APPROVAL = frozenset({Action.APPROVE_RESERVE_CARD})
"""The second officer's part of a reserve card on level 3, for the roles that identify holders daily (rules/issuance 1.2)."""

_ISSUING = (ISSUING - _SECOND_APPROVAL) | _ORDERING_EIDS | _IDENTIFYING | {Action.REMOVE_ORDER}
_HANDLING_CARDS = frozenset({Action.VIEW_RECEIPT, Action.VIEW_PHOTO, Action.KEEP_STOCK})
"""Photos are shown only to those who meet holders or issue to them, because they compare faces (S12)."""

_KEEPING_REGISTER = frozenset({Action.KEEP_REGISTER})
"""Register care: work lists of what catalogue, register and time have made wrong (rules/issuance 7.11)."""

_OPERATING_PKI = frozenset({Action.VIEW_PKI, Action.DECIDE_PKI, Action.CHANGE_CA_STATE, Action.MASS_REVOKE})
"""CAs belong to no organisation. Only PKI operators see and change them, and every change needs two persons."""

_DEPUTY_CONFIGURING = frozenset(
    {
        Action.ASSIGN_ROLE,
        Action.LINK_OFFICE,
        Action.EDIT_RECEIPT_TEXT,
        Action.CHOOSE_ARTICLES,
        Action.VERIFY_CUSTOMISATION,
    }
)
_ISSUER_CONFIGURING = _DEPUTY_CONFIGURING | {Action.EDIT_OFFICE, Action.CREATE_SUB_ORGANISATION}

ALLOWED: Mapping[Role, frozenset[Action]] = {
    Role.MASTER_DATA_ADMIN: _VIEWING
    | _CONFIGURATION
    | _EXTENDED
    | _REVOKING
    | _KEEPING_REGISTER
    | {
        Action.VIEW_ACCESS_LOG,
        Action.VIEW_RECEIPT,
        Action.ASSIGN_ROLE,
        Action.ASSIGN_GLOBAL_ROLE,
        Action.EDIT_OFFICE,
        Action.LINK_OFFICE,
        Action.CREATE_SUB_ORGANISATION,
        Action.EDIT_RECEIPT_TEXT,
        Action.CHOOSE_ARTICLES,
        Action.CREATE_ORGANISATION,
        Action.REGISTER_MIGRATED_CARD,
        Action.END_SESSION,
    },
    Role.PKI_OPERATOR: _OPERATING_PKI | {Action.OPERATE_SUPPLIERS},
    Role.FINANCE_ADMIN: frozenset({Action.VIEW_INVOICE, Action.CORRECT_INVOICE_SERIES, Action.MANAGE_BILLING}),
    Role.GLOBAL_REVOKER: _VIEWING | _REVOKING | _EXTENDED,
    Role.GLOBAL_READER: _VIEWING
    | _CONFIGURATION
    | _EXTENDED
    | {Action.VIEW_ACCESS_LOG, Action.VIEW_RECEIPT, Action.VIEW_INVOICE},
    Role.RESPONSIBLE_ISSUER: _VIEWING
    | _CONFIGURATION
    | _EXTENDED
    | _REVOKING
    | _ISSUING
    | _ISSUER_CONFIGURING
    | _HANDLING_CARDS
    | _KEEPING_REGISTER
    | {
        Action.VIEW_ACCESS_LOG,
        Action.VIEW_INVOICE,
        Action.CONFIRM_CUSTOMER,
        Action.WITHDRAW_ANOTHERS_IDENTIFICATION,
        Action.JUDGE_DOCUMENT,
        Action.ORDER_RESERVE_BUNDLE,
    },
    Role.DEPUTY_ISSUER: _VIEWING
    | _CONFIGURATION
    | _EXTENDED
    | _REVOKING
    | _ISSUING
    | _DEPUTY_CONFIGURING
    | _HANDLING_CARDS
    | _KEEPING_REGISTER
    | {Action.VIEW_INVOICE, Action.CONFIRM_CUSTOMER, Action.ORDER_RESERVE_BUNDLE},
    Role.ID_ADMINISTRATOR: _VIEWING | _EXTENDED | _REVOKING | _ISSUING | _HANDLING_CARDS | _KEEPING_REGISTER | _SECOND_APPROVAL,
    Role.RESERVE_CARD_ADMIN_LOA3: _VIEWING
    | _EXTENDED
    | _REVOKING
    | _HANDLING_CARDS
    | _ORDERING_EIDS
    | _RESERVE_CARDS
    | _SECOND_APPROVAL
    | {Action.ISSUE_RESERVE_CARD_LOA3},
    Role.RESERVE_CARD_ADMIN_LOA2: _VIEWING | _REVOKING | _HANDLING_CARDS | _ORDERING_EIDS | _RESERVE_CARDS,
    Role.REVOKER: _VIEWING | _REVOKING | _EXTENDED,
    Role.READER: _VIEWING | _CONFIGURATION | {Action.VIEW_RECEIPT},
    Role.CUSTOMER_FINANCE: frozenset({Action.VIEW_INVOICE}),
}

SYSTEM_ALLOWED: Mapping[str, frozenset[Action]] = {
    "system:not-activated-in-time": frozenset({Action.REVOKE_CARRIER}),
    "system:test-person-not-booked": frozenset({Action.REVOKE_CARRIER}),
    "system:receipt-not-signed": frozenset({Action.REVOKE_CARRIER}),
    "system:certificate-revoked": _REVOKING,
    "system:replacement": frozenset({Action.REVOKE_CARRIER}),
    "system:renewal": frozenset({Action.REVOKE_EID}),
    "system:eid-not-fetched": frozenset({Action.REVOKE_EID}),
    "system:mobile-not-completed": frozenset({Action.REVOKE_CARRIER}),
    "system:expiry": frozenset({Action.EXPIRE}),
    "system:migration": frozenset({Action.VIEW, Action.REGISTER_MIGRATED_CARD}),
    "system:register-reading": frozenset({Action.CREATE_ORGANISATION}),
    "system:setup": _ISSUER_CONFIGURING
    | {Action.VIEW, Action.VIEW_CONFIGURATION, Action.CREATE_ORGANISATION, Action.ORDER_RESERVE_BUNDLE, Action.REMOVE_ORDER},
}
"""The actions of each named system actor, over all organisations and persons."""

HOLDER_ALLOWED = _VIEWING | _REVOKING | {Action.VIEW_RECEIPT, Action.VIEW_ACCESS_LOG, Action.FETCH_EID, Action.ENROL_MOBILE_EID}
"""The actions of holders on Mina sidor with what is their own: everybody may revoke it, fetch what is ordered, see who looked,
and get a mobile eID, which they also name."""

CARD_ALLOWED = frozenset({Action.VIEW, Action.FETCH_EID})
"""The actions of somebody who has logged in with the transport certificate of a reserve card, with that card alone: they see its
state, and fetch the eID that it was handed out for.
"""

NEVER_FOR_ONESELF = frozenset(
    {
        Action.ORDER_ORDINARY_CARD,
        Action.ACTIVATE_ORDINARY_CARD,
        Action.ISSUE_RESERVE_CARD,
        Action.ISSUE_RESERVE_CARD_LOA3,
        Action.APPROVE_RESERVE_CARD,
        Action.ORDER_EID,
        Action.ORDER_PUK_LETTER,
        Action.UNLOCK_CARD,
        Action.REPORT_DOCUMENT,
        Action.JUDGE_DOCUMENT,
        Action.ASSIGN_ROLE,
    }
)
"""Nobody orders, activates, unlocks, judges or assigns for themself (rules/issuance 1.3)."""

EXTENDED_REACH = _VIEWING | _REVOKING
"""Actions that an extended search with a reason opens on the persons found, if the actor's role allows them at all.

Nothing is issued across organisations (rules/issuance 2.2).
"""

READING = _VIEWING | _CONFIGURATION | {Action.VIEW_RECEIPT}
"""Actions that change nothing. An eID in the actor's scope also shows its carrier, but only for these."""

REVOKING = READING | _REVOKING | _EXTENDED
"""Actions of somebody whose only act is to revoke."""

CONFIGURING = _ISSUER_CONFIGURING | {Action.CREATE_ORGANISATION}
"""Actions that configure a place. Nobody does them in a closed organisation."""

ASSIGNABLE: Mapping[Role, frozenset[Role]] = {
    Role.MASTER_DATA_ADMIN: GLOBAL_ROLES | AREA_ROLES,
    Role.RESPONSIBLE_ISSUER: ORGANISATION_ROLES,
    Role.DEPUTY_ISSUER: ORGANISATION_ROLES - {Role.DEPUTY_ISSUER},
}
"""The roles that the holder of a role may give: always lower than their own (rules/issuance 1.1, 1.3)."""

_LEVELS: Mapping[Role, int] = {
    **dict.fromkeys(GLOBAL_ROLES, 3),
    **dict.fromkeys(AREA_ROLES, 2),
    **dict.fromkeys(ORGANISATION_ROLES, 0),
    Role.DEPUTY_ISSUER: 1,
}


def outranks(upper: Role, lower: Role) -> bool:
    """True if `lower` is a role below `upper`. Master data is above all roles; no other role is above an equal."""
    return upper is Role.MASTER_DATA_ADMIN or _LEVELS[upper] > _LEVELS[lower]
