"""Offices (rules/issuance 7.5) and the organisations that may choose them."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, ScopedQuerySet, policy
from issuance.offices.models import Office, OrganisationOffice
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.tree import lock_tree
from issuance.records.models.events import Event
from issuance.records.services.editing import edit, insert, line, record
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict, Invalid

_POSTAL_CODE = re.compile(r"([1-9]\d{2}) ?(\d{2})", re.ASCII)
_POSTAL_CODE_ERROR = "Skriv postnumret med 5 siffror, till exempel 501 80. Det börjar aldrig med 0."


@dataclass(frozen=True)
class OfficeAddress:
    """A delivery address (leveransadress), for offices that receive bundles of cards. Only `internal_recipient` is optional."""

    recipient_organisation: str = ""
    internal_recipient: str = ""
    street_address: str = ""
    postal_code: str = ""
    city: str = ""


@dataclass(frozen=True)
class OfficeData:
    """An office's data, as typed. An address with only empty lines means no address."""

    name: str
    invoice_comment: str
    address: OfficeAddress = OfficeAddress()

    def checked(self) -> "OfficeData":
        """Returns the data in normal form: lines composed, postal code as 501 80.

        Raises Invalid with every field that is wrong.
        """
        given = {"name": self.name, "invoice_comment": self.invoice_comment, **asdict(self.address)}
        addressed = any(text.strip() for text in asdict(self.address).values())
        found: dict[str, str] = dict(given)
        wrong: dict[str, list[str]] = {}
        for field, (longest, missing) in _LINES.items():
            needed = field in ("name", "invoice_comment") or addressed
            try:
                found[field] = line(given[field], field, longest=longest, missing=missing if needed else "")
            except Invalid as error:
                wrong |= error.fields
        if addressed and "postal_code" not in wrong:
            parts = _POSTAL_CODE.fullmatch(found["postal_code"])
            if parts is None:
                wrong["postal_code"] = [_POSTAL_CODE_ERROR]
            else:
                found["postal_code"] = f"{parts[1]} {parts[2]}"
        if wrong:
            field = next(iter(wrong))
            raise Invalid(field.replace("_", "-"), wrong[field][0], fields=wrong)
        return OfficeData(found.pop("name"), found.pop("invoice_comment"), OfficeAddress(**found))

    @property
    def columns(self) -> dict[str, str]:
        """The values by column."""
        return {"name": self.name, "invoice_comment": self.invoice_comment, **asdict(self.address)}


_LINES = {
    "name": (100, "Ange kontorets namn."),
    "invoice_comment": (100, "Skriv den text som ska stå på fakturan."),
    "recipient_organisation": (100, "Ange mottagande organisation, eller lämna hela leveransadressen tom."),
    "internal_recipient": (100, ""),
    "street_address": (100, "Ange gatuadress, eller lämna hela leveransadressen tom."),
    "postal_code": (10, "Ange postnummer, eller lämna hela leveransadressen tom."),
    "city": (60, "Ange postort, eller lämna hela leveransadressen tom."),
}


def create_office(
    *,
    actor: Actor,
    area_id: UUID,
    name: str,
    invoice_comment: str,
    address: OfficeAddress | None = None,
    office_number: str = "",
    organisation_ids: Iterable[UUID] = (),
) -> Office:
    """Creates an office in an area, with its own ten-digit number, and connects it to `organisation_ids`: all or nothing.

    Raises NotFound, Forbidden, Invalid by field, Conflict (number taken, or an open office of the area has the name, for example
    because the form was sent twice), and what `connect_organisations` raises.
    """
    data, connected_ids = OfficeData(name, invoice_comment, address or OfficeAddress()), set(organisation_ids)
    with transaction.atomic(durable=True):
        lock_tree()  # first, in the lock order of connecting offices; also keeps the area from being removed
        office = make_office(actor=actor, area_id=area_id, data=data, office_number=office_number)
        if connected_ids:
            link_organisations(actor=actor, office_id=office.id, organisation_ids=connected_ids)
        return office


def make_office(*, actor: Actor, area_id: UUID, data: OfficeData, office_number: str = "") -> Office:
    """Does the work of `create_office` in the caller's transaction, without connections."""
    area = policy.get(actor, Action.EDIT_OFFICE, IssuingArea.objects, area_id)
    data = data.checked()
    _lock_names(area.id)
    _require_free_name(area.id, data.name)
    number = office_number or str(secrets.randbelow(9 * 10**9) + 10**9)
    office = Office(area=area, office_number=number, **data.columns)
    insert(office, "office-number-taken", "Kontoret skapades inte. Försök igen.")
    record(actor, "office.created", office, **{name: value for name, value in data.columns.items() if value})
    return office


