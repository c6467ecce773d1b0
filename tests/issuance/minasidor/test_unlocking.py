"""A holder unlocks a card with another one on Mina sidor: what the worker asks for before it opens the PUK, and who may."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction as database
from django.test import Client
from django.urls import reverse

from issuance.activation.domain import own_unlocking
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import activation_app
from issuance.activation.services.unlock_check import VisitsOfHolders
from issuance.activation.services.visits import Opened
from issuance.authz import holder
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.minasidor.domain import Means
from issuance.minasidor.services import unlocking
from issuance.notices.models import EidNotice
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from pki import service as pki
from pki.models import SecretDelivery
from pki.secrets import delivering
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound
from tests.at_once import run_at_once
from tests.issuance.activated import PUK, App, Made, activated_card
from tests.issuance.minasidor.mina import holder_client
from tests.issuance.minasidor.test_pages import step, text

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def locked(world: Any) -> Made:
    """The card whose code the holder has forgotten."""
    return activated_card(world)


@pytest.fixture
def other(world: Any, locked: Made) -> Made:
    """Another card in use of the same holder."""
    return activated_card(world, Post.objects.get(person=locked.carrier.person_id))


@pytest.fixture
def client(locked: Made, other: Made, mina: None) -> Client:
    """The holder, logged in with the other card."""
    return holder_client(locked.carrier.person)


def sign(made: Made, opened: Opened) -> None:
    """The holder signs in the app with the card in the reader."""
    app = App(made)
    started = app.start(opened)
    activation_app.complete(step_token=app.token, signature=made.keys.sign(started.statement))


def signed(locked: Made, other: Made) -> Opened:
    """The transaction of the locked card, after the signature of the other one."""
    me = holder(locked.carrier.person_id)
    opened = unlocking.ask(actor=me, carrier_id=locked.carrier.pk)
    sign(other, opened)
    return unlocking.unlock(actor=me, transaction_id=opened.transaction.pk)


def test_a_holder_unlocks_a_card_with_another_one(locked: Made, other: Made, client: Client) -> None:
    page = client.get(reverse("my_unlockings"))
    assert f"Du skriver under med kortet som slutar på {other.carrier.card_serial[-4:]}" in text(page)
    begun = client.post(reverse("my_unlock", args=[locked.carrier.pk]))["Location"]
    shown = client.get(begun)
    row = EidAppTransaction.objects.get(statement__purpose=own_unlocking.PURPOSE)
    assert (row.origin, shown.context["handle"][:4]) == (settings.MINASIDOR_BASE_URL, "osi.")
    sign(other, Opened(row, shown.context["handle"]))
    assert client.get(f"{begun}lage/", {"sedan": "created"})["HX-Refresh"] == "true"
    signed_page = client.get(begun)
    assert "sätt i kortet som slutar på" in text(signed_page)
    following = client.post(f"{begun}nasta/")["Location"]
    assert client.get(begun)["Location"] == client.post(f"{begun}nasta/")["Location"] == following
    told = EidNotice.objects.filter(about="unlocked").values_list("carrier", flat=True)
    assert list(told) == [locked.carrier.pk], "the holder is told of it before the app gets the PUK, once"
    followed = client.get(following)
    row, app = EidAppTransaction.objects.get(kind="unlock"), App(locked)
    assert (row.origin, followed.context["handle"][:4]) == (settings.MINASIDOR_BASE_URL, "oun.")
    started = app.start(Opened(row, followed.context["handle"]))
    assert (started.kind, app.secrets["puk"]) == ("unlock", PUK)
    assert app.set_code() == "completed"
    done = client.get(following)
    assert "Kortet är upplåst" in text(done)
    assert all(PUK not in each.content.decode() for each in (page, shown, followed, done))
    twice = re.compile(r'<button[^>]* name="[^>]* name="')  # a browser sends the first name only, which presses nothing
    assert not any(twice.search(each.content.decode()) for each in (page, shown, signed_page, followed))
    event = Event.objects.get(action="carrier.unlocked", subject_ref=str(locked.carrier.pk))
    assert (event.actor_ref, event.facts["statement"]) == (f"holder:{locked.carrier.person_id}", str(row.ground_id))


FAULTS = (
    ("unsigned", "not-signed"),
    ("of another purpose", "not-signed"),
    ("old", "too-old"),
    ("of another card", "another-card"),
    ("content", "other-content"),
    ("by the locked card", "another-person"),
    ("another person's", "another-person"),
    ("revoked", "carrier-not-valid"),
    ("level 2", "carrier-not-valid"),
    ("certificate", "another-certificate"),
)


def test_a_signature_over_something_else_opens_no_puk(locked: Made, other: Made) -> None:
    """As by a process that may write statements: the time of an old one is changed, and the signature is not over it."""
    opened, app = signed(locked, other), App(locked)
    assert activation_app.start(handle=opened.handle, proof=app.proof(opened)) is None
    rows = Statement.objects.filter(purpose=own_unlocking.PURPOSE)
    later = (clock.now() - dt.timedelta(seconds=5)).astimezone(dt.UTC).isoformat(timespec="seconds")
    rows.update(content={**rows.get().content, "at": later})
    delivering.deliver_secrets()
    delivery = SecretDelivery.objects.get(kind="unlock")
    assert (delivery.state, delivery.failure, delivery.jwe) == ("refused", "visit-signature", None)


def test_without_a_fresh_signature_of_another_carrier_the_worker_refuses(world: Any, locked: Made, other: Made) -> None:
    opened, app = signed(locked, other), App(locked)
    assert activation_app.start(handle=opened.handle, proof=app.proof(opened)) is None
    row = EidAppTransaction.objects.get(pk=opened.transaction.pk)
    assert row.delivery_id is not None
    owner = carrier_ref(locked.carrier.pk)
    asked = pki.Unlocking(delivery_id=row.delivery_id, carrier_ref=owner, handle_sha256=row.handle_sha256)
    rows, cards = Statement.objects.filter(purpose=own_unlocking.PURPOSE), Carrier.objects.filter(pk=other.carrier.pk)
    content, signing = rows.get().content, EidAppTransaction.objects.filter(pk=row.ground_id)
    hour_ago, strange = (clock.now() - dt.timedelta(hours=1)).isoformat(), world.order().carrier
    break_it: dict[str, Callable[[], object]] = {
        "unsigned": lambda: rows.update(certificate_id=None),
        "of another purpose": lambda: rows.update(purpose="reserve_card_first"),
        "old": lambda: rows.update(content={**content, "at": hour_ago}),
        "of another card": lambda: rows.update(subject_ref=other.carrier.pk),
        "content": lambda: rows.update(content={**content, "card_serial": "1"}),
        "by the locked card": lambda: signing.update(carrier=locked.carrier),
        "another person's": lambda: signing.update(carrier=strange),
        "revoked": lambda: cards.update(state="revoked"),
        "level 2": lambda: cards.update(assurance_level=2),
        "certificate": lambda: rows.update(certificate_id=uuid.uuid4()),
    }
    found = {}
    for fault, _reason in FAULTS:
        with database.atomic():
            break_it[fault]()
            found[fault] = VisitsOfHolders().refusal(asked)
            database.set_rollback(True)
    assert found == dict(FAULTS)
    assert VisitsOfHolders().refusal(asked) == ""


def test_one_signature_is_for_one_unlocking(locked: Made, other: Made) -> None:
    first, me = signed(locked, other), holder(locked.carrier.person_id)
    again = unlocking.unlock(actor=me, transaction_id=first.transaction.ground_id)
    assert (again.transaction.pk, again.handle != first.handle) == (first.transaction.pk, True)
    unlocking.cancel(actor=me, transaction_id=first.transaction.pk)
    with pytest.raises(Conflict, match="statement-used"):
        unlocking.unlock(actor=me, transaction_id=first.transaction.ground_id)


def test_only_ones_own_card_and_never_with_itself(world: Any, locked: Made) -> None:
    with pytest.raises(NotFound):
        unlocking.ask(actor=holder(world.post().person_id), carrier_id=locked.carrier.pk)
    me = holder(locked.carrier.person_id)
    with pytest.raises(Conflict, match="no-other-carrier"):
        unlocking.ask(actor=me, carrier_id=locked.carrier.pk)
    Carrier.objects.filter(pk=locked.carrier.pk).update(kind="reserve_card")
    assert unlocking.lockable(me) == []
    with pytest.raises(Conflict, match="carrier-not-active"):
        unlocking.ask(actor=me, carrier_id=locked.carrier.pk)


def test_so_many_tries_a_day_also_at_once(locked: Made, other: Made, client: Client) -> None:
    me = holder(locked.carrier.person_id)
    run_at_once(8, lambda: unlocking.ask(actor=me, carrier_id=locked.carrier.pk))
    assert Statement.objects.filter(purpose=own_unlocking.PURPOSE).count() == unlocking.MOST_A_DAY
    answer = client.post(reverse("my_unlock", args=[locked.carrier.pk]))
    assert (answer.status_code, "för många gånger i dag" in text(answer)) == (429, True)


def test_a_step_is_its_holders_alone(world: Any, locked: Made, other: Made, client: Client) -> None:
    opened = unlocking.ask(actor=holder(locked.carrier.person_id), carrier_id=locked.carrier.pk)
    path = reverse("my_unlocking", args=[opened.transaction.pk])
    stranger = holder_client(world.post().person)
    for found in (path, f"{path}lage/"):
        assert stranger.get(found).status_code == 404
    for found in (path, f"{path}nasta/", f"{path}avbryt/"):
        assert stranger.post(found).status_code == 404
    assert holder_client(locked.carrier.person, Means.LOA2).get(path).status_code == 403
    assert client.post(f"{path}nasta/")["Location"] == path
    assert "Skriv under med ditt andra kort först" in text(client.get(path))
    client.post(path)
    assert client.get(path).context["handle"] not in ("", opened.handle)
    client.post(f"{path}avbryt/")
    assert "Upplåsningen blev inte av" in step(client.get(path))
