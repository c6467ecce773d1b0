"""What is configured: the tree of areas and organisations, offices, articles, card customisations, fees, receipt texts.

`scope_path` is written by create and move alone. Each change is one event.
"""

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Concat, Substr

from issuance.authz import Action, Actor, policy
from issuance.domain.ids import parse_hsa_id, parse_organisation_number
from issuance.models import (
    Article,
    CardCustomisation,
    Event,
    IssuingArea,
    Office,
    Organisation,
    OrganisationArticle,
    OrganisationOffice,
    ReceiptText,
    SubscriptionFee,
)
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid


@transaction.atomic(durable=True)
def create_area(*, actor: Actor, name: str, invoice_reference: str = "") -> IssuingArea:
    """Makes an issuing area, still without an issuing organisation. Raises Forbidden, Conflict if the name is taken."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    area = IssuingArea(name=name, invoice_reference=invoice_reference, created_at=clock.now())
    area.scope_path = f"/{segment('a', area.id)}/"
    _insert(area, "area-exists", "Det finns redan ett utgivningsområde med namnet.")
    _record(actor, "area.created", area, name=name, invoice_reference=invoice_reference)
    return area


@transaction.atomic(durable=True)
def create_organisation(
    *,
    actor: Actor,
    area_id: UUID,
    name: str,
    hsa_id: str,
    organisation_number: str,
    county: str = "",
    parent_id: UUID | None = None,
    issuing: bool = False,
) -> Organisation:
    """Makes an organisation in an area, or a sub-organisation below `parent_id`; `issuing` makes it the area's issuer.

    Raises NotFound, Forbidden, Invalid (HSA-id, organisation number), Conflict if the HSA-id is another organisation's.
    """
    _lock_tree()
    if parent_id is None:
        policy.require_global(actor, Action.CREATE_ORGANISATION)
        parent = None
        area = policy.get(actor, Action.VIEW, IssuingArea.objects.all(), area_id)
    else:
        parent = policy.get(actor, Action.CREATE_SUB_ORGANISATION, Organisation.objects.select_for_update(no_key=True), parent_id)
        area = IssuingArea.objects.get(pk=parent.area_id)
    organisation = Organisation(
        area=area,
        parent=parent,
        name=name,
        hsa_id=_parsed(_hsa_id, hsa_id, "hsa_id", "HSA-id har fel form."),
        organisation_number=_parsed(
            parse_organisation_number, organisation_number, "organisation_number", "Organisationsnumret är fel."
        ),
        county=county,
        created_at=clock.now(),
    )
    organisation.scope_path = child_path(parent or area, organisation)
    _insert(organisation, "organisation-exists", "HSA-id tillhör redan en annan organisation.")
    if issuing:
        IssuingArea.objects.filter(pk=area.pk).update(issuing_organisation=organisation)
    _record(actor, "organisation.created", organisation, hsa_id=organisation.hsa_id, name=name, issuing=issuing)
    return organisation


@transaction.atomic(durable=True)
def move_organisation(
    *, actor: Actor, organisation_id: UUID, parent_id: UUID | None, area_id: UUID | None = None
) -> Organisation:
    """Moves an organisation with everything below it to another parent, or to the top of an area.

    Raises NotFound, Forbidden, Conflict if it would come below itself.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    _lock_tree()
    moved = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    target: Organisation | IssuingArea
    if parent_id is not None:
        target = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), parent_id)
        area, parent = IssuingArea.objects.get(pk=target.area_id), target
    else:
        target = policy.get(actor, Action.VIEW, IssuingArea.objects.all(), area_id or moved.area_id)
        area, parent = target, None
    before = moved.scope_path
    if target.scope_path.startswith(before):
        raise Conflict("organisation-below-itself", "En organisation kan inte flyttas till en egen underorganisation.")
    after = child_path(target, moved)
    Organisation.objects.filter(scope_path__startswith=before).update(
        scope_path=Concat(Value(after), Substr("scope_path", len(before) + 1)), area=area
    )
    Organisation.objects.filter(pk=moved.pk).update(parent=parent)
    _record(actor, "organisation.moved", moved, before=before, after=after)
    moved.refresh_from_db()
    return moved


