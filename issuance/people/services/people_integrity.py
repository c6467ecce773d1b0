"""Compares identifiers and HSA assignments of people with the events that registered them (ADR 0331).

A login identifies a person by number and HSA-id. An attacker who swaps either between two people could act with the other's roles
without changing a role.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Any
from uuid import UUID

from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.records.models.events import Event
from issuance.records.services.comparing import Check
from siths_portal.lib.canonical import sha256_hex

_CHUNK = 1000
_POST_ACTIONS = ("post.registered", "post.changed", "post.ended")
type _Values = dict[str, Any]


def identifier_digest(person_id: UUID | str, kind: str, value: str) -> str:
    """Returns the digest of a person's number for events. `directory_import_apply` computes the same in SQL."""
    return sha256_hex(f"{person_id}|{kind}|{value}".encode())


def registered_facts(person_id: UUID | str, numbers: Iterable[tuple[str, str]], posts: Mapping[str, _Values]) -> _Values:
    """Returns the facts of a person's registration event: digests of the numbers (kind and value), and assignment facts by id."""
    return {"identifiers": [identifier_digest(person_id, kind, value) for kind, value in numbers], "posts": dict(posts)}


def post_facts(post: Post) -> _Values:
    """Returns the facts of an assignment's registration event."""
    return {
        "person": str(post.person_id),
        "hsa_id": post.hsa_id,
        "organisation": str(post.organisation_id),
        "valid_to": post.valid_to.isoformat() if post.valid_to else None,
    }


def verify_people() -> Check:
    """Compares numbers and assignments of every person with their events, in batches.

    Events of old versions have neither; such people are reported only if the event itself is missing.
    """
    checked, wrong = 0, list[str]()
    people = Person.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=_CHUNK)
    for chunk in batched(people, _CHUNK, strict=False):
        checked += len(chunk)
        wrong += _wrong(chunk)
    return Check(checked, tuple(wrong))


def _wrong(people: Sequence[UUID]) -> Iterator[str]:
    registered = _registered(people)
    numbers: dict[UUID, set[str]] = {}
    for person_id, kind, value in PersonIdentifier.objects.filter(person__in=people).values_list("person_id", "kind", "value"):
        numbers.setdefault(person_id, set()).add(identifier_digest(person_id, kind, value))
    posts = {post.pk: post for post in Post.objects.filter(person__in=people)}
    recorded = {UUID(key): values | {"person": str(pk)} for pk, facts in registered.items() for key, values in _posts(facts)}
    ended = _apply_post_events(recorded, posts)
    for pk in people:
        facts = registered.get(pk)
        if facts is None:
            yield f"person {pk} har ingen händelse"
        elif "identifiers" in facts and set(facts["identifiers"]) != numbers.get(pk, set()):
            yield f"person-id för person {pk} skiljer sig från händelsen"
    for key, values in recorded.items():
        if key not in posts:
            yield f"uppdrag {key} tillhör inte längre person {values['person']}"
    for key, post in posts.items():
        facts = registered.get(post.person_id, {})
        yield from _wrong_post(post, recorded.get(key), is_ended=key in ended, has_facts="posts" in facts)


def _registered(people: Sequence[UUID]) -> dict[UUID, _Values]:
    """Returns the facts of each person's first registration event."""
    events = Event.objects.filter(subject_type="person", subject_ref__in=[str(pk) for pk in people], action="person.registered")
    return {UUID(reference): facts for reference, facts in events.order_by("-id").values_list("subject_ref", "facts")}


def _posts(facts: _Values) -> Iterable[tuple[str, _Values]]:
    found: Mapping[str, _Values] = facts.get("posts", {})
    return found.items()


def _apply_post_events(recorded: dict[UUID, _Values], posts: Mapping[UUID, Post]) -> set[UUID]:
    """Adds the facts of the assignments' own events to `recorded`, and returns the assignments that have ended."""
    ended = set()
    events = Event.objects.filter(subject_type="post", subject_ref__in=[str(pk) for pk in posts], action__in=_POST_ACTIONS)
    for reference, action, facts in events.order_by("id").values_list("subject_ref", "action", "facts").iterator():
        key = UUID(reference)
        if action == "post.ended":
            ended.add(key)
        elif action == "post.registered":
            recorded.setdefault(key, dict(facts))
        elif "valid_to" in facts and key in recorded:
            recorded[key]["valid_to"] = facts["valid_to"]
    return ended


def _wrong_post(post: Post, recorded: _Values | None, *, is_ended: bool, has_facts: bool) -> Iterator[str]:
    if recorded is None:
        if has_facts:
            yield f"uppdrag {post.pk} har ingen händelse"
        return
    differing = sorted(name for name, value in post_facts(post).items() if recorded.get(name, value) != value)
    differing += ["ended_at"] if is_ended != (post.ended_at is not None) else []
    if differing:
        yield f"uppdrag {post.pk} skiljer sig från sina händelser: {', '.join(differing)}"
