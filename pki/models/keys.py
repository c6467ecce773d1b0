"""The inventory of keys in tokens, and what each comparison with the tokens found."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from django.db import models

from pki.domain.key_inventory import InventoryReport, Problem, TokenSeen
from pki.models.choices import KeyFinding, KeyProvenance, KeyPurpose
from siths_portal.lib.ids import new_id


class HsmKey(models.Model):
    """Inventory row of one of our keys in a token: how to find it, and its public half for processes without a token.

    `key_id` is CKA_ID in hex. For secret keys (KEK, audit MAC), `public_key_der` is empty. `attributes` are those that the token
    reported when the row was created. The row of an imported key has the hash of the ceremony document that it came with (E2.13).
    `checked_at`, `finding` and `finding_facts` are from the newest inventory. A key that was just created or imported is as
    recorded, because the token has confirmed it; an empty finding means that the token has not confirmed the row. `seals` counts
    the encryptions with a KEK, which are limited (NIST SP 800-38D section 8.3).
    """

    key_id = models.CharField(max_length=40, primary_key=True)
    purpose = models.CharField(max_length=20, choices=KeyPurpose.choices)
    token_label = models.CharField(max_length=32)
    label = models.CharField(max_length=120, unique=True)
    algorithm = models.CharField(max_length=20)
    public_key_der = models.BinaryField(default=bytes)
    attributes = models.JSONField(default=dict)
    provenance = models.CharField(max_length=10, choices=KeyProvenance.choices, default=KeyProvenance.GENERATED)
    ceremony_sha256 = models.CharField(max_length=64, default="")
    seals = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True)
    finding = models.CharField(max_length=20, choices=KeyFinding.choices, default="")
    finding_facts = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(provenance=KeyProvenance.GENERATED)
                | models.Q(provenance=KeyProvenance.IMPORTED, ceremony_sha256__regex="^[0-9a-f]{64}$"),
                name="pki_hsmkey_provenance",
            ),
            models.CheckConstraint(condition=models.Q(finding__in=["", *KeyFinding.values]), name="pki_hsmkey_finding"),
        ]
        indexes = [models.Index(fields=["purpose", "-created_at"], name="pki_hsmkey_purpose")]


class KeyInventory(models.Model):
    """One comparison of the tokens with the rows. `tokens` are those that were read, `problems` the differences.

    The shapes are `TokenSeen` and `Problem` of `pki.domain.key_inventory`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    tokens = models.JSONField(default=list)
    problems = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="pki_inventory_newest")]

    @classmethod
    def newest(cls) -> Self | None:
        """Returns the newest inventory, or None before the first."""
        return cls.objects.order_by("-started_at").first()

    def report(self) -> InventoryReport:
        """Returns the row as plain values."""

        def made[T](kind: type[T], values: Iterable[Mapping[str, Any]]) -> tuple[T, ...]:
            return tuple(kind(**each) for each in values)

        return InventoryReport(
            self.id, self.started_at, self.ended_at, made(TokenSeen, self.tokens), made(Problem, self.problems)
        )
