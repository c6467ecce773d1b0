"""The privileges of each process in each table. `migrate` applies them at its end (ADR 0311).

Roles are those of `settings.DATABASE_ROLES`. No single process can get a certificate: the portal cannot insert certificate
requests, the API cannot insert orders, and only the process with the token writes keys, CAs, certificate status and seals.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from django.conf import settings
from django.db import connection

PORTAL, API, PKI, WORKER = "portal", "api", "pki", "worker"
LETTERS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}

type Rights = Mapping[str, str]
"""By role: letters of LETTERS; `U(a b)` is UPDATE of these columns only. A role that is not named has no right."""

READ: dict[str, str] = {PORTAL: "S", API: "S", PKI: "S", WORKER: "S"}
# The privileges of tables that TABLES does not list, by the prefix of their names.
DEFAULTS: Mapping[str, Rights] = {
    "pki_": READ | {PKI: "SIU"},
    "issuance_": READ | {PORTAL: "SIU", WORKER: "SIU"},
    "authn_": READ | {PORTAL: "SIUD", WORKER: "SIUD"},
    "billing_": {PORTAL: "SIU", WORKER: "SIU", PKI: "S"},
    "django_": READ,
    "auth_": READ,
}

_EVENTS = {PORTAL: "SI", API: "SI", PKI: "SI", WORKER: "SI"}
_SEALS = READ | {WORKER: "SI"}
_MACS = READ | {PKI: "SI"}
_PROGRESS = "state seq sent_on registered_mail_id puk puk_refusal puk_delivery_id dispatched_at"
_ASKED_BY_PORTAL = READ | {PORTAL: "SIU", PKI: "SIU"}

TABLES: Mapping[str, Rights] = {
    **{f"{app}_event": _EVENTS for app in ("pki", "issuance", "authn", "billing")},
    **{f"{app}_eventseal": _SEALS for app in ("pki", "issuance", "authn", "billing")},
    **{f"{app}_eventmacs": _MACS for app in ("pki", "issuance", "authn", "billing")},
    # --- pki: only the API inserts certificate requests; a trigger accepts only rows that wait to be signed.
    "pki_certificate": READ | {API: "SI", PKI: "SIU"},
    "pki_profileversion": READ | {API: "SI", PKI: "SI"},
    "pki_profilelint": READ | {API: "SI", WORKER: "SI", PKI: "SI"},
    "pki_issuanceset": READ | {API: "SI", WORKER: "SU", PKI: "SIU"},
    "pki_rsakey": READ | {API: "SI", WORKER: "SIU", PKI: "SIU"},
    "pki_modulusblock": READ | {WORKER: "SIU", PKI: "SIU"},
    "pki_clientorder": READ | {API: "SI", PKI: "SI"},
    # --- pki: processes that revoke insert a row, and functions of the database execute it.
    "pki_revocation": _EVENTS,
    "pki_massrevocation": _ASKED_BY_PORTAL,
    "pki_massrevocationmember": READ | {PORTAL: "SI", PKI: "SI"},
    # --- pki: the API inserts secrets, the portal requests deliveries to eID apps and the API those for PUK letters, and the
    # worker verifies, decrypts and responds.
    "pki_secret": READ | {API: "SI", PKI: "SIU"},
    "pki_secretdelivery": READ | {PORTAL: "SI", API: "SI", PKI: "SIU"},
    "pki_holdrelease": READ | {PORTAL: "SI", PKI: "SI"},
    # --- pki: dual control.
    "pki_approvalrequest": _ASKED_BY_PORTAL | {WORKER: "SU"},
    "pki_approval": READ | {PORTAL: "SI", PKI: "SI"},
    "pki_ceremonyproposal": _ASKED_BY_PORTAL,
    "pki_ceremonysignature": READ | {PORTAL: "SI", PKI: "SI"},
    "pki_clientpermission": READ | {PKI: "SIUD"},
    # --- pki: serials that relying parties ask for and that were never issued.
    "pki_ocspunknown": READ | {WORKER: "SIU", PKI: "SIUD"},
    "pki_ocspresponse": READ | {PKI: "SIUD"},
    # What the checks measured, for two weeks.
    "pki_healthsample": READ | {PKI: "SIUD"},
    # --- issuance: the API updates orders and cards but never inserts them.
    "issuance_cardorder": READ
    | {
        PORTAL: "SIU",
        WORKER: "SIU",
        API: "SU(state seq restarted_at accepted_at produced_at sent_at sent_on registered_mail_id failure_reason)",
    },
    # What was ordered stays as it was. A card that is revoked ends the eID orders on it, also by the API.
    "issuance_eidorder": READ
    | {PORTAL: "SIU(state seq eid_id ended_at)", WORKER: "SIU(state seq eid_id ended_at)", API: "SU(state seq ended_at)"},
    # What an item makes stays as it was. A withdrawn order or a revoked card also ends items, in every process.
    "issuance_orderitem": READ | {PORTAL: f"SIU({_PROGRESS})", WORKER: f"SIU({_PROGRESS})", API: f"SU({_PROGRESS})"},
    # Which card it is, and the key that proves it, are the supplier's.
    "issuance_carrier": READ
    | {
        PORTAL: "SIU(state seq person_id organisation_id article_id assurance_level puk_secret_id valid_from valid_to sent_at"
        " code_set_at code_blocked_at activated_at ended_at revocation_reason receipt_id device)",
        WORKER: "SIU",
        API: "SU(state seq card_serial card_key_spki card_key_sha256 mifare_id puk_secret_id sent_at activated_at ended_at"
        " revocation_reason)",
    },
    # Where a card lies stays as it was received. A revoked card ends its place in stock, in every process.
    "issuance_stockcard": READ
    | {
        PORTAL: "SIU(state seq received_at)",
        WORKER: "SIU(state seq received_at)",
        API: "SU(state seq)",
    },
    "issuance_stockcount": READ | {PORTAL: "SI"},
    # Attestors' numbers, which only the portal writes; workers compare attestations with their events.
    "issuance_attestation": {PORTAL: "SI", WORKER: "S", PKI: "S"},
    "issuance_stocklevel": READ | {PORTAL: "SIU"},
    # The worker finds rows of work, the portal decides about them. A row's place and cause stay as they were found.
    "issuance_workitem": READ
    | {
        PORTAL: "SU(state seq assignee_ref postponed_until reason decided_by_ref decided_at)",
        WORKER: "SIU",
    },
    "issuance_carerun": READ | {WORKER: "SIU"},
    # Counts of days stay as they were counted, and old ones are deleted.
    "issuance_dailyoutcome": {PORTAL: "S", WORKER: "SID"},
    "issuance_deliverytime": {PORTAL: "S", WORKER: "SID"},
    "issuance_cardreminder": READ | {PORTAL: "SI", WORKER: "SIU"},
    "issuance_eidnotice": READ | {PORTAL: "SI", WORKER: "SIU"},
    "issuance_eid": READ
    | {PORTAL: "SIU", WORKER: "SIU", API: "SU(state seq valid_from valid_to activated_at ended_at revocation_reason)"},
    # The link between certificate and order, inserted with the certificate requests. For a card that is activated the portal
    # stores what the card asks for; only the `pki` worker makes requests for certificates of it.
    "issuance_carriercertificate": READ | {PORTAL: "SI", API: "SI", WORKER: "SI"},
    # A request keeps its keys and the ids of its certificates. The card signs it again in a further transaction.
    "issuance_certificaterequest": READ | {PORTAL: "SIU(transaction_id csrs signature confirmation)"},
    # Who enrols, with what and on which terms stays as it was accepted. Revoking a carrier ends its enrolment.
    "issuance_mobileenrolment": READ
    | {
        PORTAL: "SIU(state seq second_log_in_at handle_sha256 device device_key_spki device_key_sha256 attestation"
        " step_token_sha256 carrier_id refusal wrong_proofs expires_at started_at code_set_at ended_at)",
        WORKER: "SU(state seq ended_at)",
        API: "SU(state seq ended_at)",
    },
    "issuance_mobilerequest": READ | {PORTAL: "SIU(confirmation confirmed_at)"},
    # What an officer signs stays as it was shown.
    "issuance_statement": READ | {PORTAL: "SIU(signature certificate_id signed_at)"},
    # Whom a card is handed out to stays as the first officer signed it.
    "issuance_reservecardissue": READ
    | {
        PORTAL: "SIU(state seq eid_id first_statement_id approver_ref approver_document identification_id second_statement_id"
        " rejection waiting_since waiting_until ended_at)",
        WORKER: "SU(state seq ended_at)",
    },
    "issuance_supplierevent": READ | {API: "SIUD", WORKER: "SIUD"},
    # Changes that suppliers read, inserted by the process that makes the change.
    "issuance_supplierchange": READ | {PORTAL: "SI", API: "SI", WORKER: "SI"},
    # The outbox of suppliers that are pushed to, and the connections with all suppliers.
    "issuance_pushdelivery": READ | {PORTAL: "SIU(state attempts next_at settled_at reason)", API: "SI", WORKER: "SIU"},
    "issuance_pushattempt": READ | {WORKER: "SI"},
    "issuance_pushanswer": READ | {WORKER: "SI"},
    "issuance_supplierconnection": READ | {PORTAL: "SIU(paused_at paused_by_ref)", API: "SIU(heard_at)", WORKER: "SIU"},
    "issuance_cardcustomisation": READ | {PORTAL: "SIU", WORKER: "SIU", API: "SU(logotype_id verified_at verified_by_ref)"},
    "issuance_document": _EVENTS,
    "issuance_receiptvalidation": READ | {WORKER: "SIU"},
    # Updates from the person register when the API reads an address.
    "issuance_person": READ
    | {
        PORTAL: "SIU",
        WORKER: "SIU",
        API: "SU(given_names given_name_in_use surname protected_person_indicator protected_population_record deceased"
        " is_protected sort_name register_read_at)",
    },
    # The worker deletes what nobody ordered from for a year.
    "issuance_orderdraft": READ | {PORTAL: "SIU", WORKER: "SIUD"},
    "issuance_personscope": READ | {PORTAL: "SIUD", WORKER: "SIUD", API: "SIUD"},
    # Revoking a card ends its activation.
    "issuance_eidapptransaction": READ | {PORTAL: "SIU", WORKER: "SIU", API: "SU(state seq ended_at)"},
    "issuance_preparedreceipt": READ | {PORTAL: "SIUD", WORKER: "SIUD", API: "SD"},
    # The tables of issuance with deletable rows.
    **dict.fromkeys(
        (
            "issuance_subscriptionfee",
            "issuance_issuingarea",
            "issuance_organisationoffice",
            "issuance_search",
            "issuance_certificatesearch",
            "issuance_masstrial",
            "issuance_extendedreach",
            "issuance_setupimport",
            "issuance_carrierimport",
            "issuance_photo",
            "issuance_cataloguename",
        ),
        READ | {PORTAL: "SIUD", WORKER: "SIUD"},
    ),
    # --- billing: drafts, unpriced facts and uploaded files are deleted. A trigger guards the counter.
    **{
        f"billing_{name}": {PORTAL: "SIUD", WORKER: "SIUD", PKI: "S"}
        for name in ("invoice", "invoiceline", "lineevent", "unpricedfact", "customerimport", "paymentfile", "priceimport")
    },
    # Numbers of before a restore, which only the replay of the journal enters.
    "billing_usednumber": {PORTAL: "S", WORKER: "SI", PKI: "S"},
    "billing_retentionrule": {PORTAL: "S", WORKER: "S", PKI: "S"},
    "billing_deliveryattempt": {PORTAL: "S", WORKER: "SI", PKI: "S"},
    **{
        f"billing_{name}": {PORTAL: "SI", WORKER: "SI", PKI: "S"}
        for name in ("creditrequestline", "entryrelease", "subscriptionevidence")
    },
    # --- authn: machine clients are registered by a command.
    "authn_idempotencyrecord": READ | {API: "SIUD", WORKER: "SIUD"},
    "authn_serviceclient": READ | {WORKER: "SIU"},
    "authn_clientcertificate": READ | {WORKER: "SIUD"},
    "authn_session": {PORTAL: "SIUD", WORKER: "SIUD", PKI: "S"},
    "authn_loginattempt": {PORTAL: "SIUD", WORKER: "SIUD", PKI: "S"},
    "django_migrations": READ,
}


# Privileges that no role gets in the tables of `lib.events`, whatever is declared.
_REFUSED = {"append_only": ("UPDATE", "DELETE"), "kept": ("DELETE",), "": ()}


def declared(tables: Mapping[str, str]) -> dict[tuple[str, str], set[str]]:
    """Returns the declared privileges by table and role, `UPDATE(column)` for a single column. `tables` is that of `tables()`.

    Raises LookupError if DEFAULTS lacks the application of a table.
    """
    found = {}
    for table, kind in tables.items():
        rights = _rights(table)
        for role in settings.DATABASE_ROLES:
            found[table, role] = {each for each in _parse(rights.get(role, "")) if not each.startswith(_REFUSED[kind])}
    return found


def _rights(table: str) -> Rights:
    if table in TABLES:
        return TABLES[table]
    for beginning, rights in DEFAULTS.items():
        if table.startswith(beginning):
            return rights
    raise LookupError(f"no privileges are declared for the table {table}: add it to siths_portal.wiring.privileges")


def _parse(letters: str) -> Iterator[str]:
    for letter, columns in re.findall(r"([SIUD])(?:\(([^)]*)\))?", letters):
        yield from (f"{LETTERS[letter]}({column})" for column in columns.split()) if columns else (LETTERS[letter],)


def tables() -> dict[str, str]:
    """Returns the kind of each of our tables by name: `append_only`, `kept` (both of `lib.events`) or ""."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return dict(cursor.fetchall())


