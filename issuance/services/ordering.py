"""Ordering of ordinary cards (Nytt SITHS eID ordinarie kort, domain.md 2.1): checks, and the queued row that suppliers pull."""

import datetime as dt
import re
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from issuance.authz import Action, Actor, policy
from issuance.domain import rules
from issuance.domain.carrier_states import CarrierAction, CarrierState
from issuance.domain.eid_states import EidAction, EidState
from issuance.domain.order_states import OrderAction, OrderState
from issuance.models import (
    Article,
    CardCustomisation,
    CardOrder,
    Carrier,
    Eid,
    Office,
    Organisation,
    OrganisationArticle,
    Person,
    PersonScope,
    Post,
)
from issuance.services import _steps, people
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid

_KEY = re.compile(r"[\x21-\x7e]{1,100}")
_ADDRESS = re.compile(r"[^@,\s]+@[^@,\s]+")
_NAME_LIMIT = 64
"""Upper bound of a name attribute in a certificate (RFC 5280 appendix A.1)."""

_OBSTACLES = {
    rules.Obstacle.DECEASED: "Personen är avliden enligt personregistret. Kort kan inte beställas.",
    rules.Obstacle.NOT_PERSONNUMMER: "Personen saknar personnummer. Ordinarie kort på tillitsnivå 3 kräver personnummer.",
    rules.Obstacle.TOO_YOUNG: "Personen är för ung för kort på denna tillitsnivå.",
    rules.Obstacle.NO_ADDRESS: "Personen saknar folkbokföringsadress, dit kortet ska skickas.",
}


@dataclass(frozen=True)
class _Request:
    actor: Actor
    post_id: UUID
    article_code: str
    office_id: UUID
    idempotency_key: str

    @property
    def content_sha256(self) -> str:
        content = {"post": str(self.post_id), "article": self.article_code, "office": str(self.office_id)}
        return sha256_hex(canonical_json(content))


def submit_order(*, actor: Actor, post_id: UUID, article_code: str, office_id: UUID, idempotency_key: str) -> CardOrder:
    """Orders a card for a post: carrier and eID ORDERED, order queued. Post and person are read live first.

    The same key and content give the same order, another content is IdempotencyMismatch (Conflict). Raises NotFound,
    Forbidden (role, own matter), Invalid (what stands against it, by field), Conflict, Unavailable (outside systems).
    """
    request = _Request(actor, post_id, article_code, office_id, idempotency_key)
    if not _KEY.fullmatch(idempotency_key):
        raise Invalid("idempotency-key", "Beställningen saknar en giltig idempotensnyckel.")
    if earlier := _earlier(request):
        return earlier
    post = policy.get(actor, Action.ORDER_ORDINARY_CARD, Post.objects.select_related("person"), post_id)
    live = people.read_live(post)
    people.remember(post_id=post.id, live=live)
    try:
        return _place(request, live)
    except IntegrityError as error:
        if "issuance_order_once_per_key" in str(error) and (earlier := _earlier(request)):
            return earlier
        raise


@transaction.atomic(durable=True)
def cancel_order(*, actor: Actor, order_id: UUID) -> CardOrder:
    """Removes an order that no supplier has accepted; a removed one stays as it is.

    Raises NotFound, Forbidden, IllegalTransition if a supplier has it.
    """
    seen = policy.get(actor, Action.REMOVE_ORDER, CardOrder.objects.select_related("carrier"), order_id)
    carrier = Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
    eids = list(Eid.objects.select_for_update(no_key=True).filter(carrier=carrier).order_by("id"))
    order = CardOrder.objects.select_for_update(no_key=True).get(pk=seen.pk)
    if order.state != OrderState.CANCELLED:
        now = clock.now()
        _steps.step([order], OrderAction.CANCEL, actor_ref=actor.ref)
        _steps.step([carrier], CarrierAction.CANCEL, actor_ref=actor.ref, ended_at=now)
        _steps.step(eids, EidAction.CANCEL, actor_ref=actor.ref, ended_at=now)
    return order


