"""Log-in to Mina sidor: holders on level 3 and 2, reserve cards that name nobody, and both sites in one browser."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as live_settings
from django.test import Client
from joserfc.jwk import ECKey

from authn.models import Event, Session
from authn.services import log_in, sessions
from authn.services import provider as relying_party
from authn.web import login
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person
from siths_portal.lib.assurance import TRANSPORT_ACR
from siths_portal.lib.http.rate_limits import MinuteBudget
from tests.access.faces import face
from tests.authn.hostile import LOA3, Provider
from tests.issuance.minasidor.mina import card_client, holder_client
from tests.portal import portal_client
from tests.pressing import FORM, MAIN

pytestmark = pytest.mark.django_db(transaction=True)

LOA2 = "http://id.sambi.se/loa/loa2"
KEY = ECKey.generate_key("P-256")
NOT_COMPLETED = "Inloggningen gick inte att slutföra"


@pytest.fixture
def op(mina: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider()
    settings.OIDC_ISSUER = provider.issuer
    settings.OIDC_CLIENT_KEY_FILE = str(tmp_path / "client-key.pem")
    (tmp_path / "client-key.pem").write_bytes(KEY.as_pem(private=True))
    relying_party.forget()
    for module, name in ((log_in, "_state_refusals"), (login, "_STARTS")):
        monkeypatch.setattr(module, name, MinuteBudget())
    yield provider
    provider.stop()


def number_of(person: Person) -> str:
    return str(person.identifiers.get(valid_to=None).value)


def begin(op: Provider, client: Client, number: str = "") -> dict[str, str]:
    answer = client.post("/logga-in/", urlencode({"next": "/", **MAIN}), content_type=FORM)
    assert answer.status_code == 303, answer.content
    return op.prepare(answer["Location"], "", number)


def arrive(op: Provider, client: Client, asked: dict[str, str], **claims: Any) -> Any:
    """The callback, with these claims changed; None takes one away."""
    op.claims = {name: value for name, value in (op.claims | claims).items() if value not in (None, "", [""])}
    code = hashlib.sha256(asked["state"].encode()).hexdigest()
    return client.get("/logga-in/svar/", {"state": asked["state"], "code": code})


def enter(op: Provider, number: str = "", **claims: Any) -> tuple[Client, Any]:
    client = Client()
    return client, arrive(op, client, begin(op, client, number), **claims)


def as_card(serial: str) -> dict[str, Any]:
    return {"acr": TRANSPORT_ACR, "card_serial": serial, "credentialPersonalIdentityNumber": None}


def reason() -> str:
    return str(Event.objects.filter(action="login.refused").latest("id").facts["reason"])


def a_card(world: Any, kind: str, state: str = "active", *, serial: str = "9752269999000000017") -> Carrier:
    """A card of a new person, in that state without the way to it."""
    carrier = world.order().carrier
    changes = {"kind": kind, "card_serial": serial}
    Carrier.objects.filter(pk=carrier.pk).update(**changes)
    if state == "revoked":
        from issuance.authz import holder
        from issuance.revocation.services import revocation

        revocation.revoke_carrier(actor=holder(carrier.person_id), carrier_id=carrier.pk, reason="lost_or_stolen")
    return Carrier.objects.get(pk=carrier.pk)


def test_the_request_asks_for_all_levels_and_for_no_assignment(op: Provider) -> None:
    asked = begin(op, Client())
    assert asked["redirect_uri"] == "http://testserver/logga-in/svar/"
    assert asked["acr_values"].split() == [LOA3, LOA2, TRANSPORT_ACR]
    assert "employeeHsaId" not in asked["claims"]
    assert "essential" not in asked["claims"]
    assert "card_serial" in asked["claims"]


@pytest.mark.parametrize(("acr", "means"), [(LOA3, "loa3"), (LOA2, "loa2")])
def test_a_holder_logs_in_on_level_3_and_2_without_role_or_assignment(op: Provider, world: Any, acr: str, means: str) -> None:
    """S01: the key from before the log-in opens nothing after it. S04: level 2 is let in here, and only here."""
    person = world.post().person
    client = Client()
    asked = begin(op, client, number_of(person))
    before = client.cookies[live_settings.SESSION_COOKIE_NAME].value
    answer = arrive(op, client, asked, acr=acr)
    assert (answer.status_code, answer["Location"]) == (302, "/"), reason()
    session = Session.objects.get(subject_ref=f"holder:{person.pk}")
    assert (session.means, session.hsa_id) == (means, "")
    assert "Hej Prov Provsson" in client.get("/").content.decode()
    thief = Client()
    thief.cookies[live_settings.SESSION_COOKIE_NAME] = before
    assert "Hej" not in thief.get("/").content.decode()
    # S02: the answer is taken once.
    again = arrive(op, client, asked, acr=acr)
    assert (again.status_code, reason()) == (400, "state-used")


def test_a_reserve_card_of_ones_own_on_level_3_is_told_from_an_ordinary_one(op: Provider, world: Any) -> None:
    card = a_card(world, "reserve_card")
    enter(op, number_of(card.person), card_serial=card.card_serial)
    assert Session.objects.get(subject_ref=f"holder:{card.person_id}").means == "reserve-loa3"


def test_a_transport_certificate_begins_a_session_of_the_card(op: Provider, world: Any) -> None:
    card = a_card(world, "reserve_card")
    client, answer = enter(op, **as_card(card.card_serial))
    assert answer.status_code == 302, reason()
    session = Session.objects.exclude(subject_ref="").get()
    assert (session.subject_ref, session.means, session.display_name) == (f"card:{card.pk}", "card", "")
    page = client.get("/").content.decode()
    assert f"Reservkortet som slutar på {card.card_serial[-4:]}" in page
    assert "Provsson" not in page


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"acr": "http://id.sambi.se/loa/loa1"}, "token-acr"),
        ({"acr": "http://id.swedenconnect.se/loa/1.0/uncertified-loa3"}, "token-acr"),
        ({"acr": None}, "token-acr"),
        ({"acr": TRANSPORT_ACR, "card_serial": "9752269999000000017"}, "claim-card-serial"),
        ({"acr": TRANSPORT_ACR, "credentialPersonalIdentityNumber": None}, "claim-card-serial"),
        ({"card_serial": "975226999900000001"}, "claim-card-serial"),
        ({"credentialPersonalIdentityNumber": None, "card_serial": "9752269999000000017"}, "claim-person-id"),
        ({"nonce": "another"}, "token-nonce"),
        ({"card_serial": "9752269999000000017"}, "card-mismatch"),
    ],
)
def test_what_is_refused_has_its_own_reason_and_the_same_page(
    op: Provider, world: Any, claims: dict[str, Any], expected: str
) -> None:
    """S03 and S04: a level that nobody named, a card that also names a person, and another person's card among them."""
    a_card(world, "reserve_card")
    _client, answer = enter(op, number_of(world.post().person), **claims)
    assert (answer.status_code in (400, 403), reason()) == (True, expected)
    assert f"<h1>{NOT_COMPLETED}</h1>" in answer.content.decode()
    assert not Session.objects.exclude(subject_ref="").exists()


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [("ordinary_card", "active", "card-unknown"), ("reserve_card", "revoked", "card-ended"), ("", "", "card-unknown")],
)
def test_only_a_known_reserve_card_that_is_not_ended_logs_in_without_a_person(
    op: Provider, world: Any, authorities: None, kind: str, state: str, expected: str
) -> None:
    serial = a_card(world, kind, state).card_serial if kind else "9752269999000000017"
    _client, answer = enter(op, **as_card(serial))
    assert (answer.status_code, reason()) == (403, expected)


