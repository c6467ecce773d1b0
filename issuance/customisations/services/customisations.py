"""Card customisations (rules/issuance 7.6): created and edited by the administration, verified by the area's issuer (ADR 0189).

Verification covers what is printed: logotype, issuer number and back text. Any change of these, or of the supplier that prints
them, ends the verification, and orders wait for a new one (`order_checks.ready_customisation`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from authn import service as authn
from issuance.authz import Action, Actor, policy
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.effective import effective_customisations, prints
from issuance.customisations.services.request_versions import CLOSED, require_seen
from issuance.organisations.models import Organisation
from issuance.records.services.editing import edit, insert, line, lines, record, refuse
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.registry import Registry

BACK_LINES, BACK_WIDTH = 8, 45
BACK_TEXT_TOO_LONG = f"Kortets baksida rymmer {BACK_LINES} rader med högst {BACK_WIDTH} tecken i varje."
"""The space for back text on a card: lines, and characters per line."""

PARTS = ("supplier", "logotype", "issuer_number", "back_text")
"""What a customisation needs before it can be verified, in the order of the page."""

ON_CHANGE = Registry[Callable[[CardCustomisation, "PrintChange"], None]]()
"""What the packages above do when the print, the supplier or the verification of a customisation changes."""

ON_FIRST_SUPPLIER = Registry[Callable[[CardCustomisation], None]]()
"""What the packages above do when a customisation without a supplier gets its first one."""

_REGISTERED = "customisation.registered"
_ID = re.compile(r"\d{10}", re.ASCII)
_ISSUER_NUMBER = re.compile(r"\d{4}", re.ASCII)
_PRINTED = ("issuer_number", "back_text")
_TAKEN = ("customisation-exists", "Det finns redan en kortanpassning med detta kortanpassnings-id.")


@dataclass(frozen=True)
class CustomisationData:
    """A customisation's data, as typed. Issuer number and back text may be added later.

    `supplier_ref` is the only supplier that makes such cards; each customisation has one.
    """

    name: str
    issuer_number: str = ""
    back_text: str = ""
    supplier_ref: str = ""

    def checked(self) -> "CustomisationData":
        """Returns the data in normal form, with composed lines. Raises Invalid with every field that is wrong."""
        found = {"issuer_number": self.issuer_number.strip(), "supplier_ref": self.supplier_ref.strip()}
        wrong: dict[str, list[str]] = {}
        if not found["supplier_ref"]:
            wrong["supplier_ref"] = ["Välj kortleverantör."]
        if found["issuer_number"] and not _ISSUER_NUMBER.fullmatch(found["issuer_number"]):
            wrong["issuer_number"] = ["Skriv utfärdarnumret med 4 siffror."]
        checks: dict[str, Callable[[], str]] = {
            "name": lambda: line(self.name, "name", longest=100, missing="Ange kortanpassningens namn."),
            "back_text": lambda: checked_back_text(self.back_text),
        }
        for field, check in checks.items():
            try:
                found[field] = check()
            except Invalid as error:
                wrong |= error.fields
        refuse(wrong)
        return CustomisationData(**found)


@dataclass(frozen=True)
class PrintChange:
    """A change that suppliers of the customisation act on. `printed` means other text or logotype on the card, `verified` that
    the issuer has verified it. `former_supplier` made its cards before, and is the present supplier if that stays.
    """

    former_supplier: str
    printed: bool = False
    verified: bool = False


@dataclass(frozen=True)
class Seen:
    """What the verifier saw: the row's version, and the SHA-256 of the logotype, empty without one."""

    version: int
    logotype_sha256: str


def missing(row: CardCustomisation) -> tuple[str, ...]:
    """Returns the PARTS that the customisation lacks."""
    has = {
        "supplier": row.supplier_ref,
        "logotype": row.logotype_id is not None,
        "issuer_number": row.issuer_number,
        "back_text": row.back_text,
    }
    return tuple(part for part in PARTS if not has[part])


