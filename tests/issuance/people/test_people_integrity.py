"""Numbers and HSA assignments of people against the events that registered them (ADR 0331), changed as the application may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from issuance.people.models.persons import PersonIdentifier, Post
from issuance.people.services.people_integrity import verify_people
from siths_portal.lib import clock


def _swapped_numbers(one: Post, other: Post) -> list[str]:
    rows = [PersonIdentifier.objects.get(person=post.person) for post in (one, other)]
    values = [row.value for row in reversed(rows)]
    with transaction.atomic():
        PersonIdentifier.objects.filter(pk=rows[0].pk).update(value="x")
        for row, value in reversed(list(zip(rows, values, strict=True))):
            PersonIdentifier.objects.filter(pk=row.pk).update(value=value)
    return [f"person-id för person {post.person_id} skiljer sig från händelsen" for post in (one, other)]


def _swapped_posts(one: Post, other: Post) -> list[str]:
    people = one.person_id, other.person_id
    for post, person_id in ((one, people[1]), (other, people[0])):
        Post.objects.filter(pk=post.pk).update(person=person_id)
    return [f"uppdrag {post.pk} skiljer sig från sina händelser: person" for post in (one, other)]


def _another_hsa_id(one: Post, other: Post) -> list[str]:
    Post.objects.filter(pk=one.pk).update(hsa_id="TST2321000131-XQZ9")
    return [f"uppdrag {one.pk} skiljer sig från sina händelser: hsa_id"]


def _added_post(one: Post, other: Post) -> list[str]:
    row = Post.objects.create(
        hsa_id="TST2321000131-XQZ8", person=one.person, organisation=one.organisation, synced_at=clock.now()
    )
    return [f"uppdrag {row.pk} har ingen händelse"]


def _ended_post(one: Post, other: Post) -> list[str]:
    Post.objects.filter(pk=one.pk).update(ended_at=clock.now())
    return [f"uppdrag {one.pk} skiljer sig från sina händelser: ended_at"]


def test_what_the_services_wrote_agrees(world: Any) -> None:
    world.post()
    assert verify_people().wrong == ()


@pytest.mark.parametrize("tamper", [_swapped_numbers, _swapped_posts, _another_hsa_id, _added_post, _ended_post])
def test_who_is_who_is_compared(
    world: Any, tamper: Callable[[Post, Post], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tamper(world.post(), world.post())
    assert set(expected) <= set(verify_people().wrong)
    with pytest.raises(CommandError, match="personer"):
        call_command("audit_verify", app="issuance")
    assert "personer: FEL: " in capsys.readouterr().out
