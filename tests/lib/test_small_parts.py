"""Canonical JSON, identifiers, ports and health: small promises that much rests on."""

import datetime as dt
import json
import uuid
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from siths_portal.lib import ports
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.ids import new_id
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages.forms import Form
from siths_portal.lib.pages.ids_in_texts import whole, with_whole_ids
from siths_portal.templatetags.portal import beside_heading, breakable, breakable_hash, narrows

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_is_a_fixed_point(value: object) -> None:
    once = canonical_json(value)
    assert canonical_json(json.loads(once)) == once


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers()), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, int], random: object) -> None:
    items = list(value.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert canonical_json(dict(items)) == canonical_json(value)


def test_canonical_json_has_known_bytes() -> None:
    value = {
        "b": [1, 2.5, None, True],
        "a": "Å\n",
        "id": uuid.UUID("01938d40-0000-7000-8000-000000000000"),
        "at": dt.datetime(2026, 7, 1, 2, 3, 4, 5, tzinfo=ZoneInfo("Europe/Stockholm")),
        "day": dt.date(2026, 7, 1),
        "raw": b"\x00\xff",
    }
    expected = (
        '{"a":"Å\\n","at":"2026-07-01T00:03:04.000005Z","b":[1,2.5,null,true],"day":"2026-07-01",'
        '"id":"01938d40-0000-7000-8000-000000000000","raw":"00ff"}'
    )
    assert canonical_json(value) == expected.encode()
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("value", [dt.datetime(2026, 1, 1), object(), {1, 2}, float("nan"), float("inf"), "\ud800"])  # noqa: DTZ001
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json({"a": value})


def test_ids_are_version_7_unique_and_near_each_other() -> None:
    made = [new_id() for _ in range(5000)]
    assert {(i.version, i.variant) for i in made} == {(7, uuid.RFC_4122)}
    assert len(set(made)) == len(made)
    moments = [i.int >> 80 for i in made]
    assert moments == sorted(moments)
    assert abs(moments[0] - dt.datetime.now(dt.UTC).timestamp() * 1000) < 60_000
    assert len({i.int & (2**62 - 1) for i in made}) == len(made), "the random part alone tells them apart"


class Greeter(Protocol):
    """A port."""

    def greet(self) -> str: ...


class Polite:
    """An adapter."""

    def greet(self) -> str:
        return "God dag"


def test_a_port_gives_its_adapter_and_says_when_there_is_none() -> None:
    with pytest.raises(ports.PortNotConnected, match="Greeter"):
        ports.get(Greeter)
    ports.connect(Greeter, Polite())
    try:
        assert ports.get(Greeter).greet() == "God dag"
    finally:
        ports._adapters.pop(Greeter)


def _raises() -> str | None:
    raise OperationalError("server at 10.0.0.1 has gone")


class Healthy:
    urlpatterns = health.urls(database=health.database, disk=lambda: None)


class Failing:
    urlpatterns = health.urls(disk=lambda: "disken är full", other=lambda: None, broken=_raises)


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=Healthy)
def test_a_healthy_process_is_ready() -> None:
    answer = Client().get("/healthz/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"database": "ok", "disk": "ok"}})
    assert answer["Cache-Control"] == "no-store"
    assert Client().get("/healthz/live").json() == {"status": "ok"}


@override_settings(ROOT_URLCONF=Failing)
def test_a_failing_check_is_503_and_the_process_still_lives() -> None:
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    checks = {"disk": "disken är full", "other": "ok", "broken": "kontrollen gick inte att göra"}
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:siths-portal:problem:not-ready",
        "title": "not-ready",
        "status": 503,
        "detail": "Processen kan inte göra sitt arbete: disken är full, kontrollen gick inte att göra.",
        "code": "not-ready",
        "checks": checks,
    }
    assert "10.0.0.1" not in answer.text
    assert answer["Cache-Control"] == "no-store"
    assert Client().get("/healthz/live").status_code == 200
    assert Client().head("/healthz/ready").status_code == 503


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("anna.berg@region.example", "anna.<wbr>berg@<wbr>region.<wbr>example"),
        ("a.<b>@&x", "a.<wbr>&lt;b&gt;@<wbr>&amp;x"),
        ("<wbr>.<script>", "&lt;wbr&gt;.<wbr>&lt;script&gt;"),
        ("..@@ slut. Ny", "..@@ slut. Ny"),
        ("–", "–"),
        ("", ""),
    ],
)
def test_an_address_may_be_broken_after_its_signs_and_nothing_in_it_is_markup(text: str, written: str) -> None:
    assert breakable(text) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("00ff" * 10, "<wbr>".join(["00ff00ff"] * 5)),
        ("11" * 32, "<wbr>".join(["11111111"] * 8)),
        ("1F" * 9, "1F1F1F1F<wbr>1F1F1F1F<wbr>1F"),
        (":".join(["1F"] * 9), "1F:1F:1F:1F:<wbr>1F:1F:1F:1F:<wbr>1F"),
        ("97522789000000000" * 2, "97522789000000000" * 2),
        (7, 7),
        ("<b>", "<b>"),
    ],
)
def test_a_hash_breaks_between_bytes_alone(value: object, written: object) -> None:
    assert breakable_hash(value) == written


