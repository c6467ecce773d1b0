"""Orders and changes reach a supplier that takes push once, whatever it answers; only what it proves is believed (S30)."""

import datetime as dt
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from authn.models import ServiceClient
from authn.service import push_endpoints
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.customisations.models import CardCustomisation
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering, queueing
from issuance.records.models.events import Event
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push import domain
from issuance.suppliers.push.domain import Breaker, Outcome
from issuance.suppliers.push.models import PushAttempt, PushDelivery, SupplierConnection
from issuance.suppliers.push.ports import Channel
from issuance.suppliers.push.services import handling, outbox, sending
from issuance.suppliers.services import supplier_intake
from issuance.tasks import push_due, push_to
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict, Forbidden, NotFound
from tests.faults.tally import Tally
from tests.issuance.suppliers.lettering import ordered_letter, read
from tests.issuance.suppliers.push.conftest import Receiver
from tests.issuance.suppliers.test_items import sent
from tests.openapi_files import description_in
from tests.waiting import wait_for

ME = "bureau"
NOW = dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.UTC)


def make_due() -> None:
    """Ends the waits of deliveries, and the pause of calls."""
    PushDelivery.objects.filter(state="waiting").update(next_at=clock.now())
    SupplierConnection.objects.update(open_until=None, failures=0)


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in PushDelivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def outcomes(order: CardOrder) -> list[tuple[str, str]]:
    calls = PushAttempt.objects.filter(delivery__order=order).order_by("id")
    return list(calls.values_list("outcome", "code"))


def state_of(order: CardOrder) -> str:
    return str(CardOrder.objects.values_list("state", flat=True).get(pk=order.pk))


def test_an_order_is_pushed_once_and_its_answer_accepts_it(world: Any, receiver: Receiver) -> None:
    order = world.order()
    assert push_to(ME) is None
    assert (receiver.orders(), state_of(order), states()) == ([str(order.id)], "accepted", {"delivered": 1})
    assert Event.objects.get(action="order.accepted", subject_ref=str(order.id)).actor_ref == f"client:{ME}"
    assert Event.objects.filter(action="order.address_read", subject_ref=str(order.id)).count() == 1
    assert sending.push_to(ME) == 0
    assert receiver.calls(order.push_deliveries.get().pk) == 1


@pytest.mark.usefixtures("authorities")
def test_a_puk_letter_is_pushed_like_a_card(world: Any, receiver: Receiver) -> None:
    """A pushed order does not contain the PUK. The supplier fetches it by the API."""
    card = world.order()
    push_to(ME)
    sent(card, 1)
    used = {"state": "active", "origin": "migrated", "activated_at": clock.now(), "code_set_at": clock.now()}
    Carrier.objects.filter(pk=card.carrier_id).update(**used)
    ServiceClient.objects.filter(client_ref=ME).update(letter_certificate="0" * 64)
    letter = ordered_letter(world, card.carrier)
    push_to(ME)
    assert (receiver.orders(), state_of(letter)) == (sorted([str(card.id), str(letter.id)]), "accepted")
    assert read(letter) is None


def test_the_outbox_row_comes_and_goes_with_the_order(world: Any, receiver: Receiver) -> None:
    post, actor = world.post(), world.officer()

    def fail(_order: CardOrder) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ordering.submit_order(
            actor=actor, post_id=post.id, article_code="631", office_id=world.office.id, idempotency_key="k", placed=fail
        )
    assert not PushDelivery.objects.exists()
    world.order(post)
    assert PushDelivery.objects.count() == 1


def test_a_supplier_that_begins_to_take_push_gets_the_orders_that_wait(world: Any, receiver: Receiver) -> None:
    order = world.order()
    PushDelivery.objects.all().delete()
    push_due()
    sending.push_to(ME)
    assert receiver.orders() == [str(order.id)]
    assert outbox.add_missing([ME]) == 0
    assert sending.push_to("another") == 0, "it is not pushed to"


def test_an_order_that_is_queued_again_is_pushed_with_another_key(world: Any, receiver: Receiver) -> None:
    order = world.order()
    sending.push_to(ME)
    CardOrder.objects.filter(pk=order.pk).update(state="queued", accepted_at=None)
    order.refresh_from_db()
    with transaction.atomic():
        queueing.queued(order)
    sending.push_to(ME)
    first, second = order.push_deliveries.order_by("id")
    assert (first.state, second.state, receiver.calls(second.pk)) == ("delivered", "delivered", 1)
    assert outbox.add_missing([ME]) == 0


