"""Enrolments of mobile eIDs, and the requests of devices for certificates."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import Q

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.models import Carrier
from issuance.mobile.domain.states import OPEN, TRANSITIONS, WITH_DEVICE, EnrolmentAction, EnrolmentState, Refusal
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.records.models.events import Document
from issuance.records.models.stateful import Stateful
from siths_portal.lib.ids import new_id

LONGEST_NAME = 60
"""Characters of a device's name, as `Carrier.device` takes them."""


class MobileEnrolment(Stateful):
    """A holder's way to one mobile eID: terms, a second log-in, a start code for one device, its keys and their certificates.

    `organisation` is the issuer of `logged_in_with`, the carrier that the holder had logged in with. `logged_in_at` is the log-in
    with which the terms were accepted at `created_at`, `second_log_in_at` the one after it. `terms` are what was accepted,
    verbatim. Only hashes of the two secrets are stored: `handle_sha256` and `step_token_sha256`. `device_key_spki` (DER) is the
    first key that took the start code, and `attestation` what its maker attests of it. `carrier` begins with the device.
    `refusal` is a `Refusal`, or empty. `wrong_proofs` counts refused proofs of devices, up to a bound. `expires_at` is the end of
    the present step.
    """

    subject = "mobile_enrolment"
    swedish = "Ärendet"
    states = EnrolmentState

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="mobile_enrolments")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    logged_in_with = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="+")
    session_id = models.UUIDField()
    logged_in_at = models.DateTimeField()
    second_log_in_at = models.DateTimeField(null=True)
    terms = models.ForeignKey(Document, null=True, on_delete=models.PROTECT, related_name="+", db_column="terms_sha256")
    handle_sha256 = models.CharField(max_length=64, default="")
    device = models.CharField(max_length=LONGEST_NAME, default="")
    device_key_spki = models.BinaryField(default=bytes)
    device_key_sha256 = models.CharField(max_length=64, default="")
    attestation = models.TextField(default="")
    step_token_sha256 = models.CharField(max_length=64, default="")
    carrier = models.OneToOneField(Carrier, null=True, on_delete=models.PROTECT, related_name="mobile_enrolment")
    refusal = models.CharField(max_length=20, default="")
    wrong_proofs = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    code_set_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["MobileEnrolment"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", protected="person__is_protected", person="person_id")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in EnrolmentState]), name="issuance_enrolment_state"),
            models.CheckConstraint(
                condition=Q(refusal__in=["", *(each.value for each in Refusal)]), name="issuance_enrolment_refusal"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[s.value for s in WITH_DEVICE])
                | Q(carrier__isnull=False, second_log_in_at__isnull=False) & ~Q(device_key_sha256=""),
                name="issuance_enrolment_device",
            ),
            models.CheckConstraint(
                condition=Q(terms__isnull=False) | Q(state=EnrolmentState.REFUSED.value), name="issuance_enrolment_terms"
            ),
            models.UniqueConstraint(
                fields=["person"], condition=Q(state__in=[s.value for s in OPEN]), name="issuance_one_open_enrolment"
            ),
            models.UniqueConstraint(
                fields=["handle_sha256"], condition=~Q(handle_sha256=""), name="issuance_enrolment_handle_once"
            ),
            models.UniqueConstraint(
                fields=["step_token_sha256"], condition=~Q(step_token_sha256=""), name="issuance_enrolment_token_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at", "id"], condition=Q(state__in=[s.value for s in OPEN]), name="issuance_enrolment_open"
            ),
            # For the other mobile eIDs on the same device.
            models.Index(fields=["device_key_sha256"], condition=~Q(device_key_sha256=""), name="issuance_enrolment_device_key"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[EnrolmentState, EnrolmentAction], EnrolmentState]:
        """Returns the transitions, the same for every enrolment."""
        return TRANSITIONS


class MobileRequest(models.Model):
    """The request of a device for the certificates of a mobile eID, whose keys were made on it.

    `csrs` has the requests (PKCS #10, DER in Base64) by profile, `keys` the SHA-256 of their public keys, `certificate_ids` the
    ids that their certificates get in `pki`. `attestation` is what the device's maker attests of these keys; `signature` is the
    device key's, over `services.device_proofs.message`. `confirmation` is the signature of the new key over
    `services.device_app.statement`, by which the holder confirms the mobile eID.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    enrolment = models.OneToOneField(MobileEnrolment, on_delete=models.PROTECT, related_name="request")
    csrs = models.JSONField()
    keys = models.JSONField()
    certificate_ids = models.JSONField()
    attestation = models.TextField()
    signature = models.BinaryField()
    confirmation = models.BinaryField(default=bytes)
    confirmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
