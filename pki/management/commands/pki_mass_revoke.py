"""`pki_mass_revoke count|request|list|show|start|stop|withdraw`: mass revocation under dual control (rules/pki 4.4)."""

import argparse
import datetime as dt
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from pki.approvals import dual_control
from pki.management import arguments, grounds
from pki.mass_revocation import lifecycle
from pki.mass_revocation import selection as mass_selection
from pki.mass_revocation.lifecycle import MassRevocationGrounds, MassRevocationView
from pki.mass_revocation.selection import MassRevocationDryRun, MassSelection
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.lists import Cursor, Order
from siths_portal.lib.processes.commands import CheckedCommand

FOLLOW_SECONDS = 2
_LIVE = ("running", "publishing")
_PAGE = 50
_OPTIONS = {"cas": "ca", "profiles": "profile", "key_hashes": "keys", "client_ref": "client", "unit_ref": "unit"}


class Command(CheckedCommand):
    """Requests and controls mass revocations. Persons approve in the portal, and the `pki` worker executes them."""

    help = "Masspärr: räkna på prov, begär, och starta när två andra personer har godkänt i portalen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the subcommands."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="count|request|list|show|start|stop|withdraw")
        count = acts.add_parser("count", help="räkna på prov; inget ändras")
        _add_selection(count)
        request = acts.add_parser("request", help="begär spärr av det som provräkningen visade")
        _add_selection(request)
        request.add_argument("--as-of", required=True, type=grounds.moment, metavar="TID", help="provräkningens tid")
        request.add_argument("--members-sha256", required=True, metavar="HEX", help="provräkningens kontrollsumma")
        grounds.add(request, required=True)
        request.add_argument("--no-crls", action="store_true", help="vänta med spärrlistorna till nästa ordinarie")
        acts.add_parser("list", help="visa de senaste masspärrarna").add_argument(
            "--after", type=UUID, metavar="ID", help="visa dem som är äldre än denna"
        )
        show = acts.add_parser("show", help="visa hur långt en masspärr har kommit")
        show.add_argument("--follow", action="store_true", help="visa tills den är klar eller stoppad")
        start = acts.add_parser("start", help="starta en godkänd masspärr, eller fortsätt en stoppad")
        stop = acts.add_parser("stop", help="stoppa en masspärr som går; det som är spärrat förblir spärrat")
        stop.add_argument("--justification", required=True, metavar="TEXT", help="varför, för dem som granskar")
        withdraw = acts.add_parser("withdraw", help="ta tillbaka din begäran innan den är startad")
        for act in (show, start, stop, withdraw):
            act.add_argument("id", type=UUID, metavar="ID", help="masspärren, som request skrev ut")
        for act in acts.choices.values():
            act.add_argument("--json", action="store_true", help="skriv resultatet som JSON")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for a refused request."""
        acts = {
            "count": self._count,
            "request": self._request,
            "list": self._list,
            "show": self._show,
            "start": self._start,
            "stop": self._stop,
            "withdraw": self._withdraw,
        }
        try:
            acts[options["act"]](options)
        except DomainError as error:
            raise CommandError(_error_line(error), returncode=1) from None

    def _count(self, options: dict[str, Any]) -> None:
        trial = mass_selection.dry_run(_selection(options))
        if options["json"]:
            self._dump(asdict(trial))
            return
        for line in _trial_lines(trial):
            self.stdout.write(line)

    def _request(self, options: dict[str, Any]) -> None:
        given = MassRevocationGrounds(**grounds.given(options), publish_crls=not options["no_crls"])
        made = lifecycle.request_mass_revocation(
            _selection(options),
            given,
            as_of=options["as_of"],
            members_sha256=options["members_sha256"],
            actor_ref=arguments.operator_ref(),
        )
        self._tell(made, options)

    def _list(self, options: dict[str, Any]) -> None:
        cursor = Cursor(str(options["after"])) if options["after"] else None
        found = lifecycle.mass_revocations().page(Order("", descending=True), (), cursor, _PAGE).lines
        if options["json"]:
            self._dump([asdict(each) for each in found])
            return
        for each in found:
            self.stdout.write(_line(each))
        if not found:
            self.stdout.write("inga masspärrar" if options["after"] is None else "inga fler masspärrar")

    def _show(self, options: dict[str, Any]) -> None:
        found = lifecycle.mass_revocation(options["id"])
        while options["follow"] and found.state in _LIVE:
            self._tell(found, options)
            time.sleep(FOLLOW_SECONDS)
            found = lifecycle.mass_revocation(options["id"])
        self._tell(found, options)
        if not options["json"]:
            for line in _details(found):
                self.stdout.write(line)

    def _start(self, options: dict[str, Any]) -> None:
        with transaction.atomic(durable=True):
            made = lifecycle.start_mass_revocation(options["id"], actor_ref=arguments.operator_ref())
        self._tell(made, options)

    def _stop(self, options: dict[str, Any]) -> None:
        actor_ref, why = arguments.operator_ref(), options["justification"]
        with transaction.atomic(durable=True):
            made = lifecycle.stop_mass_revocation(options["id"], actor_ref=actor_ref, justification=why)
        self._tell(made, options)

    def _withdraw(self, options: dict[str, Any]) -> None:
        found = lifecycle.mass_revocation(options["id"])
        dual_control.withdraw(request_id=found.approval_request_id, requester_ref=arguments.operator_ref())
        self._tell(lifecycle.mass_revocation(found.id), options)

    def _tell(self, found: MassRevocationView, options: dict[str, Any]) -> None:
        if options["json"]:
            self._dump(asdict(found))
        else:
            self.stdout.write(_line(found))

    def _dump(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False))


def _error_line(error: DomainError) -> str:
    """Returns the error in one line, with each argument that it concerns."""
    fields = [
        f"--{_OPTIONS.get(name, name.replace('_', '-'))}: {' '.join(texts)}"
        for name, texts in error.fields.items()
        if texts != [error.message]
    ]
    return f"{error.message} ({'; '.join(fields)})" if fields else error.message


def _add_selection(parser: argparse.ArgumentParser) -> None:
    """Declares the criteria. They are joined by "and"; the values of a repeatable option are joined by "or"."""
    parser.add_argument("--ca", action="append", default=[], metavar="NAMN:GENERATION", help="till exempel person-hsaid-3:1")
    parser.add_argument("--profile", action="append", default=[], metavar="PROFIL", help="till exempel person-hsaid-auth")
    parser.add_argument("--issued-from", type=grounds.moment, metavar="TID", help="utfärdade från och med")
    parser.add_argument("--issued-until", type=grounds.moment, metavar="TID", help="utfärdade före")
    parser.add_argument("--serials", type=_values, default=(), metavar="FIL", help="serienummer, ett på varje rad; - för stdin")
    parser.add_argument("--keys", type=_values, default=(), metavar="FIL", help="nycklars SHA-256, en på varje rad")
    parser.add_argument("--client", default="", metavar="REF", help="beställarens referens")
    parser.add_argument("--unit", default="", metavar="REF", help="enhetens referens")
    parser.add_argument("--include-expired", action="store_true", help="ta även med certifikat som har gått ut")


def _values(name: str) -> tuple[str, ...]:
    """Returns the values of a file, one a line; skips empty lines and lines that begin with #."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise argparse.ArgumentTypeError(f"filen {name} går inte att läsa") from None
    lines = (line.strip() for line in text.splitlines())
    values = tuple(line for line in lines if line and not line.startswith("#"))
    if not values:
        # An empty list does not restrict, and would select every certificate.
        raise argparse.ArgumentTypeError(f"filen {name} innehåller inga värden")
    return values


