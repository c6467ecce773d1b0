"""Cards on the way to their holders and in their hands, made through the services with real keys.

Needs the fixtures `demo_pki` and `world`. `sent_card` gives a carrier in SENT with its four certificates issued and its PUK
sealed; `activated_card` one in ACTIVE with a signed receipt. `App` is the eID app's part without the wire.

The first card of a test is a copy of one that the services made, if nothing but the small region and the PKI is there yet.
"""

import json
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from django.conf import UserSettingsHolder, settings
from django.db import connection
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation, activation_app
from issuance.activation.services.activation_app import Started
from issuance.activation.services.card_proofs import Proof
from issuance.activation.services.visits import Opened
from issuance.authz import Actor
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki import service as pki
from pki.issuing import signing
from pki.revocation import releasing
from pki.secrets import delivering, sealing
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.pdf import rendering
from siths_portal.simulators.card import PROFILES, Card
from tests.conftest import nobody_works
from tests.first_rows import further_rows
from tests.issuance.suppliers.api.cards import PaperCard
from tests.issuance.world import World
from tests.secrets_in_clear import PUK, TRANSPORT
from tests.waiting import wait_for

CLIENT = "bureau"
CODE = "246810"
REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in ("transaction", "card_serial", "order", "serial")},
    algorithms=["ECDH-ES", "A256GCM"],
)


class Keys:
    """A card's keys in memory: quick, for tests of rules. `Plastic` is the same on a real software card."""

    def __init__(self, paper: PaperCard | None = None) -> None:
        self.paper = paper or PaperCard()

    @property
    def serial(self) -> str:
        """The 19 digits."""
        return self.paper.serial

    def key_spki(self) -> bytes:
        """The card key's public half, DER."""
        public = self.paper.card_key.public_key()
        return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def csrs(self) -> dict[str, bytes]:
        """Four requests, DER."""
        return {profile: _der_of_csr(pem) for profile, pem in self.paper.request()["csrs"].items()}

    def store(self, certificates: dict[str, bytes]) -> None:
        """Keeps nothing: the certificates are asked of `pki` when they are needed."""

    def prove(self, data: bytes) -> bytes:
        """The card key's signature."""
        return self.paper.card_key.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, data: bytes, profile: str = "person-id-sign") -> bytes:
        """The holder's signature."""
        key = self.paper.keys[profile]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Plastic:
    """A software card, each act in a process of its own, as `siths_portal.simulators.card` has it."""

    card: Card
    code: str = TRANSPORT

    @property
    def serial(self) -> str:
        """The 19 digits."""
        return self.card.serial

    def key_spki(self) -> bytes:
        """The card key's public half, DER."""
        key = serialization.load_pem_public_key(self.card.card_key().encode())
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def csrs(self) -> dict[str, bytes]:
        """Four requests, DER."""
        return {profile: _der_of_csr(pem) for profile, pem in self.card.csrs(code=self.code).items()}

    def store(self, certificates: dict[str, bytes]) -> None:
        """Writes the certificates on the card."""
        pems = {profile: pem(der) for profile, der in certificates.items()}
        self.card.store_certificates(pems, code=self.code)

    def prove(self, data: bytes) -> bytes:
        """The card key's signature."""
        return self.card.prove(data)

    def sign(self, data: bytes, profile: str = "person-id-sign") -> bytes:
        """The holder's signature with the code as it is now."""
        return self.card.sign(profile, data, code=self.code)


@dataclass
class Made:
    """A card, its carrier and its order."""

    keys: Any
    carrier: Carrier
    order: CardOrder

    @property
    def certificates(self) -> dict[str, bytes]:
        """DER by profile."""
        ids = list(self.carrier.certificates.values_list("certificate_id", flat=True))
        return {view.profile: view.der or b"" for view in pki.certificates(ids)}

    def fresh(self) -> Carrier:
        """The carrier as it stands now."""
        return Carrier.objects.get(pk=self.carrier.pk)