@transaction.atomic(durable=True)
def set_subscription_fee(*, actor: Actor, organisation_id: UUID, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    """Sets Abonnemangsavgift from a moment on. The same value again changes nothing; Conflict for another at that moment."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    organisation = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    fee, made = SubscriptionFee.objects.get_or_create(
        organisation=organisation, valid_from=valid_from, defaults={"charged": charged}
    )
    if fee.charged != charged:
        raise Conflict("fee-already-set", "Abonnemangsavgiften är redan bestämd för den tidpunkten.")
    if made:
        _record(actor, "organisation.fee_set", organisation, charged=charged, valid_from=valid_from.isoformat())
    return fee


@dataclass(frozen=True)
class OfficeAddress:
    """Leveransadress: only for an office that receives bundles of cards."""

    recipient_organisation: str
    internal_recipient: str
    street_address: str
    postal_code: str
    city: str


@transaction.atomic(durable=True)
def create_office(
    *, actor: Actor, area_id: UUID, name: str, invoice_comment: str, address: OfficeAddress | None = None, office_number: str = ""
) -> Office:
    """Makes an office in an area with a ten-digit number of its own. Raises NotFound, Forbidden, Conflict (number taken)."""
    area = policy.get(actor, Action.EDIT_OFFICE, IssuingArea.objects.all(), area_id)
    fields = vars(address) if address else {}
    number = office_number or str(secrets.randbelow(9 * 10**9) + 10**9)
    office = Office(area=area, name=name, invoice_comment=invoice_comment, office_number=number, **fields)
    _insert(office, "office-number-taken", "Kontorsid är upptaget. Försök igen.")
    _record(actor, "office.created", office, name=name, invoice_comment=invoice_comment)
    return office


@transaction.atomic(durable=True)
def connect_office(*, actor: Actor, organisation_id: UUID, office_id: UUID) -> None:
    """Lets an organisation choose an office of its own area; again changes nothing. Raises NotFound, Forbidden, Invalid."""
    organisation = policy.get(actor, Action.LINK_OFFICE, Organisation.objects.all(), organisation_id)
    office = Office.objects.filter(pk=office_id, area=organisation.area_id).first()
    if office is None:
        message = "Kontoret hör till ett annat utgivningsområde."
        raise Invalid("office-of-another-area", message, fields={"office": [message]})
    _, made = OrganisationOffice.objects.get_or_create(organisation=organisation, office=office)
    if made:
        _record(actor, "office.connected", office, organisation=str(organisation.id))


@transaction.atomic(durable=True)
def close_office(*, actor: Actor, office_id: UUID) -> Office:
    """Closes an office for new orders; a closed one stays closed. Raises NotFound, Forbidden."""
    office = policy.get(actor, Action.EDIT_OFFICE, Office.objects.select_for_update(of=("self",), no_key=True), office_id)
    if office.closed_at is None:
        office.closed_at = clock.now()
        office.save(update_fields=["closed_at"])
        _record(actor, "office.closed", office)
    return office


@dataclass(frozen=True)
class ArticleData:
    """An article as it is registered; its code is the number, with `-REK` for the registered-mail variant."""

    number: str
    name: str
    kind: str
    orientation: str
    photo: bool
    registered_mail: bool
    valid_from: dt.date

    @property
    def code(self) -> str:
        """The article's code."""
        return f"{self.number}-REK" if self.registered_mail else self.number


@transaction.atomic(durable=True)
def register_article(*, actor: Actor, article: ArticleData) -> Article:
    """Adds an article; the same again changes nothing. Raises Forbidden, Conflict if the code is another article's."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    values = vars(article)
    row, made = Article.objects.get_or_create(code=article.code, defaults=values)
    if any(getattr(row, name) != value for name, value in values.items()):
        raise Conflict("article-exists", "Artikelnumret finns redan med andra uppgifter.")
    if made:
        _record(actor, "article.registered", row, name=article.name)
    return row


@transaction.atomic(durable=True)
def offer_article(*, actor: Actor, organisation_id: UUID, article_code: str, orderable: bool) -> None:
    """Sets whether an organisation may order an article (Beställningsbar). Raises NotFound, Forbidden, Invalid."""
    organisation = policy.get(actor, Action.CHOOSE_ARTICLES, Organisation.objects.all(), organisation_id)
    if not Article.objects.filter(pk=article_code).exists():
        message = "Artikeln finns inte."
        raise Invalid("unknown-article", message, fields={"article": [message]})
    row, made = OrganisationArticle.objects.select_for_update().get_or_create(
        organisation=organisation, article_id=article_code, defaults={"orderable": orderable}
    )
    if made or row.orderable != orderable:
        row.orderable = orderable
        row.save(update_fields=["orderable"])
        _record(actor, "organisation.article_set", organisation, article=article_code, orderable=orderable)


@transaction.atomic(durable=True)
def register_customisation(
    *,
    actor: Actor,
    organisation_id: UUID,
    customisation_id: str,
    name: str,
    issuer_number: str,
    back_text: str,
    supplier_ref: str = "",
) -> CardCustomisation:
    """Gives an organisation a card customisation, not yet verified. Raises NotFound, Forbidden, Conflict (id taken)."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    organisation = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    row = CardCustomisation(
        customisation_id=customisation_id,
        name=name,
        issuer_number=issuer_number,
        back_text=back_text,
        supplier_ref=supplier_ref,
    )
    _insert(row, "customisation-exists", "Kortanpassnings-id finns redan eller har fel form.")
    organisation.customisation = row
    organisation.save(update_fields=["customisation"])
    facts = {"customisation_id": customisation_id, "issuer_number": issuer_number, "organisation": str(organisation.id)}
    _record(actor, "customisation.registered", row, **facts)
    return row


