"""What pages on a person share."""

from django.urls import reverse

from issuance.person_page.queries.person_view import PersonHead


def photo_url(head: PersonHead) -> str:
    """Returns the photo's address for `components/person_head.html`; empty without a photo that this actor may see."""
    return reverse("person_photo", args=[head.id]) if head.has_photo else ""