@dataclass
class App:
    """The eID app's part for one card: an ephemeral key, the proof, what came back."""

    made: Made
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    started: Started | None = None
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def jwk(self) -> dict[str, str]:
        """The public half of the ephemeral key."""
        public = self.key.as_dict(private=False)
        return {name: str(public[name]) for name in ("kty", "crv", "x", "y")}

    def proof(self, opened: Opened, **changes: Any) -> Proof:
        """A right proof; `changes` are made before it is signed."""
        signed = {
            "card_serial": self.made.keys.serial, "ephemeral_key": self.jwk, "handle": opened.handle,
            "kind": opened.transaction.kind, "origin": opened.transaction.origin,
        } | changes  # fmt: skip
        return Proof(
            card_serial=signed["card_serial"], certificates=self.made.certificates, ephemeral_key=signed["ephemeral_key"],
            origin=signed["origin"], signature=self.made.keys.prove(canonical_json(signed)),
        )  # fmt: skip

    def start(self, opened: Opened, *, work: bool = True) -> Started:
        """Starts the transaction and opens the JWE; `work`: does the `pki` worker's part meanwhile."""
        proof, answers = self.proof(opened), []

        def is_answered() -> bool:
            answers.append(activation_app.start(handle=opened.handle, proof=proof))
            return answers[-1] is not None

        if not is_answered() and work:
            delivering.deliver_secrets()
            wait_for(is_answered)  # a worker that runs beside the test may have it in hand
        started = answers[-1]
        assert started is not None
        self.started = started
        self.secrets = json.loads(jwe.decrypt_compact(started.encrypted, self.key, registry=REGISTRY).plaintext)
        return started

    @property
    def token(self) -> str:
        """The step token."""
        return self.secrets["step_token"]

    def set_code(self) -> str:
        """Sets the holder's code on the card and says so."""
        if isinstance(self.made.keys, Plastic):
            self.made.keys.card.unblock(puk=self.secrets["puk"], new_code=CODE)
            self.made.keys.code = CODE
        state = activation_app.set_code(step_token=self.token)
        releasing.release_holds()
        return state

    def complete(self) -> Carrier:
        """Signs what it was given."""
        assert self.started is not None
        return activation_app.complete(step_token=self.token, signature=self.made.keys.sign(self.started.signed_attributes))


def pem(der: bytes) -> str:
    """A certificate as PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode()


_print, _printed, _printing = rendering.render, list[bytes](), threading.Lock()


def printed_once(source: rendering.PdfSource) -> bytes:
    """The first PDF of this process, whatever it is asked for: for tests that do not read what their receipts say."""
    with _printing:
        if not _printed:
            _printed.append(_print(source))
    return _printed[0]


_pool: list[PaperCard] = []


def _pooled_keys() -> Keys:
    """Keys that no card in the database has. RSA keys take long to make, so those of earlier tests are used again."""
    for paper in _pool:
        if not Carrier.objects.filter(card_serial=paper.serial).exists():
            return Keys(paper)
    _pool.append(PaperCard())
    return Keys(_pool[-1])


def sent_card(world: World, post: Post | None = None, *, keys: Any = None, actor: Actor | None = None) -> Made:
    """A card in SENT: ordered by a clerk, made, certified, its PUK sealed, and reported sent."""
    if post is keys is actor is None:
        return _first_card(world, "sent", lambda: _sent_card(world, None, _pooled_keys(), None))
    return _sent_card(world, post, keys or _pooled_keys(), actor)


def _sent_card(world: World, post: Post | None, keys: Any, actor: Actor | None) -> Made:
    return make_card(world.order(post, actor=actor), keys=keys)


def make_card(order: CardOrder, *, keys: Any = None) -> Made:
    """The card of an order, in SENT."""
    keys = keys or _pooled_keys()
    _make(order, keys)
    return Made(keys, Carrier.objects.get(pk=order.carrier_id), CardOrder.objects.get(pk=order.pk))


def _first_card(world: World, name: str, make: Callable[[], Made]) -> Made:
    return first_card(world, name, make, quiet=nobody_works)


def first_card(
    world: World, name: Hashable, make: Callable[[], Made], *, keys: Any = None, quiet: Callable[[], bool] = lambda: True
) -> Made:
    """The card that `make` returns, or a copy. `keys` are the card's, if they are none of the pool."""

    def rows() -> dict[str, Any]:
        return {"card": plain(make())}

    return card_of(copied(world, name, rows, quiet=quiet)["card"], keys)


def plain(made: Made) -> tuple[str, Carrier, CardOrder]:
    """A card as `copied` can copy it: by its serial in place of its keys."""
    return made.keys.serial, made.carrier, made.order


def card_of(copy: tuple[str, Carrier, CardOrder], keys: Any = None) -> Made:
    """The card of what `plain` returned, with keys of the pool unless it has others."""
    serial, carrier, order = copy
    return Made(keys or next(Keys(paper) for paper in _pool if paper.serial == serial), carrier, order)


