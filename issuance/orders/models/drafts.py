"""Drafts of card orders: the answers of the order wizard, kept until the card is ordered or the draft abandoned."""

from django.db import models
from django.db.models import Q

from issuance.articles.models import Article
from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.orders.domain.drafts import DraftState
from issuance.orders.domain.replacements import ReplacementReason
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from siths_portal.lib.ids import new_id


class OrderDraft(models.Model):
    """Påbörjad beställning: the choices of one clerk for one person so far. `id` is the order's idempotency key.

    `version` counts the changes; a form for another version is refused with an explanation. Answers are stored as given, and
    checked again at each step and at the order, because articles, offices and assignments end.

    `replaced_carrier` is the card that the new one replaces, if any, and `replacement_reason` the answer to why.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="order_drafts")
    owner_ref = models.CharField(max_length=200)
    state = models.CharField(max_length=10, default=DraftState.OPEN.value)
    version = models.PositiveIntegerField(default=1)
    post = models.ForeignKey(Post, null=True, on_delete=models.PROTECT, related_name="+")
    article = models.ForeignKey(Article, null=True, on_delete=models.PROTECT, related_name="+")
    photo = models.ForeignKey(Photo, null=True, on_delete=models.PROTECT, related_name="drafts")
    photo_approved = models.BooleanField(default=False)
    office = models.ForeignKey(Office, null=True, on_delete=models.PROTECT, related_name="+")
    replaced_carrier = models.ForeignKey(Carrier, null=True, on_delete=models.PROTECT, related_name="+")
    replacement_reason = models.CharField(max_length=20, default="")
    order = models.OneToOneField(CardOrder, null=True, on_delete=models.PROTECT, related_name="draft")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in DraftState]), name="issuance_draft_state"),
            models.CheckConstraint(
                condition=Q(state="submitted", order__isnull=False) | (~Q(state="submitted") & Q(order=None)),
                name="issuance_draft_submitted_has_order",
            ),
            models.CheckConstraint(
                condition=Q(photo_approved=False) | Q(photo__isnull=False), name="issuance_draft_approved_has_photo"
            ),
            models.CheckConstraint(
                condition=Q(replacement_reason="")
                | Q(replaced_carrier__isnull=False, replacement_reason__in=[reason.value for reason in ReplacementReason]),
                name="issuance_draft_replacement",
            ),
            models.UniqueConstraint(
                fields=["owner_ref", "person"], condition=Q(state="open"), name="issuance_one_open_draft_per_owner_and_person"
            ),
        ]
        indexes = [
            models.Index(
                fields=["updated_at"], condition=~Q(state="submitted") & Q(photo__isnull=False), name="issuance_draft_stale"
            ),
        ]
