"""Somebody logged in at the portal, for tests: a session is begun as the log-in's callback begins it."""

from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.test import Client

from authn.ports import Subject
from authn.services import sessions
from issuance.people.models.persons import Person
from issuance.roles.services.subjects import subject_ref
from siths_portal.lib import clock


def session_key(person: Person) -> str:
    """The cookie's value of a new session of the person; the person's older sessions end, as at a log-in."""
    accepted = sessions.LogIn(authenticated_at=clock.now(), id_token="", facts={})
    return sessions.start(_subject(person), accepted)[1]


def _subject(person: Person) -> Subject:
    """The person by the first valid post, whether or not there is a role."""
    valid = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    post = person.posts.filter(valid, ended_at=None).select_related("organisation").order_by("hsa_id")[0]
    name = f"{person.given_name_in_use} {person.surname}"
    return Subject(subject_ref(person.pk), post.hsa_id, name, post.organisation.name)


def sign_in(client: Client, person: Person) -> Client:
    """Logs the person in with Django's test client."""
    client.cookies[settings.SESSION_COOKIE_NAME] = session_key(person)
    return client


def portal_client(person: Person, **options: object) -> Client:
    """A new test client that the person is logged in with."""
    return sign_in(Client(**options), person)  # type: ignore[arg-type]


def session_cookie(person: Person, url: str) -> dict[str, object]:
    """A cookie for a real browser at the portal process of `url`: `context.add_cookies([session_cookie(person, url)])`."""
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": session_key(person),
        "domain": urlsplit(url).hostname,
        "path": "/",
        "httpOnly": True,
        "sameSite": "Lax",
    }
