"""The sandbox's PUK letter: a card in use whose PUK the portal keeps, and a letter for it."""

import datetime as dt
import secrets
import time
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from issuance.authz import Actor, system
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import letters
from issuance.people.models.persons import Post
from pki import service as pki
from siths_portal.demo.history import BULK_CA, DAY, YEAR, new_serials
from siths_portal.lib import clock

ACTOR_REF = "system:demo"
SECONDS = 60
_REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in ("order", "serial")}, algorithms=["ECDH-ES", "A256GCM"]
)


class PukFault(RuntimeError):
    """The pki worker did not seal the PUK of the card in time."""


def order(actor: Actor, post: Post, office_id: UUID, key: str) -> CardOrder:
    """Orders a letter with the PUK of the holder's card. Registers a card first if the holder has none. Raises PukFault and
    the services' errors; a repeated call then continues.
    """
    card = Carrier.objects.filter(person=post.person_id).first() or _card_in_use(post)
    if card.puk_secret_id is None:
        card.puk_secret_id = _received_puk(card)
    _await_seal(card.puk_secret_id)
    return letters.order_letter(actor=actor, letter=letters.Letter(card.pk, office_id), idempotency_key=key)


def _card_in_use(post: Post) -> Carrier:
    """Registers an active card of an earlier CA, since the sandbox has no activation."""
    made_at = clock.now().replace(microsecond=0) - 30 * DAY
    card = migration.MigratedCard(
        post_id=post.pk,
        article_code="631",
        card_serial=f"97527{int(post.hsa_id[-6:], 16):014}",
        valid_from=made_at,
        valid_to=made_at + 5 * YEAR,
        eid_valid_from=made_at,
        eid_valid_to=made_at + 2 * YEAR,
        activated_at=made_at + dt.timedelta(days=14),
        certificate_serials=new_serials(),
    )
    return migration.register_migrated_card(actor=system("migration"), card=card, ca=BULK_CA)


def _received_puk(card: Carrier) -> UUID:
    """Sends the portal a PUK of the card, as its supplier did once, and returns the secret's id."""
    header = {"order": "sandbox", "serial": card.card_serial}
    key = pki.secret_jwks()["keys"][0]
    puk = "".join(secrets.choice("0123456789") for _ in range(8))
    head = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], **header}
    sealed = jwe.encrypt_compact(head, puk.encode(), ECKey.import_key(dict[str, str | list[str]](key)), registry=_REGISTRY)
    card_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with transaction.atomic(durable=True):
        secret_id = pki.plan_secret(
            sealed,
            expected_header=header,
            card_key_spki=card_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            owner_ref=carrier_ref(card.pk),
            actor_ref=ACTOR_REF,
        )
        Carrier.objects.filter(pk=card.pk).update(puk_secret_id=secret_id)
    return secret_id


def _await_seal(secret_id: UUID) -> None:
    deadline = time.monotonic() + SECONDS
    while pki.secret_state(secret_id) != "sealed":
        if time.monotonic() > deadline:
            raise PukFault(f"the PUK of the sandbox's card is not sealed within {SECONDS} s: is the pki worker running?")
        time.sleep(0.1)