def test_an_answer_that_is_doubled_makes_one_order(world: Any, receiver: Receiver) -> None:
    """Answers that are lost are in `test_outages.py`."""
    receiver.behave(twice=True)
    first, second = world.order(), world.order()
    sending.push_to(ME)
    assert {state_of(first), state_of(second)} == {"accepted"}
    receiver.behave()
    make_due()
    assert sending.push_to(ME) == 0
    assert (len(receiver.orders()), states()) == (2, {"delivered": 2})
    assert receiver.calls(first.push_deliveries.get().pk) == 1
    assert Event.objects.filter(action="order.accepted").count() == 2


def test_an_order_that_is_taken_without_an_answer_in_time_is_there_once(
    world: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    from issuance.suppliers.push.adapters import rest

    order = world.order()
    receiver.behave(silent=True)
    with monkeypatch.context() as hasty, override_settings(OUTBOUND_READ_TIMEOUT=0.2):
        hasty.setattr(rest, "_client", rest._client.__wrapped__)
        sending.push_to(ME)
    assert (outcomes(order), state_of(order)) == ([("no-answer", "upstream-unreachable")], "queued")
    wait_for(lambda: receiver.orders() == [str(order.id)], "the supplier's record")
    receiver.behave()
    make_due()
    assert sending.push_to(ME) == 1
    assert (state_of(order), states(), receiver.orders()) == ("accepted", {"delivered": 1}, [str(order.id)])
    assert receiver.calls(order.push_deliveries.get().pk) == 2, "the same key each time"
    tally.run([str(order.id)], receiver.taken(), "orders of the supplier")


def test_no_lie_is_believed(world: Any, receiver: Receiver) -> None:
    order = world.order()
    lies = {
        "unsigned": "webhook-malformed", "stranger": "webhook-signature", "old": "webhook-time",
        "another": "answer-about-another", "bytes": "answer-about-another",
    }  # fmt: skip
    for lie in lies:
        receiver.behave(lie=lie)
        make_due()
        assert sending.push_to(ME) == 1
    assert outcomes(order) == [("bad-answer", code) for code in lies.values()]
    assert (state_of(order), states()) == ("queued", {"waiting": 1})
    receiver.behave()
    make_due()
    sending.push_to(ME)
    assert (state_of(order), receiver.orders()) == ("accepted", [str(order.id)])


def test_an_answer_is_good_for_one_delivery(world: Any, receiver: Receiver) -> None:
    receiver.behave(lie="used")
    first, second = world.order(), world.order()
    sending.push_to(ME)
    assert outcomes(first) == [("taken", "")]
    assert outcomes(second) == [("bad-answer", "answer-reused")]
    assert (state_of(first), state_of(second)) == ("accepted", "queued")


def test_either_side_changes_its_key(world: Any, receiver: Receiver, push_folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from authn.models import ServiceClient
    from siths_portal.lib.http import webhooks

    file, new = push_folder / "signing.keys", Ed25519PrivateKey.generate()
    old = file.read_text()
    try:
        file.write_text(f"{webhooks.private_key_text(new)}\n{old}\n")
        client = ServiceClient.objects.get(client_ref=ME)
        client.push["keys"] = [webhooks.public_key_text(new.public_key()), *receiver.keys]
        client.save()
        world.order()
        sending.push_to(ME)
        assert states() == {"delivered": 1}, "the old key of each is still known"
        file.write_text(webhooks.private_key_text(new))
        order = world.order()
        sending.push_to(ME)
        assert outcomes(order) == [("no-answer", "not-signed")], "the supplier does not know the new one yet"
    finally:
        file.write_text(old)


def test_nothing_is_sent_to_an_address_that_is_not_allowed(world: Any, receiver: Receiver, settings: Any) -> None:
    order = world.order()
    for hosts in ([], ["localhost"], [f"x{receiver.host}"]):
        settings.SUPPLIER_PUSH_HOSTS = hosts
        make_due()
        sending.push_to(ME)
    assert outcomes(order) == [("no-answer", "push-host-not-allowed")] * 3
    settings.SUPPLIER_PUSH_HOSTS, settings.SUPPLIER_PUSH_FOLDER = [receiver.host], "/nonexistent"
    make_due()
    sending.push_to(ME)
    assert outcomes(order)[-1] == ("no-answer", "push-keys-missing")
    assert receiver.orders() == []


def test_a_refusal_waits_for_an_operator_who_sends_it_again(world: Any, receiver: Receiver) -> None:
    receiver.behave(refuse="article-unknown")
    order = world.order()
    sending.push_to(ME)
    delivery = order.push_deliveries.get()
    assert (states(), outcomes(order)) == ({"dead": 1}, [("refused", "article-unknown")])
    told = Event.objects.get(action="supplier.delivery_stopped")
    assert (told.subject_ref, told.facts) == (ME, {"delivery": str(delivery.pk), "reason": "article-unknown"})
    make_due()
    assert sending.push_to(ME) == 0
    receiver.behave()
    operator = world.officer(role=Role.PKI_OPERATOR)
    with pytest.raises(Forbidden):
        handling.replay(actor=world.officer(role=Role.MASTER_DATA_ADMIN), delivery_id=delivery.pk)
    with pytest.raises(NotFound):
        handling.replay(actor=operator, delivery_id=uuid4())
    assert handling.replay(actor=operator, delivery_id=delivery.pk) == ME
    with pytest.raises(Conflict):
        handling.replay(actor=operator, delivery_id=delivery.pk)
    sending.push_to(ME)
    assert (state_of(order), states(), receiver.orders()) == ("accepted", {"delivered": 1}, [str(order.id)])
    assert Event.objects.get(action="supplier.deliveries_replayed").actor_ref == operator.ref


def test_every_stopped_delivery_is_sent_again_at_once(world: Any, receiver: Receiver) -> None:
    receiver.behave(refuse="closed")
    for _ in range(3):
        world.order()
    sending.push_to(ME)
    receiver.behave()
    operator = world.officer(role=Role.PKI_OPERATOR)
    assert handling.replay_all(actor=operator, client_ref=ME) == 3
    assert handling.replay_all(actor=operator, client_ref=ME) == 0
    assert Event.objects.filter(action="supplier.deliveries_replayed").count() == 1
    assert sending.push_to(ME) == 3
    with pytest.raises(NotFound):
        handling.replay_all(actor=operator, client_ref="another")


def test_a_supplier_that_is_down_is_asked_rarely(world: Any, receiver: Receiver) -> None:
    receiver.behave(down=True)
    for _ in range(domain.TRIP_AFTER + 2):
        world.order()
    assert sending.push_to(ME) == domain.TRIP_AFTER
    assert sending.push_to(ME) == 0, "the calls are interrupted"
    SupplierConnection.objects.update(open_until=clock.now())
    assert sending.push_to(ME) == 1, "one call tries"
    receiver.behave()
    SupplierConnection.objects.update(open_until=clock.now())
    PushDelivery.objects.filter(state="waiting").update(next_at=clock.now())
    assert sending.push_to(ME) == domain.TRIP_AFTER + 2
    assert (SupplierConnection.objects.get().failures, states()) == (0, {"delivered": domain.TRIP_AFTER + 2})


def test_a_paused_supplier_gets_nothing_until_it_is_resumed(world: Any, receiver: Receiver) -> None:
    operator = world.officer(role=Role.PKI_OPERATOR)
    for _ in range(2):
        handling.pause(actor=operator, client_ref=ME)
    order = world.order()
    assert (sending.push_to(ME), receiver.orders()) == (0, [])
    for _ in range(2):
        handling.resume(actor=operator, client_ref=ME)
    sending.push_to(ME)
    assert state_of(order) == "accepted"
    told = Event.objects.filter(subject_type="supplier").order_by("id").values_list("action", "actor_ref")
    assert list(told) == [("supplier.paused", operator.ref), ("supplier.resumed", operator.ref)]
    with pytest.raises(Forbidden):
        handling.pause(actor=world.officer(role=Role.GLOBAL_READER), client_ref=ME)


def test_an_order_waits_while_its_print_is_not_verified(world: Any, receiver: Receiver) -> None:
    order = world.order()
    verified = CardCustomisation.objects.filter(pk=order.customisation_id)
    at = verified.get().verified_at
    verified.update(verified_at=None)
    assert (sending.push_to(ME), receiver.orders()) == (0, [])
    verified.update(verified_at=at)
    assert sending.push_to(ME) == 1


def test_a_withdrawn_order_is_not_sent_and_its_change_is(world: Any, receiver: Receiver) -> None:
    order = world.order()
    ordering.cancel_order(actor=world.officer(), order_id=order.id)
    sending.push_to(ME)
    assert receiver.orders() == []
    assert states() == {"needless": 1, "delivered": 1}
    (change,) = receiver.changes()
    assert (change["kind"], change["order"], change["reason"]) == ("cancelled", str(order.id), "withdrawn")


class Meanwhile:
    """The channel, with something that happens between the supplier's answer and its recording."""

    def __init__(self, channel: Any, act: Any) -> None:
        self.channel, self.act = channel, act

    def send_order(self, *arguments: Any) -> Any:
        answer = self.channel.send_order(*arguments)
        self.act()
        return answer

    def send_change(self, *arguments: Any) -> Any:
        return self.channel.send_change(*arguments)


def test_an_order_that_is_withdrawn_during_the_call_is_told_of(world: Any, receiver: Receiver) -> None:
    order = world.order()
    officer = world.officer()
    channel = ports.get(Channel)

    def withdraw() -> None:
        ordering.cancel_order(actor=officer, order_id=order.id)
        PushDelivery.objects.filter(change__order=order).update(state="delivered", next_at=None, settled_at=clock.now())

    ports.connect(Channel, Meanwhile(channel, withdraw))
    try:
        sending.push_to(ME)
    finally:
        ports.connect(Channel, channel)
    assert (state_of(order), receiver.orders(), states()) == ("cancelled", [str(order.id)], {"delivered": 2})
    assert [change["kind"] for change in receiver.changes()] == ["cancelled"], "told although it was told before"


def test_a_supplier_may_accept_by_the_api_as_well(world: Any, receiver: Receiver) -> None:
    order = world.order()
    supplier_intake.accept(client_ref=ME, order_id=order.id)
    sending.push_to(ME)
    assert (state_of(order), states()) == ("accepted", {"delivered": 1})
    assert Event.objects.filter(action="order.accepted").count() == 1


def test_a_register_that_is_down_is_not_the_suppliers_fault(world: Any, receiver: Receiver) -> None:
    order = world.order()
    world.outside.down = True
    sending.push_to(ME)
    assert outcomes(order) == [("held", "person-register")]
    assert SupplierConnection.objects.get().failures == 0
    world.outside.down = False
    make_due()
    sending.push_to(ME)
    assert state_of(order) == "accepted"


def test_calls_are_kept_and_neither_changed_nor_deleted(world: Any, receiver: Receiver) -> None:
    world.order()
    sending.push_to(ME)
    for statement in ("UPDATE issuance_pushattempt SET outcome = 'x'", "DELETE FROM issuance_pushanswer"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


class TestBody:
    """What is sent is what the supplier API says of the order, and the description of the calls says so too."""

    @pytest.fixture
    def sent(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
        """The path and the body of each call."""
        from issuance.suppliers.push.adapters import rest

        call, kept = rest._call, []

        def keeping(endpoint: Any, method: str, path: str, key: Any, body: bytes, **more: Any) -> Any:
            kept.append((path, json.loads(body)))
            return call(endpoint, method, path, key, body, **more)

        monkeypatch.setattr(rest, "_call", keeping)
        return kept

    def test_orders_and_changes_follow_the_description(self, world: Any, sent: list[tuple[str, dict[str, Any]]]) -> None:
        order = world.order(world.post(given_name="Åsa", surname="Ängström"))
        sending.push_to(ME)
        ordering.cancel_order(actor=world.officer(), order_id=world.order().id)
        sending.push_to(ME)
        for path, body in sent:
            described(path, body)
        (path, body), *_ = sent
        assert (path, body["id"], body["print"]["surname"]) == ("/orders", str(order.id), "Ängström")
        assert body["delivery"]["address"]["city"] == "Provstad"
        assert {path for path, _ in sent} == {"/orders", "/changes"}

    def test_no_address_of_a_protected_person_is_sent(self, world: Any, sent: list[tuple[str, dict[str, Any]]]) -> None:
        officer = world.officer(protected=True)
        world.order(world.post(protected=True), actor=officer)
        sending.push_to(ME)
        ((_, body),) = sent
        assert (body["delivery"]["forwarding"], body["delivery"]["address"]) == (True, None)
        described("/orders", body)

    def test_a_protection_between_two_calls_takes_the_address_away(
        self, world: Any, receiver: Receiver, sent: list[tuple[str, dict[str, Any]]], tally: Tally
    ) -> None:
        """F17: the first call got no answer, and the second sends what the register says by then."""
        order = world.order()
        receiver.behave(hang_up=True)
        sending.push_to(ME)
        world.outside.change_person(world.key_of(order.carrier.person), protected_person_indicator=True)
        receiver.behave()
        make_due()
        sending.push_to(ME)
        (_, before), (_, body) = sent
        assert before["delivery"]["address"]["city"] == "Provstad"
        assert (body["delivery"]["forwarding"], body["delivery"]["address"]) == (True, None)
        tally.run([str(order.id)], receiver.taken(), "orders of the supplier")

    def test_without_an_address_the_supplier_learns_why_from_the_api(
        self, world: Any, sent: list[tuple[str, dict[str, Any]]]
    ) -> None:
        post = world.post()
        world.order(post)
        world.outside.change_person(world.key_of(post.person), registered_address=None)
        sending.push_to(ME)
        ((_, body),) = sent
        assert (body["delivery"], states()) == (None, {"delivered": 1})
        described("/orders", body)


def described(path: str, body: dict[str, Any]) -> None:
    """Fails unless the body follows docs/wire/supplier-push.openapi.yaml, with no field that it does not name."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    root = Path(django_settings.BASE_DIR)
    file = root / "docs" / "wire" / "supplier-push.openapi.yaml"

    def read(uri: str) -> Resource[Any]:
        return Resource(description_in(Path(uri.removeprefix("file://"))), DRAFT202012)

    registry: Any = Registry(retrieve=read)  # type: ignore[call-arg]
    pointer = f"#/paths/{path.replace('/', '~1')}/post/requestBody/content/application~1json/schema"
    schema = registry.resolver(file.as_uri()).lookup(pointer)
    validator = Draft202012Validator({"$ref": file.as_uri() + pointer}, registry=registry)
    assert [error.message for error in validator.iter_errors(body)] == []
    target = schema.resolver.lookup(schema.contents["$ref"]).contents
    assert set(body) <= set(target["properties"])


class TestDomain:
    """The rules of waits and interruptions."""

    def test_the_breaker_opens_tries_and_closes(self) -> None:
        breaker = Breaker()
        for _ in range(domain.TRIP_AFTER - 1):
            breaker = breaker.after(Outcome.NO_ANSWER, NOW)
            assert breaker.admits(NOW)
        breaker = breaker.after(Outcome.BAD_ANSWER, NOW)
        assert not breaker.admits(NOW)
        later = NOW + dt.timedelta(seconds=31)
        assert breaker.admits(later)
        assert not breaker.trying(later).admits(later), "one call at a time tries"
        longer = breaker.after(Outcome.NO_ANSWER, later)
        assert longer.open_until == later + dt.timedelta(seconds=60)
        assert breaker.after(Outcome.HELD, later).failures == breaker.failures
        for answer in (Outcome.TAKEN, Outcome.REFUSED):
            assert longer.after(answer, later) == Breaker()
        worst = Breaker(10_000, NOW).after(Outcome.NO_ANSWER, NOW)
        assert worst.open_until == NOW + domain.LONGEST_PAUSE
        assert Breaker(9, NOW + dt.timedelta(days=9)).admits(NOW), "a clock ahead of time paused it"

    @pytest.mark.parametrize(
        ("outcome", "attempts", "given_up"),
        [(Outcome.REFUSED, 1, True), (Outcome.BAD_ANSWER, 9, False), (Outcome.BAD_ANSWER, 10, True),
         (Outcome.NO_ANSWER, 49, False), (Outcome.NO_ANSWER, 50, True), (Outcome.HELD, 1000, False)],
    )  # fmt: skip
    def test_deliveries_are_given_up_in_the_end(self, outcome: Outcome, attempts: int, given_up: bool) -> None:
        assert domain.is_given_up(outcome, attempts) is given_up


def test_only_suppliers_that_are_active_and_registered_so_are_pushed_to(world: Any, receiver: Receiver) -> None:
    from authn.models import ServiceClient

    ServiceClient.objects.create(client_ref="puller", kind="supplier", name="Hämtaren")
    assert set(push_endpoints()) == {ME}
    ServiceClient.objects.update(active=False)
    assert push_endpoints() == {}
    world.order()
    assert not PushDelivery.objects.exists()
    assert not SupplierChange.objects.filter(push_delivery__isnull=False).exists()
