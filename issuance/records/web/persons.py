"""Helpers that pages about a person share."""

from django.urls import reverse

from issuance.person_page.queries.page_parts import PersonHead


def photo_url(head: PersonHead) -> str:
    """Returns the photo's URL for `components/person_head.html`, or an empty text without a photo that the actor may see."""
    return reverse("person_photo", args=[head.id]) if head.has_photo else ""