def effective_customisation(organisation: Organisation) -> CardCustomisation | None:
    """The organisation's own card customisation, else the nearest one above it."""
    found = (
        Organisation.objects.filter(scope_path__in=_paths_upward(organisation.scope_path), customisation__isnull=False)
        .select_related("customisation")
        .order_by("-scope_path")
        .first()
    )
    return found.customisation if found else None


def _paths_upward(scope_path: str) -> list[str]:
    parts = scope_path.strip("/").split("/")
    return ["/" + "/".join(parts[:length]) + "/" for length in range(1, len(parts) + 1)]


def _earlier(request: _Request) -> CardOrder | None:
    order = (
        CardOrder.objects.visible_to(request.actor)
        .filter(ordered_by_ref=request.actor.ref, idempotency_key=request.idempotency_key)
        .first()
    )
    if order is not None and order.content_sha256 != request.content_sha256:
        raise Conflict("idempotency-mismatch", "Beställningen är redan skickad med andra uppgifter. Börja om från början.")
    return order


@transaction.atomic(durable=True)
def _place(request: _Request, live: people.Live) -> CardOrder:
    actor, now = request.actor, clock.now().replace(microsecond=0)
    locked = Person.objects.select_for_update(no_key=True).filter(posts=request.post_id)
    list(locked.values_list("id"))
    posts = Post.objects.select_related("person", "organisation__area")
    post = policy.get(actor, Action.ORDER_ORDINARY_CARD, posts, request.post_id)
    _check_post(post)
    article = _article(post.organisation, request.article_code)
    office = _office(post.organisation, request.office_id)
    customisation = _customisation(post.organisation)
    _check_person(post.person, live, article)
    _check_complete(post)
    carrier, eid = _rows(post, article, now)
    order = CardOrder(
        carrier=carrier,
        eid=eid,
        organisation=post.organisation,
        article=article,
        office=office,
        customisation=customisation,
        state=OrderState.QUEUED.value,
        ordered_by_ref=actor.ref,
        idempotency_key=request.idempotency_key,
        content_sha256=request.content_sha256,
        supplier_ref=customisation.supplier_ref,
        ordered_at=now,
    )
    _steps.begin([carrier], "ordered", actor_ref=actor.ref, facts={"person": str(post.person_id), "order": str(order.id)})
    _steps.begin([eid], "ordered", actor_ref=actor.ref, facts={"hsa_id": post.hsa_id, "carrier": str(carrier.id)})
    facts = {"article": article.code, "office": str(office.id), "organisation": str(post.organisation_id)}
    _steps.begin([order], "submitted", actor_ref=actor.ref, facts={**facts, "carrier": str(carrier.id)})
    PersonScope.objects.refresh([post.person_id])
    return order


def _rows(post: Post, article: Article, now: dt.datetime) -> tuple[Carrier, Eid]:
    carrier = Carrier(
        person=post.person,
        organisation=post.organisation,
        article=article,
        assurance_level=article.assurance_level,
        state=CarrierState.ORDERED.value,
        valid_from=now,
        valid_to=rules.years_after(now, settings.CARD_VALIDITY_YEARS),
        created_at=now,
    )
    eid = eid_of_post(post, carrier)
    eid.assurance_level, eid.state, eid.created_at = article.assurance_level, EidState.ORDERED.value, now
    return carrier, eid


def eid_of_post(post: Post, carrier: Carrier) -> Eid:
    """An unsaved eID on the carrier with the post's values, which it keeps whatever becomes of the post."""
    return Eid(
        carrier=carrier,
        post=post,
        organisation=post.organisation,
        hsa_id=post.hsa_id,
        mail=post.mail,
        upn=post.upn,
        title=post.title,
    )


def _check_post(post: Post) -> None:
    if post.ended_at is not None or (post.valid_to is not None and post.valid_to < clock.today()):
        raise Conflict("post-ended", "Uppdraget är avslutat i katalogen. Välj ett annat uppdrag eller kontakta katalogansvarig.")