@transaction.atomic(durable=True)
def verify_customisation(*, actor: Actor, organisation_id: UUID) -> CardCustomisation:
    """The issuer confirms that logotype, issuer number and back text of the organisation's customisation are right.

    Raises NotFound, Forbidden, Conflict if the organisation has none of its own.
    """
    organisation = policy.get(actor, Action.VERIFY_CUSTOMISATION, Organisation.objects.all(), organisation_id)
    row = CardCustomisation.objects.select_for_update(of=("self",), no_key=True).filter(organisations=organisation).first()
    if row is None:
        raise Conflict("no-customisation", "Organisationen har ingen egen kortanpassning.")
    if row.verified_at is None:
        row.verified_at, row.verified_by_ref = clock.now(), actor.ref
        row.save(update_fields=["verified_at", "verified_by_ref"])
        _record(actor, "customisation.verified", row, organisation=str(organisation.id))
    return row


@transaction.atomic(durable=True)
def set_receipt_text(*, actor: Actor, organisation_id: UUID, regional_addition: str) -> ReceiptText:
    """Makes a new version of the organisation's addition to receipts; the same text again makes none."""
    organisation = policy.get(
        actor, Action.EDIT_RECEIPT_TEXT, Organisation.objects.select_for_update(of=("self",), no_key=True), organisation_id
    )
    latest = ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()
    if latest is not None and latest.regional_addition == regional_addition:
        return latest
    row = ReceiptText.objects.create(
        organisation=organisation,
        version=latest.version + 1 if latest else 1,
        regional_addition=regional_addition,
        created_at=clock.now(),
        created_by_ref=actor.ref,
    )
    _record(actor, "organisation.receipt_text_set", organisation, version=row.version)
    return row


def segment(letter: str, row_id: UUID) -> str:
    """A row's part of a scope path: its letter and the last 48 bits of its id, which are random."""
    return letter + row_id.hex[-12:]


def child_path(above: IssuingArea | Organisation, organisation: Organisation) -> str:
    """The scope path of `organisation` directly below `above`."""
    return f"{above.scope_path}{segment('o', organisation.id)}/"


def _insert(row: Any, code: str, message: str) -> None:
    """Inserts a row. Raises Conflict if a constraint refuses it."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict(code, message) from None


def _hsa_id(text: str) -> str:
    return parse_hsa_id(text, prefixes=frozenset(settings.HSA_ID_PREFIXES))


def _lock_tree() -> None:
    """Makes changes of the tree wait for each other, so that no path is built on one that is being moved."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('issuance_organisation'))")


def _parsed(parse: Any, text: str, field: str, message: str) -> str:
    try:
        return str(parse(text))
    except ValueError:
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]}) from None


def _record(actor: Actor, action: str, row: Any, **facts: Any) -> None:
    name = action.split(".")[0]
    Event.record(actor_ref=actor.ref, action=action, subject_type=name, subject_ref=str(row.pk), facts=facts)