def actual() -> dict[tuple[str, str], set[str]]:
    """Returns the privileges that are granted directly to our roles, in the form of `declared`."""
    names = {name: role for role, name in settings.DATABASE_ROLES.items()}
    found: dict[tuple[str, str], set[str]] = {(table, role): set() for table in tables() for role in settings.DATABASE_ROLES}
    with connection.cursor() as cursor:
        cursor.execute(_GRANTED, {"roles": list(names)})
        for table, grantee, privilege, column in cursor.fetchall():
            found.setdefault((table, names[grantee]), set()).add(f"{privilege}({column})" if column else privilege)
    return found


def apply() -> None:
    """Grants the declared privileges and revokes all others. Runs as the tables' owner. Raises LookupError for a missing role."""
    roles = settings.DATABASE_ROLES
    quoted = {role: connection.ops.quote_name(name) for role, name in roles.items()}
    everyone = ", ".join(sorted(set(quoted.values())))
    wanted = declared(tables())
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(roles.values())])
        if missing := set(roles.values()) - {name for (name,) in cursor.fetchall()}:
            raise LookupError(f"the database has no role {', '.join(sorted(missing))}: see docs/operations.md, Database roles")
        if wanted == actual():
            return
        statements = [f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {everyone}"]
        statements += [f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {everyone}"]
        for (table, role), privileges in wanted.items():
            if privileges:
                statements.append(f"GRANT {_list(privileges)} ON {connection.ops.quote_name(table)} TO {quoted[role]}")
        cursor.execute(";".join(statements))


def _list(privileges: Iterable[str]) -> str:
    return ", ".join(sorted(privileges))


_TABLES = """
SELECT c.relname, coalesce((
  SELECT substr(t.tgname, length(c.relname) + 2) FROM pg_trigger t
  WHERE t.tgrelid = c.oid AND t.tgname IN (c.relname || '_append_only', c.relname || '_kept') ORDER BY 1 LIMIT 1
), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1
"""
_GRANTED = """
SELECT c.relname, r.rolname, acl.privilege_type, NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
CROSS JOIN LATERAL aclexplode(c.relacl) AS acl JOIN pg_roles r ON r.oid = acl.grantee
WHERE c.relkind IN ('r', 'p') AND r.rolname = ANY(%(roles)s)
UNION ALL
SELECT c.relname, r.rolname, acl.privilege_type, a.attname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
CROSS JOIN LATERAL aclexplode(a.attacl) AS acl JOIN pg_roles r ON r.oid = acl.grantee
WHERE c.relkind IN ('r', 'p') AND r.rolname = ANY(%(roles)s)
"""