@transaction.atomic(durable=True)
def register_customisation(
    *,
    actor: Actor,
    organisation_id: UUID,
    customisation_id: str,
    name: str,
    issuer_number: str,
    back_text: str,
    supplier_ref: str,
    request_version: int | None = None,
) -> CardCustomisation:
    """Creates an unverified card customisation for an organisation, or reuses one that was removed (ADR 0189).

    If another customisation is ready for the organisation's cards, that one applies until the new one is verified for the first
    time. A removed customisation with the same id, which no open organisation has, is reused with the new data. This closes the
    organisation's request that was read at `request_version`; None skips the check. Raises NotFound, Forbidden, Invalid by field,
    Conflict (id taken, or the organisation has its own customisation, pending included), Outdated if the request has changed or
    closed since.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True).select_related("customisation")
    organisation = policy.get(actor, Action.VIEW, rows, organisation_id)
    if organisation.customisation is not None and not organisation.customisation.generic:
        raise Conflict("own-customisation", "Organisationen har redan en egen kortanpassning. Redigera den i stället.")
    if organisation.pending_customisation_id is not None:
        message = "En egen kortanpassning väntar redan på verifiering. Redigera den, eller ta bort den först."
        raise Conflict("pending-customisation", message)
    require_seen(organisation, request_version)
    new_row = _new(actor, customisation_id, CustomisationData(name, issuer_number, back_text, supplier_ref))
    where = {"organisation": str(organisation.id)}
    row = _reused(new_row, actor, where)
    if row is None:
        row = new_row
        insert(row, *_TAKEN, field="customisation_id")
        record(actor, _REGISTERED, row, **_facts_of(row), **where)
    current = effective_customisations([organisation]).get(organisation.id)
    if current is not None and prints(current):
        set_customisations(actor, organisation, pending_customisation_id=row.id)
    else:
        set_customisations(actor, organisation, customisation_id=row.id)
    answer_request(actor, organisation)
    return row


@transaction.atomic(durable=True)
def register_generic_customisation(
    *, actor: Actor, customisation_id: str, name: str, issuer_number: str, back_text: str, supplier_ref: str
) -> CardCustomisation:
    """Creates the unverified generic card customisation (ADR 0189).

    Raises Forbidden, Invalid by field, Conflict (id taken, or there is a generic one already).
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    if CardCustomisation.objects.filter(generic=True).exists():
        raise Conflict("generic-exists", "Den generella kortanpassningen finns redan.")
    row = _new(actor, customisation_id, CustomisationData(name, issuer_number, back_text, supplier_ref))
    row.generic = True
    insert(row, *_TAKEN, field="customisation_id")
    record(actor, _REGISTERED, row, **_facts_of(row))
    return row


@transaction.atomic(durable=True)
def edit_customisation(*, actor: Actor, customisation_id: UUID, version: int, data: CustomisationData) -> CardCustomisation:
    """Edits a customisation that was read at `version`. A new issuer number, back text or supplier ends its verification.

    A new supplier gets future orders; the previous one still reads the customisation while it has orders to make. The first
    supplier of a customisation that had none also gets the queued orders. Raises NotFound, Forbidden, Invalid by field, Outdated.
    """
    row = _locked(actor, Action.CREATE_ORGANISATION, customisation_id)
    changes: dict[str, object] = asdict(data.checked())
    refuse(_wrong_supplier(actor, data.supplier_ref, now=row.supplier_ref))
    change = PrintChange(row.supplier_ref, printed=any(getattr(row, name) != changes[name] for name in _PRINTED))
    another_supplier = row.supplier_ref not in ("", changes["supplier_ref"])
    if row.verified_at is not None and (another_supplier or change.printed):
        changes |= {"verified_at": None, "verified_by_ref": ""}
    orphaned = not row.supplier_ref
    edit(row, version=version, changes=changes, actor=actor, action="customisation.changed", facts=organisation_fact(row))
    if orphaned:
        for give_orders in ON_FIRST_SUPPLIER:
            give_orders(row)
    _follow(row, change)
    return row


def _follow(row: CardCustomisation, change: PrintChange) -> None:
    """Calls the packages above if the change is one that suppliers act on."""
    if change.printed or change.verified or change.former_supplier != row.supplier_ref:
        for follow in ON_CHANGE:
            follow(row, change)


@transaction.atomic(durable=True)
def verify_customisation(*, actor: Actor, customisation_id: UUID, seen: Seen | None = None) -> CardCustomisation:
    """Confirms logotype, issuer number and back text. A pending customisation then becomes its organisation's own.

    The issuer of the organisation verifies; the administration verifies the generic one, for every area. Does nothing if it is
    verified. `seen` is what the page showed; None skips the check. Raises NotFound, Forbidden, Conflict if something is missing
    or has changed since.
    """
    generic = CardCustomisation.objects.filter(pk=customisation_id, generic=True).exists()
    if generic:
        policy.require_global(actor, Action.CREATE_ORGANISATION)
    row = _locked(actor, Action.CREATE_ORGANISATION if generic else Action.VERIFY_CUSTOMISATION, customisation_id)
    if seen is not None and seen != Seen(row.version, row.logotype_id or ""):
        raise Conflict("changed-meanwhile", "Kortanpassningen ändrades sedan du öppnade sidan. Granska den igen.")
    if missing(row):
        raise Conflict("customisation-incomplete", "Kortanpassningen är inte klar. Den kan verifieras när inget saknas.")
    if row.verified_at is None:
        row.verified_at, row.verified_by_ref = clock.now(), actor.ref
        row.save(update_fields=["verified_at", "verified_by_ref"])
        facts = {"issuer_number": row.issuer_number, "logotype_sha256": row.logotype_id, **organisation_fact(row)}
        record(actor, "customisation.verified", row, **facts)
        _follow(row, PrintChange(row.supplier_ref, verified=True))
        _activate_pending(actor, row)
    return row


