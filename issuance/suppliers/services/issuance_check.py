"""The check that card certificates were ordered (port `pki.ports.IssuanceCheck`): order, subject, profile and card must agree.
Runs in the `pki` worker before each signature, so that write access to a single table yields no certificate (ADR 0310).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.activation.services import fetch_check
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import CARD_PROFILES, HSA_PROFILES, MOBILE_EID, RESERVE_CARD, Need, Owner, Stage
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import CarrierCertificate
from issuance.mobile.services import device_check
from issuance.orders.domain.items import ItemState
from issuance.orders.models.orders import OrderItem
from issuance.orders.services.certificate_subjects import card_subject, hsa_subject, person_id_subject, subject_alternative
from issuance.organisations.models import Organisation
from issuance.people.models.persons import PersonIdentifier
from issuance.people.services.people import PREFERENCE
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.reserve_cards.services import issue_check
from pki import service as pki

_ORDERED_PROFILES = tuple({*CARD_PROFILES, *RESERVE_CARD.profiles(stage=Stage.PERSONALISATION), *MOBILE_EID.profiles()})
_IN_PRODUCTION = (ItemState.IN_PRODUCTION, ItemState.PRODUCED, ItemState.SENT)


@dataclass(frozen=True)
class _Ordered:
    """The ordered card, as an item. `person_id` is the person's current number, `top` the organisation named in certificates.
    Both are None for a card without a holder.
    """

    item: OrderItem
    person_id: PersonId | None
    top: Organisation | None


@dataclass(frozen=True, slots=True)
class _Link:
    """The card and profile that a certificate was planned for. `eid_id` is None for the person-id pair, which belongs to the
    card. `made_with_id` is the renewed eID that a later person-id pair comes with.
    """

    carrier_id: UUID
    eid_id: UUID | None
    profile: str
    kind: str
    made_with_id: UUID | None


class OrderedCards:
    """Compares certificates with the orders of this portal. Each method runs a fixed number of queries."""

    def refusals(self, certificates: Sequence[pki.CardCertificate]) -> Mapping[UUID, str]:
        """Returns a reason for each certificate that differs from its order. Subject and names must be equal byte for byte."""
        rows = CarrierCertificate.objects.filter(certificate_id__in=[each.id for each in certificates])
        rows = rows.filter(profile__in=_ORDERED_PROFILES)
        columns = rows.values_list("certificate_id", "carrier_id", "eid_id", "profile", "carrier__kind", "made_with_id")
        links = {id_: _Link(carrier, eid, profile, kind, made) for id_, carrier, eid, profile, kind, made in columns}
        fetched = _faults_of_fetched(certificates, links)
        mobile = {id_ for id_, link in links.items() if link.kind == MOBILE_EID.code}
        of_devices = device_check.faults([each for each in certificates if each.id in mobile])
        certificates = [each for each in certificates if each.id not in fetched and each.id not in mobile]
        orders = _orders({link.carrier_id for link in links.values()})
        handed_out: dict[UUID, list[pki.CardCertificate]] = {}
        for each in certificates:
            if (link := links.get(each.id)) and link.eid_id and kinds.kind_of(link.kind).makes_keys_at_activation:
                handed_out.setdefault(link.eid_id, []).append(each)
        found = {id_: reason for id_, reason in fetched.items() if reason} | of_devices
        found |= issue_check.faults(handed_out) if handed_out else {}
        checked = {each.id for planned in handed_out.values() for each in planned}
        for each in certificates:
            if each.id in checked:
                continue
            link = links.get(each.id)
            ordered = orders.get(link.carrier_id) if link else None
            if reason := "no-order" if link is None or ordered is None else _fault(each, link, ordered):
                found[each.id] = reason
        return found

    def without_order(self, certificates: Mapping[UUID, str]) -> Mapping[UUID, str]:
        """Returns a reason for each issued certificate that has no order, is on another card, or is in use without a receipt."""
        rows = CarrierCertificate.objects.filter(certificate_id__in=list(certificates))
        links = rows.values_list(
            "certificate_id",
            "carrier_id",
            "carrier__kind",
            "carrier__origin",
            "carrier__state",
            "carrier__receipt_id",
            "carrier__item__order_id",
            "carrier__mobile_enrolment__id",
            "carrier__mobile_enrolment__request__confirmed_at",
        )
        found = dict.fromkeys(certificates, "no-order")
        for id_, carrier_id, kind, origin, state, receipt, order, enrolment, confirmed in links:
            needed = {Need.SIGNED_RECEIPT: receipt, Need.CONFIRMATION: confirmed}
            if carrier_ref(carrier_id) != certificates[id_]:
                found[id_] = "another-card"
            elif origin == "portal" and (enrolment if kind == MOBILE_EID.code else order) is None:
                found[id_] = "no-order"
            elif origin == "portal" and state == CarrierState.ACTIVE and not _is_signed_for(kind, needed):
                found[id_] = "no-receipt"
            else:
                del found[id_]
        return found


def _faults_of_fetched(certificates: Sequence[pki.CardCertificate], links: Mapping[UUID, _Link]) -> dict[UUID, str]:
    """Returns for each certificate of an eID that its holder fetches the reason why it must not be signed, or ""."""
    eids = {id_: link.eid_id or link.made_with_id for id_, link in links.items()}
    requests = fetch_check.requests_of({eid for eid in eids.values() if eid is not None})
    pairs = [(requests[eid], each) for each in certificates if (eid := eids.get(each.id)) in requests]
    if not pairs:
        return {}
    numbers = _person_ids({request.eid.carrier.holder_id for request, _ in pairs})
    tops = _top_organisations({request.eid.organisation for request, _ in pairs})
    found = fetch_check.faults(pairs, fetch_check.Names(numbers, tops))
    return {each.id: found.get(each.id, "") for _, each in pairs}


def _is_signed_for(kind: str, signed: Mapping[Need, object]) -> bool:
    """Returns whether the carrier has each kind of signature by its holder that its kind needs."""
    return all(signed[need] is not None for need in signed if need in kinds.kind_of(kind).activation)


def _fault(certificate: pki.CardCertificate, link: _Link, ordered: _Ordered) -> str:
    """Returns the reason why the certificate must not be signed, or an empty string if it agrees with its order."""
    carrier, eid = ordered.item.made, ordered.item.eid
    ended = carrier.state in INVALID or (eid is not None and eid.state != EidState.ORDERED)
    if ordered.item.state not in _IN_PRODUCTION or ended:
        return "order-state"
    kind = kinds.kind_of(carrier.kind)
    if link.profile != certificate.profile or link.profile not in kind.profiles():
        return "profile"
    if certificate.ca != kind.ca_of(link.profile, carrier.assurance_level):
        return "profile"
    of_eid = kind.certificate(link.profile).owner is Owner.EID
    if link.eid_id != (eid.pk if eid and of_eid else None) or (eid is None and (of_eid or carrier.person_id is not None)):
        return "eid"
    if certificate.card_number != carrier.card_serial or certificate.carrier_ref != carrier_ref(carrier.pk):
        return "card"
    named = (certificate.subject, certificate.alternative)
    subject_ref = f"person:{carrier.person_id}" if eid else carrier_ref(carrier.pk)
    if certificate.subject_ref != subject_ref or named != _names(certificate.profile, ordered):
        return "subject"
    if certificate.held != kind.held_until_code:
        return "hold"
    valid_to = eid.valid_to if eid else carrier.valid_to
    if valid_to is None or certificate.not_after > valid_to:
        return "validity"
    return ""


def _names(profile: str, ordered: _Ordered) -> tuple[bytes, bytes] | None:
    """Returns subject and subjectAltName in DER as the order requires. Returns None if the person has no current number."""
    if ordered.item.eid is None or ordered.top is None:
        return pki.certificate_names(profile, card_subject(ordered.item.made.card_serial), {})
    person, eid = ordered.item.made.holder, ordered.item.eid
    if profile in HSA_PROFILES:
        subject = hsa_subject(person, eid, ordered.top)
    elif ordered.person_id is None:
        return None
    else:
        subject = person_id_subject(person, ordered.person_id)
    return pki.certificate_names(profile, subject, subject_alternative(eid, profile))


def _orders(carrier_ids: Iterable[UUID]) -> dict[UUID, _Ordered]:
    """Returns the portal's own orders of these carriers, by carrier."""
    rows = OrderItem.objects.select_related("carrier__person", "eid__organisation")
    items = {item.made.pk: item for item in rows.filter(carrier__in=list(carrier_ids), carrier__origin="portal")}
    numbers = _person_ids({item.made.holder_id for item in items.values() if item.eid})
    tops = _top_organisations({item.eid.organisation for item in items.values() if item.eid})
    return {
        carrier_id: _Ordered(item, numbers.get(item.made.holder_id), tops[item.eid.organisation_id])
        if item.eid
        else _Ordered(item, None, None)
        for carrier_id, item in items.items()
    }


def _person_ids(person_ids: Iterable[UUID]) -> dict[UUID, PersonId]:
    """Returns each person's current number, of the most preferred kind, as `people.person_id_of` does for one person."""
    rank = {kind.value: position for position, kind in enumerate(PREFERENCE)}
    rows = PersonIdentifier.objects.filter(person_id__in=list(person_ids), valid_to=None, kind__in=list(rank))
    found: dict[UUID, PersonId] = {}
    for person_id, kind, value in sorted(rows.values_list("person_id", "kind", "value"), key=lambda row: -rank[row[1]]):
        found[person_id] = PersonId(PersonIdKind(kind), value)
    return found


def _top_organisations(organisations: Iterable[Organisation]) -> dict[UUID, Organisation]:
    """Returns the organisation without a parent above each organisation, as `order_checks.top_organisation` does for one."""
    paths = {each.pk: "/".join(each.scope_path.split("/")[:3]) + "/" for each in organisations}
    by_path = {row.scope_path: row for row in Organisation.objects.filter(scope_path__in=set(paths.values()))}
    return {pk: by_path[path] for pk, path in paths.items()}
