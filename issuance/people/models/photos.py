"""Photographs of holders, re-encoded on upload."""

from uuid import UUID

from django.db import models
from django.db.models import Q

from issuance.people.models.persons import Person
from issuance.records.models.events import Document
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.ids import new_id


class PhotoManager(models.Manager["Photo"]):
    """Finds a person's photo."""

    def latest_of(self, person_id: UUID) -> "Photo | None":
        """Returns the person's newest approved photo, which pages show and a new order may reuse."""
        return next(iter(_latest(person_id)), None)


class Photo(models.Model):
    """A portrait of a person for a card (foto): a JPEG of at most 600x800 pixels that never changes.

    An approved photo (`approved_at`, when the clerk has looked at it and continued) is stored permanently as a document. Until
    then its bytes are in `pending` and are deleted with the draft that they belong to. `source` is the picture that an uploaded
    one was cut from, and `framing` the part of it (`lib.files.framing`); the clerk may change the part until the approval. Access
    to a photo follows from access to its person.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="photos")
    document = models.ForeignKey(Document, null=True, on_delete=models.PROTECT, related_name="+")
    pending = models.BinaryField(null=True)
    source = models.BinaryField(null=True)
    framing = models.JSONField(null=True)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    uploaded_at = models.DateTimeField()
    uploaded_by_ref = models.CharField(max_length=200)
    approved_at = models.DateTimeField(null=True)

    objects = PhotoManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(width__gte=1, width__lte=600, height__gte=1, height__lte=800), name="issuance_photo_size"
            ),
            models.CheckConstraint(
                condition=Q(approved_at=None, document=None, pending__isnull=False)
                | Q(approved_at__isnull=False, document__isnull=False, pending=None),
                name="issuance_photo_approved_is_document",
            ),
            models.CheckConstraint(
                condition=Q(source=None, framing=None) | Q(approved_at=None), name="issuance_photo_source_until_approved"
            ),
        ]
        indexes = [
            models.Index(
                fields=["person", "-uploaded_at", "-id"], condition=Q(approved_at__isnull=False), name="issuance_photo_latest"
            ),
        ]

    @property
    def content(self) -> bytes:
        """Returns the JPEG."""
        return self.document.read() if self.document is not None else bytes(self.pending or b"")


@prepared
def _latest(person_id: UUID) -> models.QuerySet[Photo]:
    approved = Photo.objects.filter(person_id=person_id, approved_at__isnull=False)
    return approved.defer("pending", "source").order_by("-uploaded_at", "-id")[:1]
