"""A card's four certificates are issued whole or not at all (rules/pki 3.3): what fails of them takes the others with it."""

import datetime as dt

import pytest
from django.db import transaction

from pki import service, tasks
from pki.hsm import HsmKeyMissing, HsmUnavailable, Signatures
from pki.issuing import issuance_sets, signing
from pki.models import Certificate, Event, IssuanceSet, Revocation
from siths_portal.lib import clock
from tests.pki.orders import card, csr, order
from tests.pki_fixtures import tampering


def plan_card(**changes):
    with transaction.atomic():
        wanted = [order(each.profile, subject_ref="person:1", csr_der=csr(), **changes) for each in card()]
        return service.plan_certificates(wanted, actor_ref="client:test", unit_ref="", whole=True)


def statuses(ids) -> list[str]:
    found = dict(Certificate.objects.filter(id__in=ids).values_list("id", "status"))
    return [found[id_] for id_ in ids]


def the_set() -> IssuanceSet:
    return IssuanceSet.objects.get()


@pytest.fixture
def broken(demo_pki):
    """A planned card whose second certificate breaks its profile: its definition was changed in the table."""
    ids = plan_card()
    row = Certificate.objects.get(id=ids[1])
    with tampering() as cursor:
        cursor.execute(
            "UPDATE pki_profileversion SET definition = other.definition FROM pki_profileversion AS other"
            " WHERE other.name = %s AND pki_profileversion.id = %s",
            ["person-id-sign", row.profile_version_id],
        )
    return ids


def test_a_card_that_is_issued_whole_is_left_alone(demo_pki):
    ids = plan_card()
    assert issuance_sets.settle() == 0
    assert the_set().state == "open"
    assert signing.sign_reserved(ids) == 4
    assert issuance_sets.settle() == 1
    assert (the_set().state, statuses(ids)) == ("whole", ["issued"] * 4)
    with transaction.atomic():
        service.plan_revocation([ids[0]], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")
    tasks.keep_whole()
    assert statuses(ids) == ["revoked", "issued", "issued", "issued"]


def test_a_certificate_that_fails_its_check_takes_the_others_with_it(broken):
    assert signing.sign_reserved(broken) == 3
    assert statuses(broken) == ["issued", "failed", "issued", "issued"]
    tasks.keep_whole()
    assert statuses(broken) == ["revoked", "failed", "revoked", "revoked"]
    assert the_set().state == "broken"
    assert set(Revocation.objects.values_list("reason", "requester")) == {("cessationOfOperation", "system:issuance-sets")}
    (event,) = Event.objects.filter(action="issuance_set.broken")
    assert event.facts == {"certificates": [str(id_) for id_ in broken]}
    tasks.keep_whole()
    assert Revocation.objects.count() == 3


def test_those_that_are_not_signed_yet_are_never_issued(broken):
    signing.sign_reserved([broken[1]])
    tasks.keep_whole()
    assert signing.settle() == 0
    assert statuses(broken) == ["revoked", "failed", "revoked", "revoked"]


def test_a_holder_who_revokes_one_at_once_revokes_one(demo_pki):
    """Before the sweeper has seen that the set was whole."""
    ids = plan_card()
    signing.sign_reserved(ids)
    with transaction.atomic():
        service.plan_revocation([ids[3]], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")
    tasks.keep_whole()
    assert statuses(ids) == ["issued", "issued", "issued", "revoked"]
    assert the_set().state == "whole"


def without_key_of(slug, error):
    original = signing.sign_many

    def sign(to_be_signed, signer, *, until):
        if Certificate.objects.filter(tbs_der__in=to_be_signed, ca__slug=slug).exists():
            return Signatures((), error)
        return original(to_be_signed, signer, until=until)

    return sign


def test_a_key_that_is_away_for_one_ca_breaks_nothing(demo_pki, monkeypatch):
    ids = plan_card()
    with monkeypatch.context() as away:
        away.setattr(signing, "sign_many", without_key_of("person-id-3", HsmKeyMissing("away", began=False)))
        for hours in range(5):
            with clock.moved_to(clock.now() + dt.timedelta(hours=hours)):
                signing.settle()
                tasks.keep_whole()
        assert statuses(ids) == ["issued", "issued", "reserved", "reserved"]
        assert the_set().state == "open"
    with clock.moved_to(clock.now() + dt.timedelta(hours=6)):
        signing.settle()
        tasks.keep_whole()
    assert (statuses(ids), the_set().state) == (["issued"] * 4, "whole")


def test_one_that_may_have_been_signed_and_never_comes_takes_the_others_with_it(demo_pki, monkeypatch):
    ids, start = plan_card(), clock.now()
    with monkeypatch.context() as away:
        away.setattr(signing, "sign_many", without_key_of("person-id-3", HsmUnavailable("away", began=True)))
        signing.settle()
        away.setattr(signing, "sign_many", without_key_of("person-id-3", HsmUnavailable("away", began=False)))
        with clock.moved_to(start + dt.timedelta(minutes=61)):
            signing.settle()
            tasks.keep_whole()
    assert statuses(ids) == ["revoked"] * 4
    assert dict(Certificate.objects.filter(id__in=ids).values_list("profile_version__name", "reason")) == {
        "person-hsaid-auth": "cessationOfOperation",
        "person-hsaid-sign": "cessationOfOperation",
        "person-id-auth": "unspecified",
        "person-id-sign": "unspecified",
    }


def test_orders_that_do_not_ask_for_it_are_each_by_themselves(demo_pki):
    with transaction.atomic():
        service.plan_certificates(card(), actor_ref="client:test", unit_ref="")
    assert not IssuanceSet.objects.exists()
