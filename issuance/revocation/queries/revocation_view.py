"""The content of a revocation's pages: what will stop working, and afterwards when relying parties see the revocation."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states, kinds
from issuance.carriers.domain.eid_states import LIVE_EIDS, EidState
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.people.models.persons import Post
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services.revocation import known_since
from pki import service as pki
from siths_portal.lib import clock

_LEAVE_A_NEED = frozenset(
    {
        RevocationReason.LOST_OR_STOLEN,
        RevocationReason.SUSPECTED_MISUSE,
        RevocationReason.CHANGED_DETAILS,
        RevocationReason.DAMAGED,
        RevocationReason.WRONGLY_ISSUED,
    }
)
"""Reasons after which the holder usually needs a new card."""


@dataclass(frozen=True)
class EidOnCarrier:
    """An eID on a carrier; `is_seen` is False if it is outside the reader's scope."""

    organisation: str
    hsa_id: str
    is_seen: bool


EidsOfCarriers = Mapping[UUID, Sequence[EidOnCarrier]]


@dataclass(frozen=True)
class RevocationSubject:
    """The carrier or eID of a page.

    `eids` are the valid eIDs that end with it and that the actor sees, as organisation and Tjänste-id; `hidden_eids` counts the
    others. `known_since` is the earliest time of a request. `possible` is False if it ended otherwise than by revocation.
    `revoked_at` and `reason` are set once it is revoked. `has_eid` means that an eID on the carrier is
    ordered or valid. `last` are the last four digits of the carrier's serial number; `carrier_kind`, `carrier_state` and
    `has_photo` say how the carrier looks, and `device` is the holder's name of a device. `has_other_eids` means, for the page of
    one eID, that others on its carrier are ordered or valid. `is_migrated` means that the carrier is from an earlier portal, and
    `valid_from` is that of the carrier.
    """

    kind: Literal["carrier", "eid"]
    id: UUID
    carrier_id: UUID
    person_id: UUID
    name: str
    serial: str
    organisation: str
    hsa_id: str
    state: str
    possible: bool
    eids: tuple[tuple[str, str], ...]
    hidden_eids: int
    known_since: dt.datetime
    revoked_at: dt.datetime | None
    reason: str
    reason_code: str = ""
    has_eid: bool = True
    last: str = ""
    carrier_kind: str = "ordinary_card"
    carrier_state: str = ""
    has_photo: bool = False
    device: str = ""
    has_other_eids: bool = False
    is_migrated: bool = False
    valid_from: dt.datetime | None = None

    @property
    def is_card(self) -> bool:
        """Whether the carrier is a card, which is taken in, and not on a device of the holder's."""
        return kinds.kind_of(self.carrier_kind).is_card

    @property
    def carrier_text(self) -> str:
        """The carrier's id as text, for addresses."""
        return str(self.carrier_id)


@dataclass(frozen=True)
class OtherCarrier:
    """A carrier of the same person that the actor may revoke instead."""

    id: UUID
    kind: str
    name: str
    state: str
    last: str
    organisation: str
    valid_from: dt.datetime

    @property
    def spares_an_order(self) -> bool:
        """Whether its holder needs no new card: it is an ordinary one, in use or on its way."""
        return self.kind == kinds.ORDINARY_CARD.code


@dataclass(frozen=True)
class ListView:
    """A CA's CRL: the time since it has contained the revocation, or the time when the next CRL is due."""

    ca_name: str
    since: dt.datetime | None
    due: dt.datetime | None


@dataclass(frozen=True)
class PublicationView:
    """The publication of a revocation. `answered` counts certificates with OCSP; `ocsp_since` is set once all of them have a
    revoked response.
    """

    certificates: int
    answered: int
    ocsp_since: dt.datetime | None
    lists: tuple[ListView, ...]

    @property
    def waits_for_ocsp(self) -> bool:
        """Returns True while an OCSP response is not signed yet."""
        return self.answered > 0 and self.ocsp_since is None