@pytest.mark.parametrize(("value", "marked"), [("TST-1<", '<span class="whole">TST-1&lt;</span>'), ("", ""), (None, "")])
def test_an_id_in_a_sentence_is_marked_as_whole(value: object, marked: str) -> None:
    assert whole(value) == marked


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Elin <Ek> TST2321000131-00E00002F", 'Elin &lt;Ek&gt; <span class="number">TST2321000131-00E00002F</span>'),
        ("Faktura 2026-000002.", 'Faktura <span class="whole">2026-000002</span>.'),
        ("18080529-9989", '<span class="whole">18080529-9989</span>'),
        (
            "01234567-8901-7000-8000-0123456789ab",
            '<span class="number uuid">01234567-8901-7000-8000-0123456789ab</span>',
        ),
        ("Sedan 2026-11-30", "Sedan 2026-11-30"),
        (SafeString("<b>2026-000002</b>"), "<b>2026-000002</b>"),
    ],
)
def test_the_ids_of_a_sentence_are_marked_as_whole(text: str, marked: str) -> None:
    assert with_whole_ids(text) == marked


@pytest.mark.parametrize(
    ("count", "heading", "shown"),
    [
        ("3 kontor", "Kopplade kontor", "3"),
        ("1 organisation", "Organisationer", "1"),
        ("Fler än 200 kort", "Kort", "Fler än 200"),
        ("3 händelser", "Historik", "3 händelser"),
    ],
)
def test_a_count_beside_a_heading_does_not_repeat_its_noun(count: str, heading: str, shown: str) -> None:
    assert beside_heading(count, heading) == shown


class SomeFilters(Form):
    shown = forms.ChoiceField(required=False, choices=[("all", "Alla"), ("late", "Försenade")])
    name = forms.CharField(required=False, max_length=3)


@pytest.mark.parametrize(
    ("sent", "initial", "others", "expected"),
    [
        (None, {}, "", False),
        (None, {"shown": "all", "name": ""}, "", False),
        (None, {"shown": "late"}, "", True),
        (None, {"name": "Ek"}, "", True),
        (None, {"name": "Ek"}, "name", False),
        ({"shown": "all"}, {}, "", False),
        ({"shown": "gone"}, {}, "", True),
        ({"name": "Ekblad"}, {}, "shown", True),
    ],
)
def test_a_form_narrows_its_list_if_a_filter_is_set_or_wrong(
    sent: dict[str, str] | None, initial: dict[str, str], others: str, expected: bool
) -> None:
    assert narrows(SomeFilters(sent, initial=initial), others) is expected