def test_who_has_nothing_here_is_told_so(op: Provider) -> None:
    _client, answer = enter(op, "189912319998")
    assert (answer.status_code, reason()) == (403, "person-unknown")
    assert "<h1>Du har inget SITHS eID</h1>" in answer.content.decode()


def test_the_portal_takes_neither_level_2_nor_a_card(op: Provider, world: Any, settings: Any) -> None:
    """S04, with the level in its own settings: the portal's directory refuses it besides."""
    from authn.ports import Credential, SubjectUnknown
    from issuance.roles.services.subjects import Subjects
    from siths_portal.lib.assurance import Level

    post = Person.objects.get(pk=world.officer().person_id).posts.get()
    number = number_of(post.person)
    assert Subjects().find(post.hsa_id, number, Credential(Level.LOA3)).hsa_id == post.hsa_id
    for level in (Level.LOA2, Level.CARD):
        with pytest.raises(SubjectUnknown):
            Subjects().find(post.hsa_id, number, Credential(level))
    with pytest.raises(SubjectUnknown):
        Subjects().card("9752269999000000017")


class TestBothSites:
    """A clerk with both sites open in one browser."""

    def test_each_keeps_its_session_and_opens_its_own_site_alone(self, world: Any, mina: None) -> None:
        clerk = Person.objects.get(pk=world.officer().person_id)
        names: dict[str, str] = {}
        with face("portal"):
            browser, names["portal"] = portal_client(clerk), live_settings.SESSION_COOKIE_NAME
        names["minasidor"] = live_settings.SESSION_COOKIE_NAME
        own = holder_client(clerk)
        browser.cookies[names["minasidor"]] = own.cookies[names["minasidor"]].value
        assert len(set(names.values())) == 2
        assert "Hej Handläggare" in browser.get("/").content.decode()
        with face("portal"):
            assert browser.get("/sok/").status_code == 200
        # Each key, in the other site's cookie, opens nothing there.
        swapped = Client()
        swapped.cookies[names["minasidor"]] = browser.cookies[names["portal"]].value
        swapped.cookies[names["portal"]] = browser.cookies[names["minasidor"]].value
        assert "Hej" not in swapped.get("/").content.decode()
        assert swapped.get("/sparra/").status_code == 302
        with face("portal"):
            assert swapped.get("/sok/").status_code == 302
        # Log-out of one leaves the other.
        assert browser.post("/logga-ut/").status_code == 200
        assert browser.get("/sparra/").status_code == 302
        with face("portal"):
            assert browser.get("/sok/").status_code == 200
        assert [row.subject_ref for row in sessions.live()] == [f"user:{clerk.pk}"]

    def test_a_step_up_with_other_means_changes_what_the_session_may_do(self, op: Provider, world: Any) -> None:
        """S01 at step-up: the key changes, and the level is that of the newest log-in."""
        person = world.post().person
        client, _answer = enter(op, number_of(person), acr=LOA2)
        old = client.cookies[live_settings.SESSION_COOKIE_NAME].value
        asked = begin(op, client, number_of(person))
        arrive(op, client, asked, acr=LOA3)
        assert client.cookies[live_settings.SESSION_COOKIE_NAME].value != old
        assert [row.means for row in sessions.own(f"holder:{person.pk}")] == ["loa3"]

    def test_a_row_whose_means_somebody_changed_is_no_session(self, world: Any, mina: None) -> None:
        client = card_client(world.order().carrier_id)
        Session.objects.exclude(subject_ref="").update(means="loa3")
        assert client.get("/sparra/").status_code == 302
