"""A holder tests each certificate in the eID app, and has a signature certificate of an old card as a file."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import transaction as database
from django.test import Client
from django.urls import reverse

from authn.models import Session
from issuance.activation.api.v1.serializers import StartAnswer
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import activation_app
from issuance.activation.services.visits import Opened
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.minasidor.domain import Means
from issuance.minasidor.services import testing
from issuance.records.models.events import Event
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.simulators import eid_app_documents
from siths_portal.simulators.eid_app_errors import Untrusted
from tests.issuance.activated import App, Made, activated_card, pem
from tests.issuance.minasidor.mina import card_client, holder_client
from tests.issuance.minasidor.test_pages import step, text

pytestmark = pytest.mark.usefixtures("demo_pki")

PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")


@pytest.fixture
def made(world: Any, mina: None) -> Made:
    """The holder's card in use."""
    return activated_card(world)


@pytest.fixture
def client(made: Made) -> Client:
    """The holder, logged in on level 3."""
    return holder_client(made.carrier.person)


def certificate_of(made: Made, profile: str) -> str:
    return str(CarrierCertificate.objects.get(carrier=made.carrier, profile=profile).pk)


def opened(client: Client, made: Made, profile: str) -> tuple[str, App]:
    """The page of a test that the holder began, and the app that has started it with the card in the reader."""
    path = client.post(reverse("my_test", args=[certificate_of(made, profile)]))["Location"]
    app = App(made)
    app.start(Opened(EidAppTransaction.objects.latest("created_at"), client.get(path).context["handle"]))
    return path, app


def test_each_certificate_is_tested_with_its_own_key(client: Client, made: Made) -> None:
    assert text(client.get(reverse("my_tests"))).count("Gäller till och med") == len(PROFILES)
    on_card = {name: pem(der) for name, der in made.certificates.items()}
    for profile in PROFILES:
        path, app = opened(client, made, profile)
        assert app.started is not None
        assert eid_app_documents.label_of(on_card, app.started.signing_certificate) == profile
        told = {name: getattr(app.started, name) for name in app.started.__dataclass_fields__}
        assert StartAnswer(told).data["signing_certificate"] == app.started.signing_certificate
        assert client.get(f"{path}lage/", {"sedan": "created"})["HX-Refresh"] == "true"
        activation_app.complete(step_token=app.token, signature=made.keys.sign(app.started.statement, profile))
        use = "Legitimering" if profile.endswith("auth") else "Underskrift"
        owner = "SITHS eID för Regionen" if "hsaid" in profile else "Person-id"
        answer = text(client.get(path))
        assert f"Certifikatet fungerar {use}, {owner}. Kortet som slutar på {made.keys.serial[-4:]} svarade" in answer
        statement = Statement.objects.filter(purpose=testing.PURPOSE).latest("signed_at")
        assert str(statement.certificate_id) == certificate_of(made, profile)
        assert Event.objects.filter(action="transaction.completed", subject_ref=str(statement.pk)).count() == 1
    with pytest.raises(Untrusted):
        eid_app_documents.label_of(on_card, "0" * 64)


def test_another_key_of_the_card_is_no_answer(client: Client, made: Made, settings: Any) -> None:
    settings.ACTIVATION_WRONG_PROOFS = 2
    path, app = opened(client, made, "person-hsaid-auth")
    assert app.started is not None
    for _ in range(2):
        with pytest.raises(Invalid):
            activation_app.complete(step_token=app.token, signature=made.keys.sign(app.started.statement, "person-id-sign"))
    assert "Certifikatet fungerar inte" in text(client.get(path))


def test_what_the_card_refuses_is_said_and_a_cancelled_test_begins_again(client: Client, made: Made) -> None:
    path, _app = opened(client, made, "person-hsaid-auth")
    client.post(path)
    assert "Appen är redan öppnad" in text(client.get(path))
    EidAppTransaction.objects.update(card_report="wrong-code")
    assert "Koden var fel. Försök igen i appen." in text(client.get(path))
    assert client.get(f"{path}lage/", {"sedan": "started"})["HX-Refresh"] == "true"
    assert client.post(f"{path}avbryt/")["Location"] == path
    assert "Testet blev inte av" in step(client.get(path))
    again = client.post(reverse("my_test", args=[certificate_of(made, "person-hsaid-auth")]))["Location"]
    first = client.get(again).context["handle"]
    client.post(again)
    assert client.get(again).context["handle"] not in ("", first)


