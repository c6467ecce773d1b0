"""Short-lived rows of the operators' pages: certificate searches and dry runs of mass revocations."""

from django.db import models

from siths_portal.lib.ids import new_id


class CertificateSearch(models.Model):
    """An operator's search for certificates.

    URLs contain only its id, which opens it only for its owner in the same session (ADR 0077). `form` holds what the operator
    typed, `criteria` its meaning (`pki.operators.certificate_search.CertificateCriteria`). Housekeeping deletes rows with the
    other searches.
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
    """A dry run of a mass revocation.

    URLs contain only its id, which opens it only for its owner in the same session (ADR 0077). `selection` holds the criteria
    (`pki.mass_revocation.MassSelection.plain`), `counted` the counts at `as_of`. `members_sha256` is the hash of the selected
    certificates; the request repeats it. `mass_revocation_id` is the mass revocation requested from this dry run, so that a
    second click requests no other. Housekeeping deletes rows with the searches.
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