def _activate_pending(actor: Actor, row: CardCustomisation) -> None:
    """Makes a locked, verified customisation its organisation's own if it is pending there."""
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = rows.filter(pending_customisation=row).first()
    if organisation is not None:
        set_customisations(actor, organisation, customisation_id=row.id, pending_customisation_id=None)


def set_customisations(actor: Actor, organisation: Organisation, **changes: UUID | None) -> None:
    """Sets `customisation_id`, `pending_customisation_id` or both of a locked organisation in the caller's transaction.

    This is an edit of the organisation, so users with its form open see the conflict (ADR 0180).
    """
    edit(organisation, version=organisation.version, changes=changes, actor=actor, action="organisation.changed")


def answer_request(actor: Actor, organisation: Organisation) -> bool:
    """Closes an organisation's open request, with an event, in the caller's transaction.

    Returns True if there was one (ADR 0189).
    """
    rows = CustomisationRequest.objects.filter(organisation=organisation, answered_at=None)
    if not rows.update(answered_at=clock.now()):
        return False
    record(actor, CLOSED, organisation)
    return True


def generic_customisation() -> UUID | None:
    """Returns the id of the generic customisation, or None."""
    return CardCustomisation.objects.filter(generic=True).values_list("pk", flat=True).first()


def organisation_fact(row: CardCustomisation) -> dict[str, str]:
    """Returns the organisation that has or will have the customisation, as an event fact; empty for the generic one."""
    having = Organisation.objects.filter(Q(customisation=row) | Q(pending_customisation=row))
    first = None if row.generic else having.order_by("scope_path").first()
    return {"organisation": str(first.id)} if first else {}


def _new(actor: Actor, customisation_id: str, data: CustomisationData) -> CardCustomisation:
    """Returns an unsaved row. Raises Invalid with every field that is wrong."""
    wrong = {} if _ID.fullmatch(customisation_id.strip()) else {"customisation_id": ["Skriv kortanpassnings-id, 10 siffror."]}
    wrong |= _wrong_supplier(actor, data.supplier_ref)
    try:
        data = data.checked()
    except Invalid as error:
        wrong |= error.fields
    refuse(wrong)
    return CardCustomisation(customisation_id=customisation_id.strip(), **asdict(data))


def _reused(new_row: CardCustomisation, actor: Actor, where: Mapping[str, str]) -> CardCustomisation | None:
    """Reuses the row with the same id that no open organisation has, with an event of its old and new values.

    Returns None if there is no such row. Closed organisations that have it lose it (ADR 0189).
    """
    rows = CardCustomisation.objects.select_for_update(of=("self",), no_key=True)
    row = rows.filter(customisation_id=new_row.customisation_id, generic=False).first()
    having = Q(customisation=row) | Q(pending_customisation=row)
    if row is None or Organisation.objects.filter(having, closed_at=None).exists():
        return None
    ended = Organisation.objects.select_for_update(of=("self",), no_key=True).filter(having).order_by("pk")
    for each in list(ended):
        had = [name for name in ("customisation_id", "pending_customisation_id") if getattr(each, name) == row.id]
        set_customisations(actor, each, **dict.fromkeys(had))
    changes = {
        name: getattr(new_row, name) for name in (*CustomisationData.__dataclass_fields__, "verified_at", "verified_by_ref")
    }
    facts = {**_facts_of(new_row), **where}
    change = PrintChange(row.supplier_ref, printed=any(getattr(row, name) != changes[name] for name in _PRINTED))
    if not edit(row, version=row.version, changes=changes, actor=actor, action=_REGISTERED, facts=facts):
        record(actor, _REGISTERED, row, **facts)
    _follow(row, change)
    return row


def _facts_of(row: CardCustomisation) -> dict[str, str]:
    """Returns the non-empty values of a new customisation, for its first event."""
    new_row = {name: getattr(row, name) for name in ("customisation_id", *CustomisationData.__dataclass_fields__)}
    return {name: value for name, value in new_row.items() if value}


def _wrong_supplier(actor: Actor, supplier_ref: str, *, now: str = "") -> dict[str, list[str]]:
    """Returns an error by field if a person chose an unregistered supplier that the row did not have before."""
    if actor.kind != "user" or supplier_ref in ("", now) or supplier_ref in authn.suppliers():
        return {}
    return {"supplier_ref": ["Välj en kortleverantör i listan."]}


def checked_back_text(given: str) -> str:
    """Returns a back text in normal form. Raises Invalid at `back_text` if it does not fit on a card or cannot be printed."""
    text = lines(given, "back_text", longest=BACK_LINES * (BACK_WIDTH + 1))
    each = text.split("\n")
    if len(each) > BACK_LINES or max(map(len, each)) > BACK_WIDTH:
        raise Invalid("back-text", BACK_TEXT_TOO_LONG, fields={"back_text": [BACK_TEXT_TOO_LONG]})
    return text


def _locked(actor: Actor, action: Action, customisation_id: UUID) -> CardCustomisation:
    rows = CardCustomisation.objects.select_for_update(of=("self",), no_key=True)
    return policy.get(actor, action, rows, customisation_id)