def test_a_blocked_code_leads_to_what_the_log_in_offers(client: Client, made: Made) -> None:
    path, _app = opened(client, made, "person-hsaid-auth")
    ways = [reverse("my_unlockings"), f"{reverse('help')}#koden"]

    def shown(page: str) -> list[bool]:
        return [f'<a class="ds-link" href="{way}">' in page for way in ways]

    assert shown(client.get(path).content.decode()) == [False, False]
    EidAppTransaction.objects.update(card_report="code-blocked")
    page = client.get(path)
    assert "Koden är spärrad efter 3 felaktiga försök" in text(page)
    assert shown(page.content.decode()) == [True, False]


def test_a_certificate_that_ends_during_the_test_is_no_answer(client: Client, made: Made) -> None:
    path, app = opened(client, made, "person-hsaid-sign")
    assert app.started is not None
    with database.atomic():
        pki.plan_revocation(
            [uuid.UUID(certificate_of(made, "person-hsaid-sign"))],
            reason="keyCompromise",
            actor_ref="user:1",
            received_at=clock.now(),
            channel="portal",
        )
    with pytest.raises(Conflict, match="certificate-not-in-force"):
        activation_app.complete(step_token=app.token, signature=made.keys.sign(app.started.statement, "person-hsaid-sign"))
    assert "Certifikatet fungerar" not in text(client.get(path))


def test_nobody_tests_the_card_of_another_person(world: Any, client: Client, made: Made) -> None:
    path, _app = opened(client, made, "person-hsaid-auth")
    begin = reverse("my_test", args=[certificate_of(made, "person-hsaid-auth")])
    stranger = holder_client(world.post().person)
    for refused in (stranger.get(path), stranger.post(path), stranger.get(f"{path}lage/"), stranger.post(f"{path}avbryt/")):
        assert refused.status_code == 404
    assert stranger.post(begin).status_code == card_client(made.carrier.pk).post(begin).status_code == 404
    page = text(card_client(made.carrier.pk).get(reverse("my_tests")))
    assert ("reservkortets eget certifikat" in page, "Regionen" in page) == (True, False)


def test_so_many_tests_an_hour(client: Client, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "MOST_AN_HOUR", 2)
    begin = reverse("my_test", args=[certificate_of(made, "person-hsaid-auth")])
    assert [client.post(begin).status_code for _ in range(3)] == [302, 302, 429]
    assert "Vänta en timme" in text(client.post(begin))


def test_the_log_in_is_tested_by_one_more(client: Client, made: Made) -> None:
    path = reverse("my_tests")
    assert "Legitimeringen fungerar. Du loggade in just nu." in text(client.get(path))
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(minutes=3))
    assert "Legitimeringen fungerade när du loggade in" in text(client.get(path))
    assert client.post(path)["Location"] == "/logga-in/?next=%2Ftesta%2F"
    assert "Legitimera dig igen" in text(client.get("/logga-in/?next=/testa/"))


def test_an_old_card_has_its_signature_certificates_as_files_and_no_other_card_has(client: Client, made: Made) -> None:
    sign, auth = (
        reverse("my_signature_certificate", args=[certificate_of(made, f"person-hsaid-{use}")]) for use in ("sign", "auth")
    )
    assert client.get(sign).status_code == 404
    Carrier.objects.filter(pk=made.carrier.pk).update(origin="migrated")
    assert sign in client.get(reverse("my_tests")).content.decode()
    answer = client.get(sign)
    assert (answer.content, answer["Content-Type"]) == (made.certificates["person-hsaid-sign"], "application/pkix-cert")
    assert answer["Content-Disposition"] == 'attachment; filename="underskriftscertifikat.cer"'
    assert "no-store" in answer["Cache-Control"]
    level_two = holder_client(made.carrier.person, Means.LOA2)
    assert (client.get(auth).status_code, level_two.get(sign).status_code) == (404, 403)
    assert sign not in level_two.get(reverse("my_tests")).content.decode()


def test_a_card_without_a_card_key_is_tested_by_a_log_in(holding: Any) -> None:
    client = holder_client(holding.person)
    assert "Testas genom att du loggar in med det." in text(client.get(reverse("my_tests")))
    certificate = CarrierCertificate.objects.filter(carrier=holding.active)[0]
    answer = client.post(reverse("my_test", args=[certificate.pk]))
    assert (answer.status_code, "Testa det genom att logga in med det" in text(answer)) == (409, True)