def carrier_to_revoke(*, actor: Actor, carrier_id: UUID | str) -> RevocationSubject:
    """Returns a carrier that the actor may revoke. Raises NotFound, Forbidden."""
    carrier = policy.get(actor, Action.REVOKE_CARRIER, _carriers, carrier_id)
    return carrier_subject(carrier, live_eids(actor, [carrier.pk]).get(carrier.pk, ()))


def live_eids(actor: Actor, carrier_ids: Collection[UUID], *, ended_at: dt.datetime | None = None) -> EidsOfCarriers:
    """Returns the valid eIDs on each of the carriers, or those that were revoked at the moment `ended_at`."""
    rows = Eid.objects.with_rights(actor, [Action.VIEW]).filter(carrier__in=carrier_ids).order_by("created_at", "id")
    rows = rows.filter(state__in=LIVE_EIDS) if ended_at is None else rows.filter(state=EidState.REVOKED, ended_at=ended_at)
    found: dict[UUID, list[EidOnCarrier]] = {}
    for pk, organisation, hsa_id, seen in rows.values_list("carrier", "organisation__name", "hsa_id", f"may_{Action.VIEW}"):
        found.setdefault(pk, []).append(EidOnCarrier(organisation, hsa_id, seen))
    return found


def carrier_subject(carrier: Carrier, eids: Sequence[EidOnCarrier]) -> RevocationSubject:
    """Returns the carrier with the eIDs that end with it."""
    named = tuple((eid.organisation, eid.hsa_id) for eid in eids if eid.is_seen)
    return RevocationSubject(
        kind="carrier",
        id=carrier.id,
        carrier_id=carrier.id,
        person_id=carrier.holder_id,
        name=f"{words.carrier_type(carrier.kind)}, {carrier.device or words.carrier_kind(carrier.kind).lower()}",
        serial=wording.card_serial(carrier.card_serial),
        organisation=carrier.organisation.name,
        hsa_id="",
        state=carrier.state,
        possible=carrier.state not in carrier_states.INVALID,
        eids=named,
        hidden_eids=len(eids) - len(named),
        known_since=known_since(carrier),
        revoked_at=carrier.ended_at if carrier.state == carrier_states.CarrierState.REVOKED else None,
        reason=words.revocation_reason(carrier.revocation_reason),
        reason_code=carrier.revocation_reason,
        has_eid=bool(eids) or not kinds.kind_of(carrier.kind).bears_eids,
        **_looks(carrier),
    )


def _looks(carrier: Carrier) -> dict[str, Any]:
    return {
        "last": carrier.card_serial[-4:],
        "carrier_kind": carrier.kind,
        "carrier_state": carrier.state,
        "has_photo": carrier.article is not None and carrier.article.photo,
        "device": carrier.device,
        "is_migrated": carrier.origin == "migrated",
        "valid_from": carrier.valid_from,
    }


def other_carriers(*, actor: Actor, subject: RevocationSubject) -> tuple[OtherCarrier, ...]:
    """Returns the person's other valid carriers that the actor may revoke, the newest first; for an eID also its own carrier."""
    rows = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).filter(person=subject.person_id)
    rows = rows.exclude(state__in=[state.value for state in carrier_states.INVALID]).order_by("-created_at", "id")
    values = rows.values_list("id", "kind", "state", "card_serial", "organisation__name", "valid_from")
    return tuple(
        OtherCarrier(pk, kind, words.carrier_kind(kind), state, serial[-4:], organisation, valid_from)
        for pk, kind, state, serial, organisation, valid_from in values
        if subject.kind == "eid" or pk != subject.id
    )


def may_order_again(*, actor: Actor, subject: RevocationSubject) -> bool:
    """Returns whether a new card is the next step: nothing replaces the revoked one, and the actor may order for the person. The
    holder of a mobile eID gets a new one without an officer.
    """
    is_card = subject.kind == "carrier" and subject.is_card
    return is_card and may_order_after(actor=actor, person_id=subject.person_id, reason=subject.reason_code)


