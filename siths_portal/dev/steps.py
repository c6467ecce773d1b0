"""The steps of `make run` and `make demo`, in order, in this one place."""

from siths_portal.dev import programs, tokens
from siths_portal.dev.home import House
from siths_portal.dev.probes import is_ready
from siths_portal.dev.progress import HouseError, Step, run_logged, seconds_since_start
from siths_portal.dev.supervision import Supervisor


def manage(*arguments: str) -> Step:
    """A step that runs one management command with the clone's settings; its output goes to `var/log/commands.log`."""

    def work(house: House) -> None:
        command = [str(house.python), "manage.py", *arguments]
        run_logged(command, house.var / "log" / "commands.log", cwd=house.root, env=house.command_env())

    return Step(arguments[0], work)


def named(name: str, step: Step) -> Step:
    """`step` under the name that the person at the keyboard reads."""
    return Step(name, step.work)


def _supervisor(house: House) -> str | None:
    return Supervisor(house).start()


def _data_services(house: House) -> None:
    house.postgres.create()
    house.redis.folder.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(house)
    supervisor.bring_up(programs.data_services(house))
    house.postgres.provision()


def _applications(house: House) -> None:
    house.release_ports()
    supervisor = Supervisor(house)
    supervisor.bring_up(programs.application_programs(house))


def _outside(house: House) -> None:
    supervisor = Supervisor(house)
    supervisor.start()  # new certificates mean a new start of nginx
    supervisor.bring_up(programs.outer_programs(house))


def _served(house: House) -> str:
    if not is_ready(house.port("portal")):
        raise HouseError(f"The portal does not answer on port {house.port('portal')}; see {house.var / 'log' / 'portal.log'}")
    return f"served {seconds_since_start():.1f} s after the first line"


SERVE_STEPS = (
    Step("Settings and secrets", tokens.write_settings),
    Step("Supervisor", _supervisor),
    Step("PostgreSQL and Redis", _data_services),
    named("Migrations", manage("migrate", "--no-input")),
    named("Static files", manage("collectstatic", "--no-input")),
    Step("Tokens", tokens.initialise_tokens),
    Step("Faces, workers and simulators", _applications),
    Step("The portal answers", _served),
)
