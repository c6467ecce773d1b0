"""How carriers of every kind are made, step by step, for tests of whole lives. Needs the fixtures `demo_pki` and `world`."""

import datetime as dt
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from issuance.activation.models import EidAppTransaction
from issuance.activation.services import transactions
from issuance.activation.services.visits import Opened
from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.authz import Actor, Role
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.records.services import steps
from issuance.suppliers.domain import Produced
from issuance.suppliers.services import card_certificates, supplier_events
from pki import service as pki
from pki.issuing import signing
from pki.secrets import sealing
from siths_portal.lib import clock
from siths_portal.simulators.card import TRANSPORT
from tests.issuance.activated import App, Keys, Made, produced
from tests.issuance.migrated import CA
from tests.issuance.orders.bundles import prepare
from tests.issuance.reserve_cards.blank import Activating, Blank
from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.lettering import printing_supplier
from tests.issuance.world import SETUP, SUPPLIER, World

TEST_CARD = "790"
"""The article of test cards."""

type Csrs = dict[str, bytes]


def prepare_all_kinds(world: World, demo_pki: Any, settings: Any, folder: Path) -> None:
    """Makes it possible to order everything for the region: bundles, test cards of booked persons, PUK letters. Who acts there
    has a role before.
    """
    prepare(world.region, world.office)
    Article.objects.create(
        code=TEST_CARD, number=TEST_CARD, name="Testkort", kind="test", orientation="portrait", photo=False,
        valid_from=dt.date(2020, 1, 1),
    )  # fmt: skip
    offer_article(actor=SETUP, organisation_id=world.region.id, article_code=TEST_CARD, orderable=True)
    settings.TEST_PERSONS_FILE = str(folder / "booked.csv")
    Path(settings.TEST_PERSONS_FILE).write_text("")
    printing_supplier(demo_pki)
    world.officer()
    another_officer(world)


def another_officer(world: World) -> Actor:
    """Who repeats what an ID-administrator did."""
    return world.officer(role=Role.DEPUTY_ISSUER)


def book(post: Post, settings: Any) -> None:
    """Books the person for test cards."""
    with Path(settings.TEST_PERSONS_FILE).open("a") as file:
        file.write(f"{post.person.identifiers.get().value}\n")


def new_keys() -> Keys:
    """The keys of a card, of a type that is quickly made."""
    return Keys(PaperCard(keys=p256_keys()))


def requests_of(keys: Keys | Blank) -> Csrs:
    """The certificate requests of a card that is made."""
    return {TRANSPORT: keys.transport_csr()} if isinstance(keys, Blank) else keys.csrs()


def request_certificates(order: CardOrder, item: int, keys: Keys | Blank, csrs: Csrs) -> list[UUID]:
    """The supplier's call for a card."""
    return card_certificates.request_certificates(
        client_ref=SUPPLIER, order_id=order.pk, item=item, card_serial=keys.serial, card_key_spki=keys.key_spki(), csrs=csrs
    )


def certify(order: CardOrder, item: int, keys: Keys | Blank, csrs: Csrs) -> None:
    """The call, and the worker's part of it."""
    signing.sign_reserved(request_certificates(order, item, keys, csrs))


def report_of_production(order: CardOrder, keys: Keys | Blank) -> Produced:
    """The supplier's report that a card is made, with its PUK if the kind has one."""
    return Produced("1", no_puk=True) if isinstance(keys, Blank) else produced(order, keys)


def seal_puks() -> None:
    """The `pki` worker's part of a report of production, and the portal's after it."""
    sealing.open_secrets()
    supplier_events.replay_all()


def app_of(keys: Keys | Blank, carrier: Carrier) -> App:
    """The eID app with the card in its reader."""
    return App(Made(keys, carrier, None))  # type: ignore[arg-type]


def signature(keys: Keys | Blank, opened: Opened, app: App) -> bytes:
    """The holder's signature on the receipt, after the keys are certified that the app makes on a reserve card."""
    assert app.started is not None
    attributes = app.started.signed_attributes
    if isinstance(keys, Blank) and not attributes:
        attributes = Activating(keys, opened, app).certify().signed_attributes
    return keys.sign(attributes)


def transaction_of(app: App) -> EidAppTransaction:
    """The app's transaction as it stands now."""
    return EidAppTransaction.objects.get(step_token_sha256=transactions.digest(app.token))


@transaction.atomic
def mobile(post: Post, *, is_in_use: bool = False) -> Carrier:
    """A mobile eID that its holder has asked for, or one in use, with its two certificates."""
    now = clock.now()
    carrier = Carrier(
        kind="mobile_eid", origin="migrated", person=post.person, organisation=post.organisation, device="Elins telefon",
        state=(CarrierState.ACTIVE if is_in_use else CarrierState.ORDERED).value, activated_at=now if is_in_use else None,
        valid_from=now, valid_to=now + dt.timedelta(days=700), created_at=now,
    )  # fmt: skip
    steps.begin([carrier], "migrated" if is_in_use else "ordered", actor_ref="system:migration", facts={})
    for profile in ("mobile-auth", "mobile-sign"):
        row = pki.SerialOnly(serial="01" + secrets.token_hex(15), not_before=now, not_after=carrier.valid_to)
        (made,) = pki.plan_serial_only([row], ca=CA, actor_ref="system:migration")
        CarrierCertificate.objects.create(certificate_id=made, carrier=carrier, profile=profile)
    return carrier


@transaction.atomic
def step_mobile(carrier_id: UUID, action: CarrierAction) -> None:
    """A step of a mobile eID, without the device that takes it."""
    now = clock.now()
    changes = {
        CarrierAction.SET_CODE: {"code_set_at": now},
        CarrierAction.CONFIRM: {"activated_at": now},
        CarrierAction.CANCEL: {"ended_at": now},
    }[action]
    steps.step([Carrier.objects.get(pk=carrier_id)], action, actor_ref="system:migration", **changes)
