"""Log-in with the certificate of a card: the face behind the mTLS front hands out a ticket, and the site takes it once."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from django.test import Client

from authn.models import Event, LogInTicket, Session
from authn.services import log_in
from authn.web import card, login
from issuance.authz import Role
from issuance.carriers.models import Carrier, Eid
from issuance.roles.services import role_assignment
from pki.models import Certificate
from pki.revocation.revoking import RevocationRequest, revoke_serial
from siths_portal.lib import clock
from siths_portal.lib.http.rate_limits import MinuteBudget
from tests.access.faces import face
from tests.issuance.activated import Made, activated_card, pem, sent_card
from tests.issuance.world import SETUP
from tests.pressing import MAIN
from tests.tls import SmallCa

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]

FORM = "application/x-www-form-urlencoded"
HEADER = "X-SSL-Client-Cert"
HSA, PERSON, SIGN = "person-hsaid-auth", "person-id-auth", "person-hsaid-sign"
LOGIN = "https://login.example.org"


@pytest.fixture(autouse=True)
def _sites(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.PORTAL_BASE_URL, settings.LOGIN_BASE_URL, settings.ALLOWED_HOSTS = "http://testserver", LOGIN, ["testserver"]
    for module, name in ((log_in, "_state_refusals"), (login, "_STARTS"), (card, "_PRESENTED")):
        monkeypatch.setattr(module, name, MinuteBudget())
    return iter([None])


@pytest.fixture
def made(world: Any) -> Made:
    """An active card of a person who may use the portal."""
    card_ = activated_card(world)
    role_assignment.assign_role(actor=SETUP, person_id=card_.carrier.person_id, role=Role.GLOBAL_READER)
    return card_


def begin(client: Client) -> str:
    """Presses the button of the log-in page, and returns the state that the browser is sent away with."""
    form = urlencode({"next": "/installningar/", "idp": "certificate", **MAIN})
    answer = client.post("/logga-in/", form, content_type=FORM)
    assert answer.status_code == 303
    assert answer["Location"].startswith(f"{LOGIN}/logga-in/?")
    (state,) = parse_qs(urlsplit(answer["Location"]).query)["state"]
    return state


def present(state: str, der: bytes | None, **headers: str) -> Any:
    """What the front passes to the face, with the certificate of the connection."""
    sent = {HEADER: quote(pem(der))} if der else {}
    with face("login", MTLS_CERTIFICATE_HEADER=HEADER):
        return Client().get("/logga-in/", {"state": state}, headers=sent | headers)


def back(client: Client, location: str) -> Any:
    parts = urlsplit(location)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://testserver/logga-in/kort/"
    return client.get(f"{parts.path}?{parts.query}")


def ticket_for(client: Client, made: Made, profile: str = HSA) -> str:
    answer = present(begin(client), made.certificates[profile])
    assert answer.status_code == 303
    return str(answer["Location"])


def reasons() -> list[str]:
    return list(Event.objects.filter(action="login.refused").order_by("id").values_list("facts__reason", flat=True))


def assert_nobody(answer: Any, *expected: str) -> None:
    assert answer.status_code in (400, 403)
    assert reasons() == list(expected)
    assert not Session.objects.exclude(subject_ref="").exists()


@pytest.mark.parametrize("profile", [HSA, PERSON])
def test_both_certificates_of_a_card_log_its_holder_in(made: Made, profile: str) -> None:
    client = Client()
    location = ticket_for(client, made, profile)
    assert back(client, location)["Location"] == "/installningar/", reasons()
    page = client.get("/installningar/").content.decode()
    eid = Eid.objects.get(carrier=made.carrier)
    assert eid.hsa_id in page
    facts = Event.objects.get(action="session.started").facts
    assert (facts["method"], facts["hsa_id"]) == ("certificate", eid.hsa_id)
    # S21: neither address names the person or the card.
    number = made.carrier.holder.identifiers.get(valid_to=None).value
    assert not [each for each in (number, eid.hsa_id, made.carrier.card_serial) if each in location]
    # The provider is asked for nothing at the log-out either.
    assert "id_token_hint" not in client.post("/logga-ut/").content.decode()


def test_a_ticket_is_stored_as_its_hash_and_used_once(made: Made) -> None:
    client = Client()
    location = ticket_for(client, made)
    (value,) = parse_qs(urlsplit(location).query)["ticket"]
    assert LogInTicket.objects.get().ticket_hash == log_in.digest(value)
    back(client, location)
    again = back(client, location)
    assert again.status_code == 400
    # Under a new state of the same browser it is as used as under its own.
    query = urlencode({"state": begin(client), "ticket": value})
    assert client.get(f"/logga-in/kort/?{query}").status_code == 400
    assert reasons() == ["state-used", "ticket-used"]


def test_a_ticket_of_more_than_a_minute_is_refused(made: Made) -> None:
    client = Client()
    location = ticket_for(client, made)
    with clock.moved_to(clock.now() + dt.timedelta(seconds=61)):
        assert_nobody(back(client, location), "ticket-expired")


def test_another_browser_cannot_use_it(made: Made) -> None:
    location = ticket_for(Client(), made)
    thief = Client()
    begin(thief)
    assert_nobody(back(thief, location), "state-of-another-browser")


def test_it_belongs_to_its_log_in_and_its_site(made: Made) -> None:
    client = Client()
    (value,) = parse_qs(urlsplit(ticket_for(client, made)).query)["ticket"]
    other = urlencode({"state": begin(client), "ticket": value})
    assert_nobody(client.get(f"/logga-in/kort/?{other}"), "ticket-of-another-log-in")
    location = ticket_for(client, made)
    LogInTicket.objects.update(face="minasidor")
    assert_nobody(back(client, location), "ticket-of-another-log-in", "ticket-of-another-log-in")


def test_a_log_in_gets_one_ticket_and_an_unknown_or_old_state_none(made: Made) -> None:
    client = Client()
    state, late = begin(client), begin(client)
    der = made.certificates[HSA]
    assert present(state, der).status_code == 303
    assert present(state, der).status_code == 400
    assert present("x" * 43, der).status_code == 400
    with clock.moved_to(clock.now() + dt.timedelta(minutes=16)):
        assert present(late, der).status_code == 400
    assert LogInTicket.objects.count() == 1
    assert reasons() == ["ticket-repeated", "state-unknown", "state-expired"]


def test_a_providers_answer_and_a_ticket_do_not_replace_each_other(made: Made, settings: Any) -> None:
    client = Client()
    query = urlencode({"state": begin(client), "code": "c" * 43})
    assert_nobody(client.get(f"/logga-in/svar/?{query}"), "provider-unknown")


def test_a_revocation_between_ticket_and_log_in_counts(made: Made) -> None:
    client = Client()
    location = ticket_for(client, made)
    revoke(made, HSA)
    assert_nobody(back(client, location), "certificate-revoked")


def revoke(made: Made, profile: str) -> None:
    row = made.carrier.certificates.get(profile=profile)
    certificate = Certificate.objects.select_related("ca").get(pk=row.pk)
    request = RevocationRequest("keyCompromise", "user:operator", clock.now(), "system")
    revoke_serial(certificate.ca, int(certificate.serial, 16), request)


def test_what_is_no_certificate_for_log_in_leads_back_and_is_refused_there(made: Made, world: Any) -> None:
    held = sent_card(world)
    der = made.certificates[HSA]
    cases: list[tuple[bytes, str]] = [
        (made.certificates[SIGN], "certificate-not-for-log-in"),
        (held.certificates[HSA], "certificate-on-hold"),
        (SmallCa().issue("stranger").der, "certificate-unknown"),
    ]
    client = Client()
    for number, (wrong, reason) in enumerate(cases, 1):
        answer = present(begin(client), wrong)
        page = back(client, answer["Location"])
        assert page.status_code == 400
        assert "Inloggningen gick inte att slutföra" in page.content.decode()
        assert reasons()[-1] == reason
        assert len(reasons()) == number, "one event for each"
    Carrier.objects.filter(pk=made.carrier.pk).update(assurance_level=2)
    back(client, present(begin(client), der)["Location"])
    with clock.moved_to(clock.now() + dt.timedelta(days=6 * 365)):
        back(client, present(begin(client), der)["Location"])
    assert reasons()[-2:] == ["certificate-level", "certificate-out-of-time"]
    assert not Session.objects.exclude(subject_ref="").exists()


def test_s28_a_header_from_outside_is_nothing_to_a_site_and_none_is_needed_by_the_face(made: Made) -> None:
    """The sites stand behind a front that does not set the header, so there it may be anybody's."""
    client = Client()
    state = begin(client)
    forged = {HEADER: quote(pem(made.certificates[HSA]))}
    assert client.get("/logga-in/kort/", {"state": state}, headers=forged).status_code == 400
    assert present(begin(client), None).status_code == 400
    unreadable = present(begin(client), None, **{HEADER: "forged"})
    assert unreadable.status_code == 400
    state = begin(client)
    with face("login", MTLS_CERTIFICATE_HEADER=""):  # without a front before it
        assert Client().get("/logga-in/", {"state": state}, headers=forged).status_code == 400
    assert not LogInTicket.objects.exists()
    assert not Session.objects.exclude(subject_ref="").exists()


def test_who_has_no_role_is_told_what_to_do(world: Any) -> None:
    client = Client()
    answer = back(client, ticket_for(client, activated_card(world)))
    assert answer.status_code == 403
    assert "Du har ingen roll i portalen" in answer.content.decode()
    assert reasons() == ["no-role"]


def test_an_installation_without_the_face_offers_nothing(settings: Any, world: Any) -> None:
    settings.LOGIN_BASE_URL = ""
    assert "Använd kort i datorn" not in Client().get("/logga-in/").content.decode()


def test_a_step_up_with_the_card_renews_the_session_of_its_holder_alone(made: Made, world: Any) -> None:
    client = Client()
    back(client, ticket_for(client, made))
    session = Session.objects.get(ended_at=None)
    assert back(client, ticket_for(client, made))["Location"] == "/installningar/"
    renewed = Session.objects.get(ended_at=None)
    assert (renewed.pk, renewed.key_hash != session.key_hash) == (session.pk, True)
    other = activated_card(world, world.post())
    role_assignment.assign_role(actor=SETUP, person_id=other.carrier.person_id, role=Role.GLOBAL_READER)
    assert back(client, ticket_for(client, other)).status_code == 403
    assert reasons() == ["step-up-other-person"]
