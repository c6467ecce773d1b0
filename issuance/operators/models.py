"""What operators of the PKI searched for and counted on trial, for a day."""

from django.db import models

from siths_portal.lib.ids import new_id


class CertificateSearch(models.Model):
    """An operator's search for certificates. Its id is the handle in addresses, for its owner in its session alone (ADR 0077).

    `form` is what was typed, `criteria` what it means (`pki.operators.certificate_search.CertificateCriteria`). Rows go with
    the other searches.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    owner_ref = models.CharField(max_length=200)
    session_id = models.UUIDField()
    form = models.JSONField()
    criteria = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="issuance_certsearch_age")]


class MassTrial(models.Model):
    """An operator's trial count. Its id is the handle in addresses, for its owner in its session alone (ADR 0077).

    `selection` is what was counted (`pki.mass_revocation.MassSelection.plain`), `counted` the numbers that it gave at `as_of`,
    and `members_sha256` the hash of the certificates, which a request repeats. `mass_revocation_id` is what was asked for on
    it, so that a second click asks for nothing more. Rows go with the searches.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    owner_ref = models.CharField(max_length=200)
    session_id = models.UUIDField()
    selection = models.JSONField()
    as_of = models.DateTimeField()
    counted = models.JSONField()
    members_sha256 = models.CharField(max_length=64)
    mass_revocation_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="issuance_masstrial_age")]