@transaction.atomic(durable=True)
def edit_office(*, actor: Actor, office_id: UUID, version: int, data: OfficeData) -> Office:
    """Edits an office that was read at `version`. Closed offices can be edited, because their invoice lines may still be issued.

    Raises NotFound, Forbidden, Invalid by field, Outdated, Conflict if another open office of the area has the name.
    """
    _lock_names(policy.get(actor, Action.EDIT_OFFICE, Office.objects, office_id).area_id)
    office, data = policy.get(actor, Action.EDIT_OFFICE, _rows(), office_id), data.checked()
    if office.closed_at is None and data.name != office.name:
        _require_free_name(office.area_id, data.name, but=office.id)
    edit(office, version=version, changes=data.columns, actor=actor, action="office.changed")
    return office


@transaction.atomic(durable=True)
def close_office(*, actor: Actor, office_id: UUID) -> Office:
    """Closes an office for new orders. Does nothing if it is closed. Raises NotFound, Forbidden."""
    office = policy.get(actor, Action.EDIT_OFFICE, _rows(), office_id)
    if office.closed_at is None:
        office.closed_at = clock.now()
        office.save(update_fields=["closed_at"])
        record(actor, "office.closed", office)
    return office


@transaction.atomic(durable=True)
def reopen_office(*, actor: Actor, office_id: UUID) -> Office:
    """Reopens a closed office with its number, address and connections (ADR 0183). Does nothing if it is open.

    Raises NotFound, Forbidden, Conflict if an open office of the area has taken its name.
    """
    _lock_names(policy.get(actor, Action.EDIT_OFFICE, Office.objects, office_id).area_id)
    office = policy.get(actor, Action.EDIT_OFFICE, _rows(), office_id)
    if office.closed_at is not None:
        _require_free_name(office.area_id, office.name, but=office.id)
        office.closed_at = None
        office.save(update_fields=["closed_at"])
        record(actor, "office.reopened", office)
    return office


def connect_office(*, actor: Actor, organisation_id: UUID, office_id: UUID) -> None:
    """Allows an organisation to choose an office of its own area. Repeating it changes nothing. Raises like `connect_offices`."""
    connect_offices(actor=actor, organisation_id=organisation_id, office_ids=[office_id])


@transaction.atomic(durable=True)
def connect_offices(*, actor: Actor, organisation_id: UUID, office_ids: Iterable[UUID]) -> int:
    """Allows an organisation to choose offices of its own area, all or none. Returns the number of new connections.

    Raises NotFound, Forbidden, Invalid (no office, or one of another area), Conflict if one is closed.
    """
    lock_tree()  # a concurrent move to another area would leave the offices behind
    organisation = policy.get(actor, Action.LINK_OFFICE, Organisation.objects, organisation_id)
    ids = set(office_ids)
    offices = list(_rows().filter(pk__in=ids, area=organisation.area_id).order_by("pk"))
    if not ids or len(offices) < len(ids):
        raise _wrong("office", "Markera kontor." if not ids else "Kontoret hör till ett annat utgivningsområde.")
    return _connect(actor, [(office, organisation.id) for office in offices])


@transaction.atomic(durable=True)
def connect_organisations(*, actor: Actor, office_id: UUID, organisation_ids: Iterable[UUID]) -> int:
    """Allows organisations of an office's area to choose it, all or none. Returns the number of new connections.

    Raises NotFound, Forbidden, Invalid (no organisation, one of another area, or one outside the actor's scope), Conflict if the
    office is closed.
    """
    lock_tree()
    office = policy.get(actor, Action.VIEW_CONFIGURATION, _rows(), office_id)
    return _link(actor, office, organisation_ids)


def link_organisations(*, actor: Actor, office_id: UUID, organisation_ids: Iterable[UUID]) -> int:
    """Does the work of `connect_organisations` in the caller's transaction, for an office in `offices_to_connect`."""
    lock_tree()
    office = _rows().filter(pk__in=offices_to_connect(actor).values("pk")).filter(pk=office_id).first()
    if office is None:
        raise policy.not_found()
    return _link(actor, office, organisation_ids)


