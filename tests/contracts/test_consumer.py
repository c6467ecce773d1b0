"""The portal's side of the contract: each port's cases, answered by the adapter over the wire and by the tests' own double.

What a peer may do wrong follows: nothing but a whole answer of the agreed form is an answer, and no fault's text quotes one.
"""

import dataclasses
from typing import Any

import pytest

from issuance.people.adapters.directory_json import JsonDirectory
from issuance.people.adapters.person_register_json import JsonPersonRegister
from issuance.people.ports import PersonRegister, StaffDirectory
from siths_portal.lib.errors import DomainError, NotFound, Refused, Unavailable
from tests.contracts import cases
from tests.contracts.cases import ANNA, DIRECTORY, MANY, ORGANISATIONS, PEOPLE, PLACES, REGISTER, Case
from tests.contracts.peers import Answer, Simulator, closed_port, peer
from tests.issuance.outside import Outside
from tests.waiting import wait_for

PERSON: dict[str, Any] = PEOPLE[0]["register"]
POST: dict[str, Any] = {"person_id": PEOPLE[0]["person_id"], **PEOPLE[0]["posts"][0]}


def double() -> Outside:
    """The double that most tests of issuance use, holding the contract's people."""
    outside = Outside()
    for entry in PEOPLE:
        key = cases.PersonKey(entry["person_id"]["kind"], entry["person_id"]["value"])
        outside.persons[key] = cases.person_of(entry["register"])
        for post in entry["posts"]:
            outside.posts[post["hsa_id"].upper()] = cases.post_of(key, post)
    outside.know(*(cases.organisation_of(entry) for entry in ORGANISATIONS))
    return outside


def check(port: Any, case: Case) -> None:
    ask = getattr(port, case.method)
    if isinstance(case.expected, type):
        with pytest.raises(case.expected):
            ask(case.asked)
    else:
        assert ask(case.asked) == case.expected


@pytest.mark.parametrize("answered_by", ["adapter", "double"])
class TestCases:
    @pytest.mark.parametrize("case", [*DIRECTORY, *PLACES], ids=[case.name for case in (*DIRECTORY, *PLACES)])
    def test_the_staff_directory(self, simulator: Simulator, answered_by: str, case: Case) -> None:
        directory: StaffDirectory = JsonDirectory(simulator.url) if answered_by == "adapter" else double()
        check(directory, case)

    @pytest.mark.parametrize("case", [*REGISTER, *MANY], ids=[case.name for case in (*REGISTER, *MANY)])
    def test_the_person_register(self, simulator: Simulator, answered_by: str, case: Case) -> None:
        register: PersonRegister = JsonPersonRegister(simulator.url) if answered_by == "adapter" else double()
        check(register, case)

    def test_down_is_unavailable(self, simulator: Simulator, answered_by: str) -> None:
        outside = double()
        outside.down = True
        adapters = {case.method: outside for case in (*DIRECTORY, *PLACES, *REGISTER, *MANY)}
        if answered_by == "adapter":
            directory, register = JsonDirectory(simulator.url), JsonPersonRegister(simulator.url)
            adapters = dict.fromkeys((case.method for case in (*DIRECTORY, *PLACES)), directory)  # type: ignore[arg-type]
            adapters |= dict.fromkeys((case.method for case in (*REGISTER, *MANY)), register)  # type: ignore[arg-type]
        with simulator.down():
            for case in {case.method: case for case in (*DIRECTORY, *PLACES, *REGISTER, *MANY)}.values():
                with pytest.raises(Unavailable):
                    getattr(adapters[case.method], case.method)(case.asked)


def every(url: str) -> list[Any]:
    return [
        lambda: JsonDirectory(url).find_organisations(["TST2321000131-1000"]),
        lambda: JsonDirectory(url).find_posts_by_hsa_id("TST2321000131-A1b2"),
        lambda: JsonDirectory(url).find_posts_by_person_id(ANNA),
        lambda: JsonPersonRegister(url).read_person(ANNA),
        lambda: JsonPersonRegister(url).read_persons([ANNA]),
    ]


HUGE = b'{"posts": [' + b" " * (2 * 1024 * 1024) + b"]}"
NO_ANSWERS = {
    "down": Answer(b"", 503),
    "down with a problem": Answer({"code": "unavailable", "detail": "Demosson"}, 503),
    "failing": Answer(b"<h1>Demosson</h1>", 500),
    "too many": Answer(b"", 429),
    "empty": Answer(b""),
    "a page": Answer(b"<html>Demosson</html>"),
    "half a document": Answer(b'{"posts": ['),
    "another encoding": Answer('{"posts": [{"surname": "Åström"}]}'.encode("latin-1")),
    "a list": Answer([]),
    "null": Answer(None),
    "a number": Answer(1),
    "an empty object": Answer({}),
    "huge": Answer(HUGE),
    "cut off": Answer(b'{"posts": []}', cut=True),
    "not a number": Answer(b'{"posts": [{"hsa_id": NaN}]}'),
}