def may_order_after(*, actor: Actor, person_id: UUID, reason: str) -> bool:
    """Returns whether the person usually needs a new card after this reason, and the actor may order it."""
    right = Action.ORDER_ORDINARY_CARD
    if reason not in _LEAVE_A_NEED or not policy.holds(actor, right) or policy.is_own_matter(actor, right, person_id):
        return False
    return _posts(actor, right, person_id).exists()


def _posts(actor: Actor, right: Action, person_id: UUID) -> QuerySet[Post]:
    current = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    return Post.objects.visible_to(actor, right).filter(current, person=person_id, ended_at=None)


def _carriers(_actor: Actor) -> QuerySet[Carrier]:
    return Carrier.objects.select_related("organisation", "article").defer("card_key_spki")


def _eids(_actor: Actor) -> QuerySet[Eid]:
    return Eid.objects.select_related("organisation", "carrier__article")


def eid_to_revoke(*, actor: Actor, eid_id: UUID | str) -> RevocationSubject:
    """Returns an eID that the actor may revoke. Raises NotFound, Forbidden."""
    eid = policy.get(actor, Action.REVOKE_EID, _eids, eid_id)
    others = Eid.objects.filter(carrier=eid.carrier_id, state__in=LIVE_EIDS).exclude(pk=eid.pk)
    return replace(eid_subject(eid), has_other_eids=others.exists())


def eid_subject(eid: Eid) -> RevocationSubject:
    """Returns one eID, which leaves its carrier."""
    return RevocationSubject(
        kind="eid",
        id=eid.id,
        carrier_id=eid.carrier_id,
        person_id=eid.carrier.holder_id,
        name="SITHS eID",
        serial=wording.card_serial(eid.carrier.card_serial),
        organisation=eid.organisation.name,
        hsa_id=eid.hsa_id,
        state=eid.state,
        possible=eid.state in LIVE_EIDS,
        eids=((eid.organisation.name, eid.hsa_id),),
        hidden_eids=0,
        known_since=known_since(eid.carrier),
        revoked_at=eid.ended_at if eid.state == EidState.REVOKED else None,
        reason=words.revocation_reason(eid.revocation_reason),
        reason_code=eid.revocation_reason,
        **_looks(eid.carrier),
    )


def certificates_are_elsewhere(subjects: Sequence[RevocationSubject]) -> bool:
    """Returns whether an eID of the subjects is from an earlier portal and without its certificates here (rules/issuance 7.12):
    the revocation does not reach them, so their issuer must revoke them too.
    """
    migrated = [subject for subject in subjects if subject.is_migrated]
    if not migrated:
        return False
    of_carriers = Q(carrier__in=[subject.id for subject in migrated if subject.kind == "carrier"])
    found = Eid.objects.filter(of_carriers | Q(pk__in=[subject.id for subject in migrated if subject.kind == "eid"]))
    return found.filter(certificates=None, state__in=[*LIVE_EIDS, EidState.REVOKED]).exists()


def publication(subjects: Sequence[RevocationSubject]) -> PublicationView:
    """Returns what relying parties see now of the subjects' revoked certificates."""
    carriers = [subject.id for subject in subjects if subject.kind == "carrier"]
    eids = [subject.id for subject in subjects if subject.kind == "eid"]
    rows = CarrierCertificate.objects.filter(Q(carrier__in=carriers) | Q(eid__in=eids))
    views = [view for view in pki.publication(rows.values_list("certificate_id", flat=True)) if view.status == "revoked"]
    answered = [view for view in views if view.answers_ocsp]
    since = [view.ocsp_since for view in answered if view.ocsp_since is not None]
    return PublicationView(
        certificates=len(views),
        answered=len(answered),
        ocsp_since=max(since) if since and len(since) == len(answered) else None,
        lists=tuple(_list(name, [v for v in views if v.ca_name == name]) for name in sorted({v.ca_name for v in views})),
    )


def _list(ca_name: str, views: list[pki.PublicationView]) -> ListView:
    """Returns one CA's CRL. It counts as published once it contains all certificates."""
    due = [view.crl_due for view in views if view.crl_due is not None]
    since = [view.crl_since for view in views if view.crl_since is not None]
    return ListView(ca_name, max(since) if since and not due else None, max(due) if due else None)
