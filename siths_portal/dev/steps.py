"""The steps of `make run` and `make demo`, in order."""

import datetime as dt
from pathlib import Path

from siths_portal.dev import approvers, programs, tokens, users
from siths_portal.dev.home import House
from siths_portal.dev.probes import is_ready
from siths_portal.dev.progress import HouseError, Step, run_logged, seconds_since_start
from siths_portal.dev.supervision import Supervisor
from siths_portal.lib.processes.table import PIN


def manage(name: str, *arguments: str) -> Step:
    """Returns a step that runs a management command with the clone's settings and logs to `var/log/commands.log`."""

    def work(house: House) -> None:
        command = [str(house.python), "manage.py", *arguments]
        run_logged(command, house.var / "log" / "commands.log", cwd=house.root, env=house.command_env())
        users.hand_over(house)

    return Step(name, work)


def fill(name: str, *arguments: str) -> Step:
    """Returns the same for a command that changes nothing when repeated. Skips it if all ran today with the same code."""
    step = manage(name, *arguments)

    def work(house: House) -> str | None:
        return "as it is" if _is_filled(house) else step.work(house)

    return Step(name, work)


def _filled(house: House) -> tuple[Path, str]:
    """Returns the path and content of the file that records that all `fill` steps are done.

    It is next to the database, so that deleting the database also deletes the record. The steps also depend on whether the
    supplier under test takes push.
    """
    parts = (
        programs.code_fingerprint(house.root),
        programs.files_fingerprint(house.var / "sandbox", "push.json"),
        dt.datetime.now(dt.UTC).date().isoformat(),
    )
    return house.postgres_home / "filled", " ".join(parts)


def _is_filled(house: House) -> bool:
    note, text = _filled(house)
    return note.exists() and note.read_text() == text


def _supervisor(house: House) -> str | None:
    return Supervisor(house).start()


def _data_services(house: House) -> None:
    house.postgres.create()
    house.redis.folder.mkdir(parents=True, exist_ok=True)
    Supervisor(house).bring_up(programs.data_services(house))
    house.postgres.provision()


def split_pin(house: House) -> str:
    """Makes the shares of the PIN as files, from which the worker reads both: nobody enters them in the demo."""
    folder = house.var / "secrets"
    manage("Shares", "pki_split_pin", "--pin-file", str(folder / PIN), "--folder", str(folder)).work(house)
    return "the worker starts by itself, from files; in production two custodians enter them"


def _ceremony(house: House) -> str | None:
    if _is_filled(house):
        return "as it is"
    file = "siths_portal/dev/demo_ceremony.yaml"
    approvers.approve(house.root / file, house.var / "ceremony")
    return manage("Key ceremony", "pki_ceremony", file).work(house)


def _applications(house: House) -> None:
    house.release_ports()
    Supervisor(house).bring_up(programs.application_programs(house))


def _outer(house: House) -> None:
    supervisor = Supervisor(house)
    supervisor.start()  # new certificates require a restart of nginx
    supervisor.bring_up(programs.outer_programs(house))


def _served(house: House) -> str:
    if not is_ready(house.port("portal")):
        raise HouseError(f"The portal does not answer on port {house.port('portal')}; see {house.var / 'log' / 'portal.log'}")
    note, text = _filled(house)
    note.write_text(text)
    return f"served {seconds_since_start():.1f} s after the first line"


SERVE_STEPS = (
    Step("Settings and secrets", tokens.write_settings),
    Step("Supervisor", _supervisor),
    Step("PostgreSQL and Redis", _data_services),
    fill("Static files", "collectstatic", "--no-input", "--verbosity", "0"),
    fill("Migrations", "migrate", "--no-input"),
    Step("Tokens", tokens.initialise_tokens),
    Step("Shares of the PIN", split_pin),
    Step("Key ceremony", _ceremony),
    fill("Demo organisations and people", "demo_load"),
    Step("Sites and workers", _applications),
    fill("TLS certificates, machine clients", "demo_tls"),
    Step("TLS proxy and card supplier", _outer),
    fill("Last month's cards", "demo_history"),
    fill("Cards in every state", "demo_states"),
    # The nightly task may be at it already, without these cards.
    fill("Rows of register care", "issuance_register_care", "--wait", "--quiet"),
    fill("Figures of the last weeks", "issuance_count_outcome"),
    # After last month's cards, since the scheduled job invoices that month as soon as it has customers.
    fill("Demo prices and customers", "billing_demo_prices", "--since-last-month"),
    Step("The portal answers", _served),
)

# `make demo` runs the demo each time, `make run` once.
WALK_STEPS = (manage("One card through its whole life", "demo_run", "--out", "var/demo"),)
