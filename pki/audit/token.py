"""The audit chain's use of the token: a year's keys, a MAC, a signature."""

import contextlib
from collections.abc import Iterator

from django.conf import settings

from pki.hsm import HsmError, HsmKeyMissing, Scheme, hsm_for
from pki.hsm.token_keys import SERVICE_KEYS, WantedKey
from pki.models import HsmKey, KeyPurpose
from siths_portal.lib import clock
from siths_portal.lib.audit.keys import KeysUnavailable, KeyUnknown

ACTOR = "system:audit"


def of_the_year(purpose: KeyPurpose) -> HsmKey:
    """Returns the key whose label ends with this year in Stockholm; creates it if it is missing. Raises KeysUnavailable."""
    year = f"/{clock.today():%Y}"
    keys = HsmKey.objects.filter(purpose=purpose, label__endswith=year, retired_at=None).order_by("-created_at")
    if found := keys.first():
        return found
    label = f"siths/{_environment()}/{purpose}{year}"
    with _asking(label):
        return WantedKey(hsm_for(settings.PKCS11_TOKEN), purpose, label, SERVICE_KEYS[purpose]).ensure(actor_ref=ACTOR)


def mac(key: HsmKey, data: bytes) -> bytes:
    """Returns HMAC-SHA-256. Raises KeysUnavailable, and KeyUnknown if the token has lost the key."""
    with _asking(key.key_id):
        return hsm_for(key.token_label).mac(key.key_id, data)


def sign(key: HsmKey, data: bytes) -> bytes:
    """Signs by ECDSA with SHA-256, as DER. Raises as `mac`."""
    with _asking(key.key_id):
        return hsm_for(key.token_label).sign(key.key_id, data, Scheme.ECDSA_SHA256)


def _environment() -> str:
    """Returns the environment in the labels of the ceremony's keys: `siths/<environment>/…`."""
    labels = HsmKey.objects.filter(label__startswith="siths/").order_by("created_at").values_list("label", flat=True)
    return next((label.split("/")[1] for label in labels[:1]), "portal")


@contextlib.contextmanager
def _asking(name: str) -> Iterator[None]:
    try:
        yield
    except HsmKeyMissing:
        raise KeyUnknown(name) from None
    except HsmError as error:
        raise KeysUnavailable(type(error).__name__) from error