def _selection(options: dict[str, Any]) -> MassSelection:
    return MassSelection(
        cas=tuple(options["ca"]),
        profiles=tuple(options["profile"]),
        issued_from=options["issued_from"],
        issued_until=options["issued_until"],
        key_hashes=options["keys"],
        serials=options["serials"],
        client_ref=options["client"],
        unit_ref=options["unit"],
        include_expired=options["include_expired"],
    )


def _trial_lines(trial: MassRevocationDryRun) -> list[str]:
    lines = [
        f"{each.ca}:{each.generation} {each.profile or '-'}: {each.reserved} utfärdas, {each.issued} utfärdade, "
        f"{each.revoked} redan spärrade"
        for each in trial.groups
    ]
    lines.append(f"{trial.total} certifikat, {trial.revocable} spärras")
    if missed := trial.unmatched_serials + trial.unmatched_keys:
        lines.append(f"{missed} värden träffar inget: {', '.join(trial.unmatched_examples)}")
    if trial.total:
        lines.append(f"begär med --as-of {mass_selection.utc(trial.as_of)} --members-sha256 {trial.members_sha256}")
    return lines


def _line(found: MassRevocationView) -> str:
    approved = f"{len(found.approver_refs)} av {found.required} har godkänt"
    done = f"{found.done} av {found.total}, {found.revoked} spärrade" if found.started_at else approved
    rate = f", {found.rate:.0f}/s" if found.state == "running" and found.rate else ""
    return f"{found.id} {found.state}: {found.summary}; {done}{rate}"


def _details(found: MassRevocationView) -> list[str]:
    lines = [
        f"begärd {_moment(found.created_at)} av {found.requested_by_ref}; godkänd av {', '.join(found.approver_refs) or '-'}",
        f"{found.revoked} spärrade, {found.changed} skärpta, {found.unchanged} redan spärrade, {found.failed} aldrig signerade",
    ]
    if found.failure:
        lines.append(f"går inte att publicera: {found.failure}")
    if found.report:
        numbers = ", ".join(f"{ca} {number}" for ca, number in found.report["crl_numbers"].items() if number is not None)
        differences = ", ".join(f"{name} {count}" for name, count in found.report["differences"].items() if count)
        lines.append(f"klar {_moment(found.finished_at)}; spärrlistor {numbers or '-'}; avvikelser {differences or 'inga'}")
    return lines


def _moment(value: dt.datetime | None) -> str:
    return f"{value.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}" if value else "-"
