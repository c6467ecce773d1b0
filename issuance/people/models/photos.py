"""Photographs of holders, as they were re-encoded on arrival."""

from uuid import UUID

from django.db import models
from django.db.models import Q

from issuance.people.models.persons import Person
from issuance.records.models.events import Document
from siths_portal.lib.ids import new_id


class PhotoManager(models.Manager["Photo"]):
    """Finds the photo that a person has."""

    def latest_of(self, person_id: UUID) -> "Photo | None":
        """The newest approved photo of the person: the one that pages show and that a new order may use again."""
        approved = self.filter(person_id=person_id, approved_at__isnull=False)
        return approved.defer("pending").order_by("-uploaded_at", "-id").first()


class Photo(models.Model):
    """Foto: a portrait of a person for a card, a JPEG of at most 600x800 pixels that is never changed.

    It becomes the person's when the clerk has looked at it and gone on (`approved_at`): only then do its bytes become a
    document, which stays. Until then they stand in `pending`, belong to a draft alone, and go when it lets go of them. Who
    may see a photo follows from who may see its person.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="photos")
    document = models.ForeignKey(Document, null=True, on_delete=models.PROTECT, related_name="+")
    pending = models.BinaryField(null=True)
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
        ]
        indexes = [
            models.Index(
                fields=["person", "-uploaded_at", "-id"], condition=Q(approved_at__isnull=False), name="issuance_photo_latest"
            ),
        ]

    @property
    def content(self) -> bytes:
        """The JPEG."""
        return self.document.read() if self.document is not None else bytes(self.pending or b"")