def offices_to_connect(actor: Actor) -> ScopedQuerySet[Office]:
    """Returns the offices to which the actor can connect some organisation.

    These are the offices that the actor sees, and the open offices of every area where the actor may connect an organisation,
    even if the area itself is above the actor's scope (ADR 0183).
    """
    seen = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).values("pk")
    areas = Organisation.objects.visible_to(actor, Action.LINK_OFFICE).order_by().values("area")
    return Office.objects.get_queryset().filter(Q(pk__in=seen) | Q(closed_at=None, area__in=areas))


def _link(actor: Actor, office: Office, organisation_ids: Iterable[UUID]) -> int:
    if actor.kind == "user":
        policy.reach(actor, Action.LINK_OFFICE)
    ids = set(organisation_ids)
    rows = Organisation.objects.visible_to(actor, Action.LINK_OFFICE).filter(pk__in=ids, area=office.area_id)
    found = list(rows.order_by("pk").values_list("pk", flat=True))
    if not ids or len(found) < len(ids):
        unavailable = "En av organisationerna går inte längre att koppla. Ladda om sidan och välj igen."
        raise _wrong("organisation", unavailable if ids else "Markera organisationer.")
    return _connect(actor, [(office, pk) for pk in found])


@transaction.atomic(durable=True)
def disconnect_office(*, actor: Actor, organisation_id: UUID, office_id: UUID) -> OrganisationOffice | None:
    """Ends the permission of an organisation to choose an office. Existing orders keep the office.

    Returns the former connection, or None if there was none. Raises NotFound, Forbidden.
    """
    lock_tree()
    organisation = policy.get(actor, Action.LINK_OFFICE, Organisation.objects, organisation_id)
    link = OrganisationOffice.objects.select_related("office").filter(organisation=organisation, office=office_id).first()
    if link is None:
        return None
    link.organisation = organisation
    link.delete()
    record(actor, "office.disconnected", link.office, organisation=str(organisation.id))
    return link


def _lock_names(area_id: UUID) -> None:
    """Serialises changes of office names in an area, so two concurrent offices cannot take the same name.

    Must be taken before any office is locked.
    """
    lock_until_commit(f"{Office._meta.db_table}.name {area_id}")


def _require_free_name(area_id: UUID, name: str, *, but: UUID | None = None) -> None:
    """Raises Conflict if an open office of the area other than `but` has the name, ignoring case (ADR 0183).

    The caller has locked the area's names.
    """
    if Office.objects.filter(~Q(pk=but), area=area_id, name__iexact=name, closed_at=None).exists():
        message = "Det finns redan ett kontor med namnet i utgivningsområdet. Skriv ett annat namn."
        raise Conflict("office-exists", message, fields={"name": [message]})


def _rows() -> QuerySet[Office]:
    return Office.objects.select_for_update(of=("self",), no_key=True)


def _connect(actor: Actor, pairs: list[tuple[Office, UUID]]) -> int:
    """Connects the pairs that are not connected, each with its event. The caller has locked the tree."""
    office_ids, organisation_ids = [office.id for office, _ in pairs], [pk for _, pk in pairs]
    existing = OrganisationOffice.objects.filter(office__in=office_ids, organisation__in=organisation_ids)
    connected = set(existing.values_list("office_id", "organisation_id"))
    new = [(office, pk) for office, pk in pairs if (office.id, pk) not in connected]
    if any(office.closed_at for office, _ in new):
        message = "Kontoret är stängt. Välj ett annat."
        raise Conflict("office-closed", message, fields={"office": [message]})
    OrganisationOffice.objects.bulk_create(OrganisationOffice(office=office, organisation_id=pk) for office, pk in new)
    Event.record_each(
        ((str(office.id), {"organisation": str(pk)}) for office, pk in new),
        at=clock.now(),
        actor_ref=actor.ref,
        action="office.connected",
        subject_type="office",
    )
    return len(new)


def _wrong(field: str, message: str) -> Invalid:
    code = "office-of-another-area" if field == "office" else "organisation-not-connectable"
    return Invalid(code, message, fields={field: [message]})


def disconnect_offices(actor: Actor, top: Organisation) -> None:
    """Disconnects the offices of an organisation and of those below it, in the caller's transaction.

    Used when the organisation is closed or moves to another area, because an office belongs to one area.
    """
    connections = OrganisationOffice.objects.filter(organisation__scope_path__startswith=top.scope_path)
    pairs = list(connections.order_by("id").values_list("office_id", "organisation_id"))
    connections.delete()
    Event.record_each(
        ((str(office), {"organisation": str(organisation)}) for office, organisation in pairs),
        at=clock.now(),
        actor_ref=actor.ref,
        action="office.disconnected",
        subject_type="office",
    )
