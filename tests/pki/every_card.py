"""Issuance where the PKI is tested alone: every certificate on a card is as ordered (port `pki.ports.IssuanceCheck`)."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from pki.ports import CardCertificate, IssuanceCheck
from siths_portal.lib import ports


class EveryCard:
    """Knows no orders and refuses nothing."""

    def refusals(self, certificates: Sequence[CardCertificate]) -> Mapping[UUID, str]:
        return {}

    def without_order(self, certificates: Mapping[UUID, str]) -> Mapping[UUID, str]:
        return {}


@contextlib.contextmanager
def connected() -> Iterator[None]:
    """Connects it in this process, and in those that are started within the block."""
    before, name = ports.get(IssuanceCheck), "ISSUANCE_CHECK_BACKEND"
    ports.connect(IssuanceCheck, EveryCard())
    os.environ[name] = f"{__name__}.EveryCard"
    try:
        yield
    finally:
        del os.environ[name]
        ports.connect(IssuanceCheck, before)
