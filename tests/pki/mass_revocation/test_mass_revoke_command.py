"""The operator's command for mass revocation: counted, asked for, approved by two others, carried out, stopped."""

import datetime as dt
import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command

from pki.mass_revocation import execution, mass_revocation
from pki.models import Certificate, Event, MassRevocation
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import FIRST, approve, ask, profile, rows_like

COMMAND = "pki_mass_revoke"
WHY = ["--reason", "keyCompromise", "--justification", "Svaga nycklar"]


def run(*arguments):
    """What the command printed, its error line and its exit status."""
    out = io.StringIO()
    try:
        call_command(COMMAND, *map(str, arguments), stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


def counted(*criteria):
    """The arguments by which a request repeats its trial count."""
    out, error, code = run("count", *criteria)
    assert (error, code) == ("", 0)
    return out.splitlines()[-1].removeprefix("begär med ").split(" ")


def asked(*criteria, why=WHY):
    out, error, code = run("request", *criteria, *counted(*criteria), *why, "--json")
    assert (error, code) == ("", 0)
    return mass_revocation(json.loads(out)["id"])


def test_a_trial_count_says_numbers_by_ca_and_profile_and_changes_nothing(world):
    rows_like(world, 5, profile_version=profile())
    rows_like(world, 2, profile_version=profile("person-hsaid-sign"), status="reserved", issued_at=None)
    out, _, code = run("count", "--ca", FIRST)
    lines = out.splitlines()
    assert code == 0
    assert lines[:3] == [
        "person-hsaid-3:1 person-hsaid-auth: 0 utfärdas, 5 utfärdade, 0 redan spärrade",
        "person-hsaid-3:1 person-hsaid-sign: 2 utfärdas, 0 utfärdade, 0 redan spärrade",
        "7 certifikat, 7 spärras",
    ]
    told = json.loads(run("count", "--ca", FIRST, "--json")[0])
    assert (told["total"], told["revocable"], len(told["groups"])) == (7, 7, 2)
    assert told["members_sha256"] in lines[3]
    assert not MassRevocation.objects.exists()
    assert not Event.objects.exists()


def test_from_the_count_to_the_report(world):
    rows_like(world, 12)
    made = asked("--ca", FIRST)
    assert (made.state, made.total, made.requested_by_ref.split(":")[0]) == ("requested", 12, "operator")
    assert run("start", made.id)[1:] == ("Det krävs godkännande av 2 andra personer än den som begärde det.", 1)
    assert "0 av 2 har godkänt" in run("show", made.id)[0]
    approve(made)
    out, _, code = run("start", made.id)
    assert (code, f"{made.id} running: Spärra 12 certifikat (keyCompromise)" in out) == (0, True)
    assert run("start", made.id)[1:] == ("Masspärren är redan startad.", 1)
    while execution.run(made.id):
        pass
    out, _, code = run("show", made.id, "--follow")
    assert code == 0
    assert "12 av 12, 12 spärrade" in out
    assert "godkänd av user:2, user:3" in out
    assert "spärrlistor person-hsaid-3:1 " in out
    assert "avvikelser inga" in out
    assert Certificate.objects.filter(status="revoked", reason="keyCompromise").count() == 12
    assert json.loads(run("show", made.id, "--json")[0])["report"]["differences"]["not_revoked"] == 0


def test_it_is_stopped_and_continued(world, monkeypatch):
    rows_like(world, 9)
    made = asked("--ca", FIRST)
    approve(made)
    run("start", made.id)
    assert run("stop", made.id, "--justification", " ")[2] == 1
    out, _, code = run("stop", made.id, "--justification", "Fel underlag")
    assert (code, " stopped: " in out) == (0, True)
    assert not execution.run(made.id)
    assert not Certificate.objects.filter(status="revoked").exists()
    assert run("stop", made.id, "--justification", "Igen")[1:] == ("Masspärren går inte nu, så den kan inte stoppas.", 1)
    assert " running: " in run("start", made.id)[0]
    while execution.run(made.id):
        pass
    assert mass_revocation(made.id).state == "finished"


def test_ones_own_request_is_withdrawn_and_anothers_is_not(world):
    rows_like(world, 1)
    refused = run("withdraw", ask().id)
    assert refused[1:] == ("Bara personen som har begärt ärendet kan ta tillbaka det.", 1)
    made = asked("--ca", FIRST)
    assert " withdrawn: " in run("withdraw", made.id)[0]
    assert run("start", made.id)[2] == 1


def test_the_list_is_newest_first_and_goes_on(world, monkeypatch):
    assert run("list") == ("inga masspärrar\n", "", 0)
    rows_like(world, 1)
    ids = [str(asked("--ca", FIRST).id) for _ in range(3)]
    assert [line.split(" ")[0] for line in run("list")[0].splitlines()] == ids[::-1]
    assert [each["id"] for each in json.loads(run("list", "--after", ids[1], "--json")[0])] == ids[:1]
    assert run("list", "--after", ids[0])[0] == "inga fler masspärrar\n"


@pytest.mark.parametrize("stdin", [False, True])
def test_lists_of_serials_and_keys_come_from_files(world, tmp_path, monkeypatch, stdin):
    rows = rows_like(world, 3)
    (key,) = rows_like(world, 1, spki_sha256="ab" * 32)
    text = f"# ur larmet\n{rows[0].serial.lower()}\n\n  {rows[1].serial}\n4711\n"
    serials, keys = tmp_path / "serials", tmp_path / "keys"
    serials.write_text(text)
    keys.write_text("AB" * 32)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    out = run("count", "--serials", "-" if stdin else serials)[0]
    assert "2 certifikat, 2 spärras" in out
    assert "1 värden träffar inget: 4711" in out
    assert "1 certifikat, 1 spärras" in run("count", "--keys", keys)[0]
    assert "0 certifikat" in run("count", "--keys", keys, "--serials", serials)[0]
    assert key.id is not None


def test_every_criterion_and_every_ground_arrives(world):
    now = clock.now()
    rows_like(world, 1, unit_ref="unit:1", client_ref="client:1", profile_version=profile())
    rows_like(world, 1)
    criteria = [
        "--ca", FIRST, "--profile", "person-hsaid-auth", "--unit", "unit:1", "--client", "client:1", "--include-expired",
        "--issued-from", (now - dt.timedelta(days=1)).isoformat(), "--issued-until", (now + dt.timedelta(days=1)).isoformat(),
    ]  # fmt: skip
    why = [
        *WHY, "--channel", "paper", "--received-at", "2026-01-02T03:04:05", "--invalidity-date", "2026-01-01T00:00:00",
        "--requester", "case:1", "--registered-by", "user:9", "--kept-at", "Pärm 4", "--no-crls",
    ]  # fmt: skip
    made = asked(*criteria, why=why)
    document = made.document
    assert made.total == 1
    assert set(document["selection"]) == {
        "cas", "profiles", "unit_ref", "client_ref", "include_expired", "issued_from", "issued_until"
    }  # fmt: skip
    assert document["received_at"] == "2026-01-02T02:04:05+00:00"
    assert document["invalidity_date"] == "2025-12-31T23:00:00+00:00"
    assert (document["channel"], document["requester"], document["publish_crls"]) == ("paper", "case:1", False)
    assert document["source_record"] == {"registered_by": "user:9", "kept_at": "Pärm 4"}


@pytest.mark.parametrize(
    ("criteria", "why", "message"),
    [
        ([], WHY, "Välj minst ett villkor. Utan villkor skulle allt spärras."),
        (["--ca", "nosuch:1"], WHY, "--ca: Utfärdaren nosuch:1 finns inte."),
        (["--profile", "nosuch"], WHY, "--profile: Profilen nosuch har inga certifikat."),
        (["--ca", FIRST], ["--reason", "keyCompromise"], "--justification: Skriv varför certifikaten ska spärras."),
        (["--ca", FIRST], [*WHY, "--invalidity-date", "2999-01-01T00:00:00"], "--invalidity-date: Ange en tid som har varit."),
        (["--ca", FIRST], [*WHY, "--channel", "paper"], "Ange när begäran på papper kom in."),
        (["--ca", FIRST], ["--reason", "cACompromise", "--justification", "x"], "spärras för sig"),
        (["--unit", "unit:none"], WHY, "Urvalet träffar inga certifikat."),
    ],
)
def test_what_is_refused_is_one_line_and_changes_nothing(world, criteria, why, message):
    rows_like(world, 1)
    trial = [
        "--as-of", clock.now().isoformat(),
        "--members-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]  # fmt: skip
    if criteria == ["--ca", FIRST]:
        trial = counted(*criteria)
    out, error, code = run("request", *criteria, *trial, *why)
    assert (out, code) == ("", 1)
    assert message in error
    assert "\n" not in error
    assert not MassRevocation.objects.exists()


def test_other_certificates_than_were_counted_are_not_asked_for(world):
    rows_like(world, 1)
    (planned,) = rows_like(world, 1, status="reserved", issued_at=None)
    trial = counted("--ca", FIRST)
    Certificate.objects.filter(id=planned.id).update(status="failed")
    error = run("request", "--ca", FIRST, *trial, *WHY)[1]
    assert error == "Certifikaten är inte de som provräkningen visade. Gör en ny provräkning."


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "innehåller inga värden"), ("# bara en anmärkning\n", "innehåller inga värden"), (None, "går inte att läsa")],
)
def test_a_list_that_is_empty_or_not_there_is_refused(world, tmp_path, content, message):
    """An empty list would not restrict, and everything would be taken."""
    path = tmp_path / "list"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=message):
        call_command(COMMAND, "count", "--ca", FIRST, "--serials", str(path))


def test_an_unknown_one_is_told(world):
    unknown = "01900000-0000-7000-8000-000000000000"
    for act in (["show"], ["start"], ["withdraw"], ["stop", "--justification", "x"]):
        assert run(*act, unknown)[1:] == ("Masspärren finns inte.", 1)