class TestNoAnswers:
    @pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
    def test_it_is_unavailable_and_quotes_nothing(self, answer: Answer) -> None:
        with peer(answer) as server:
            for ask in every(server.url):
                with pytest.raises(Unavailable) as refused:
                    ask()
                assert "Demosson" not in f"{refused.value} {refused.value.message}"

    def test_a_peer_that_is_too_late(self, settings: Any) -> None:
        settings.OUTBOUND_READ_TIMEOUT = 0.1
        with peer(Answer({"posts": []}, slow=30)) as server:
            for ask in every(server.url):
                with pytest.raises(Unavailable):
                    ask()
            wait_for(lambda: len(server.asked) >= 15)  # the peer may hear of the last one when it was given up
            assert len(server.asked) == 15, "each question was asked three times"

    def test_a_peer_that_trickles(self, settings: Any) -> None:
        settings.OUTBOUND_READ_TIMEOUT = settings.OUTBOUND_CONNECT_TIMEOUT = 0.1
        with peer(Answer(b'{"posts": []' + b" " * 4000 + b"}", trickle=True)) as server:
            for ask in every(server.url):
                with pytest.raises(Unavailable):
                    ask()

    def test_nobody_there(self) -> None:
        for ask in every(closed_port()):
            with pytest.raises(Unavailable):
                ask()

    def test_nobody_is_followed_elsewhere(self) -> None:
        """A redirect could carry the question to another house."""
        with peer(Answer({"posts": []})) as other, peer(Answer(b"", 307, (("Location", f"{other.url}/x"),))) as server:
            for ask in every(server.url):
                with pytest.raises(DomainError):
                    ask()
            assert other.asked == []

    def test_refused_and_unknown_are_told_apart(self) -> None:
        for status, error in ((400, Refused), (403, Refused), (404, NotFound)):
            with peer(Answer({"code": "because", "detail": "Demosson"}, status)) as server:
                for ask in every(server.url):
                    with pytest.raises(error) as refused:
                        ask()
                    assert refused.value.code == "because"
                    assert "Demosson" not in f"{refused.value} {refused.value.message}"
                assert len(server.asked) == 5, "what was declined is not asked again"


class TestWrongTypes:
    """A reply is taken whole or not at all: every required member missing, and every member of each wrong type."""

    @pytest.mark.parametrize("member", ["hsa_id", "organisation_hsa_id", "person_id", "given_name", "surname"])
    def test_a_post_without_it(self, member: str) -> None:
        with (
            peer(Answer({"posts": [POST, {name: value for name, value in POST.items() if name != member}]})) as server,
            pytest.raises(Unavailable),
        ):
            JsonDirectory(server.url).find_posts_by_hsa_id("x")

    @pytest.mark.parametrize("wrong", [1, [], {}, True, None], ids=repr)
    @pytest.mark.parametrize("member", list(PERSON))
    def test_a_person_of_it(self, member: str, wrong: Any) -> None:
        fits = (member == "registered_address" and wrong is None) or (isinstance(PERSON[member], bool) and wrong is True)
        with peer(Answer(PERSON | {member: wrong})) as server:
            if fits:
                assert JsonPersonRegister(server.url).read_person(ANNA)
            else:
                with pytest.raises(Unavailable):
                    JsonPersonRegister(server.url).read_person(ANNA)

    @pytest.mark.parametrize("wrong", [1, ["x"], {"x": 1}, True], ids=repr)
    @pytest.mark.parametrize("member", list(POST))
    def test_a_post_of_it(self, member: str, wrong: Any) -> None:
        with peer(Answer({"posts": [POST | {member: wrong}]})) as server, pytest.raises(Unavailable):
            JsonDirectory(server.url).find_posts_by_hsa_id("x")

    @pytest.mark.parametrize("member", ["hsa_id", "name"])
    def test_an_organisation_without_it(self, member: str) -> None:
        entry = {name: value for name, value in ORGANISATIONS[0].items() if name != member}
        with peer(Answer({"organisations": [entry]})) as server, pytest.raises(Unavailable):
            JsonDirectory(server.url).find_organisations(["x"])

    @pytest.mark.parametrize("wrong", [1, ["x"], {"x": 1}, True, "232100-0131", "2321000131\n"], ids=repr)
    @pytest.mark.parametrize("member", list(ORGANISATIONS[0]))
    def test_an_organisation_of_it(self, member: str, wrong: Any) -> None:
        with peer(Answer({"organisations": [ORGANISATIONS[0] | {member: wrong}]})) as server:
            if wrong == "232100-0131" and member != "organisation_number":
                assert JsonDirectory(server.url).find_organisations(["x"])
            else:
                with pytest.raises(Unavailable):
                    JsonDirectory(server.url).find_organisations(["x"])

    def test_many_organisations_are_asked_for_in_parts(self) -> None:
        with peer(Answer({"organisations": [ORGANISATIONS[0]] * 101})) as server:
            assert len(JsonDirectory(server.url).find_organisations(["x"] * 150)) == 200, "no more of a part than may be asked"
            assert len(server.asked) == 2

    def test_members_that_we_do_not_know_are_ignored(self) -> None:
        with peer(Answer({"posts": [POST | {"new": 1}], "more": True})) as server:
            assert len(JsonDirectory(server.url).find_posts_by_hsa_id("x")) == 1
        with peer(Answer(PERSON | {"new": 1})) as server:
            assert dataclasses.asdict(JsonPersonRegister(server.url).read_person(ANNA))["surname"] == PERSON["surname"]

    def test_more_posts_than_a_person_has_are_cut(self) -> None:
        with peer(Answer({"posts": [POST] * 101})) as server:
            assert len(JsonDirectory(server.url).find_posts_by_person_id(ANNA)) == 100