def _article(organisation: Organisation, code: str) -> Article:
    today = clock.today()
    offered = (
        OrganisationArticle.objects.filter(organisation=organisation, article_id=code, orderable=True)
        .select_related("article")
        .first()
    )
    article = offered.article if offered else None
    if article is None or article.valid_from > today or (article.valid_to is not None and article.valid_to < today):
        message = "Organisationen kan inte beställa artikeln. Välj en beställningsbar artikel."
        raise Invalid("article-not-orderable", message, fields={"article": [message]})
    if article.photo:
        message = "Artikeln kräver ett foto och personen har inget. Lägg in ett foto eller välj en artikel utan foto."
        raise Invalid("photo-missing", message, fields={"article": [message]})
    return article


def _office(organisation: Organisation, office_id: UUID) -> Office:
    office = Office.objects.filter(pk=office_id, connections__organisation=organisation, closed_at=None).first()
    if office is None:
        message = "Kontoret är stängt eller inte kopplat till organisationen. Välj ett annat kontor."
        raise Invalid("office-not-connected", message, fields={"office": [message]})
    return office


def _customisation(organisation: Organisation) -> CardCustomisation:
    if organisation.area.issuing_organisation_id is None:
        raise Conflict("area-without-issuer", "Utgivningsområdet saknar utgivande organisation.")
    customisation = effective_customisation(organisation)
    if customisation is None or customisation.verified_at is None or not customisation.issuer_number:
        message = "Organisationens kortanpassning ska ha utfärdarnummer och vara verifierad innan kort kan beställas."
        raise Conflict("customisation-not-verified", message)
    return customisation


def _check_person(person: Person, live: people.Live, article: Article) -> None:
    found = rules.obstacles(
        live.person_id,
        assurance_level=article.assurance_level,
        deceased=live.register.deceased,
        is_protected=person.is_protected,
        has_address=live.register.registered_address is not None,
        today=clock.today(),
        limits=rules.AgeLimits(settings.MINIMUM_AGE_LOA3, settings.MINIMUM_AGE_LOA2),
    )
    if found:
        raise Invalid(found[0].value, _OBSTACLES[found[0]], fields={"person": [_OBSTACLES[name] for name in found]})


def _check_complete(post: Post) -> None:
    """What goes into certificates is there and fits (RFC 5280 appendix A.1)."""
    name = common_name(post.person)
    if not post.person.given_name_in_use or not post.person.surname or len(name) > _NAME_LIMIT:
        message = "Namnet i personregistret saknas eller är längre än 64 tecken och ryms inte i ett certifikat."
        raise Invalid("name-not-certifiable", message, fields={"person": [message]})
    if len(post.title) > _NAME_LIMIT:
        message = "Titeln i katalogen är längre än 64 tecken och ryms inte i ett certifikat."
        raise Invalid("title-not-certifiable", message, fields={"post": [message]})
    if len(top_organisation(post.organisation).name) > _NAME_LIMIT:
        raise Conflict(
            "organisation-not-certifiable", "Organisationens namn är längre än 64 tecken och ryms inte i ett certifikat."
        )
    if post.mail and not (post.mail.isascii() and _ADDRESS.fullmatch(post.mail)):
        message = "E-postadressen i katalogen kan inte skrivas i ett certifikat. Låt katalogansvarig rätta den."
        raise Invalid("mail-not-certifiable", message, fields={"post": [message]})
    if post.upn and not _ADDRESS.fullmatch(post.upn):
        message = "UPN i katalogen kan inte skrivas i ett certifikat. Låt katalogansvarig rätta det."
        raise Invalid("upn-not-certifiable", message, fields={"post": [message]})


def top_organisation(organisation: Organisation) -> Organisation:
    """The organisation without a parent that this one lies under, or is."""
    if organisation.parent_id is None:
        return organisation
    return Organisation.objects.get(scope_path="/".join(organisation.scope_path.split("/")[:3]) + "/")


def common_name(person: Person) -> str:
    """The name that certificates and cards bear: the given name in use and the surname."""
    return f"{person.given_name_in_use} {person.surname}"


def post_ends_at(post: Post) -> dt.datetime | None:
    """The moment at which the post's last day has ended in Stockholm; None if it has no end."""
    return clock.start_of_day(post.valid_to + dt.timedelta(days=1)) if post.valid_to else None