def copied(
    world: World, name: Hashable, make: Callable[[], dict[str, Any]], *, quiet: Callable[[], bool] = nobody_works
) -> dict[str, Any]:
    """What `make` returns, or a copy, as `further_rows` has it; whatever the world notes of people comes with the rows.

    Without `quiet` nobody may write beside `make`.
    """
    outside = world.outside
    if world.officers or outside.persons or outside.down or outside.organisations is not None or not world.qualifies:
        return make()

    def rows() -> dict[str, Any]:
        made = make()
        known = {"officers": world.officers, "posts": outside.posts, "persons": outside.persons, "calls": outside.calls}
        return {"made": made, "known": known}

    values = further_rows((name, _changed_settings()), rows, quiet)
    known = values["known"]
    world.officers, outside.posts, outside.persons, outside.calls = (
        known[each] for each in ("officers", "posts", "persons", "calls")
    )
    made: dict[str, Any] = values["made"]
    return made


def _changed_settings() -> str:
    """What a test has set otherwise; the eID app's address makes no other card."""
    changed, layer = dict[str, Any](), settings._wrapped
    while isinstance(layer, UserSettingsHolder):
        changed = {name: value for name, value in vars(layer).items() if name.isupper()} | changed
        layer = layer.default_settings
    return repr(sorted((name, value) for name, value in changed.items() if name != "EID_APP_URL"))


def _make(order: CardOrder, keys: Any) -> None:
    """The supplier's part, as it reaches the services."""
    supplier_intake.accept(client_ref=CLIENT, order_id=order.id)
    ids = card_certificates.request_certificates(
        client_ref=CLIENT, order_id=order.id, card_serial=keys.serial, card_key_spki=keys.key_spki(), csrs=keys.csrs()
    )
    signing.sign_reserved(ids)
    settled = pki.wait_until_settled(ids, seconds=60)  # where a worker runs beside the test, it may have been the quicker
    certificates = {view.profile: view.der or b"" for view in settled}
    assert set(certificates) == set(PROFILES)
    keys.store(certificates)
    supplier_events.register_event(client_ref=CLIENT, order_id=order.id, event=produced(order, keys))
    sealing.open_secrets()
    supplier_events.register_event(client_ref=CLIENT, order_id=order.id, event=Sent(clock.today(), ""))


def produced(order: CardOrder, keys: Any) -> Produced:
    """The report on a card that is made, with its PUK."""
    key = pki.secret_jwks()["keys"][0]
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], "order": str(order.id), "serial": keys.serial}
    return Produced("0123456789", jwe.encrypt_compact(header, PUK.encode(), ECKey.import_key(key), registry=REGISTRY))


def activated_card(world: World, post: Post | None = None, *, keys: Any = None, actor: Actor | None = None) -> Made:
    """A card in ACTIVE, with its receipt, activated before an ID-administrator of the region."""
    if post is keys is actor is None:
        return _first_card(
            world, f"active {rendering.render.__name__}", lambda: _activated_card(world, None, _pooled_keys(), None)
        )
    return _activated_card(world, post, keys or _pooled_keys(), actor)


def activated_beside_a_browser(world: World) -> Made:
    """The same, made in a thread: signing runs a loop of its own, as the browser's driver does in this one."""

    def made() -> Made:
        try:
            return activated_card(world)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(made).result()


def _activated_card(world: World, post: Post | None, keys: Any, actor: Actor | None) -> Made:
    made = _sent_card(world, post, keys, actor)
    opened = identify(world, made, actor=actor)
    app = App(made)
    app.start(opened)
    app.set_code()
    app.complete()
    made.carrier = made.fresh()
    return made


def unsigned_card(world: World, post: Post | None = None, *, keys: Any = None, actor: Actor | None = None) -> Made:
    """A card in ACTIVATED_UNSIGNED: its code is set and nothing signed. Its transaction is still open."""
    made = sent_card(world, post, keys=keys, actor=actor)
    app = App(made)
    app.start(identify(world, made, actor=actor))
    app.set_code()
    made.carrier = made.fresh()
    return made


def identify(world: World, made: Made, *, actor: Actor | None = None, document: str = "driving_licence") -> Opened:
    """The clerk's step; his reach covers protected persons if he is not given."""
    clerk = actor or world.officer()
    return activation.identify(actor=clerk, carrier_id=made.carrier.pk, identity_document=document)


def reopened(world: World, opened: Opened) -> Opened:
    """A new handle from the same identification, asked for by the region's ID-administrator."""
    return activation.reopen(actor=world.officer(), transaction_id=opened.transaction.pk)


def transaction(opened: Opened) -> EidAppTransaction:
    """The transaction as it stands now."""
    return EidAppTransaction.objects.get(pk=opened.transaction.pk)


def _der_of_csr(text: str) -> bytes:
    return x509.load_pem_x509_csr(text.encode()).public_bytes(serialization.Encoding.DER)
