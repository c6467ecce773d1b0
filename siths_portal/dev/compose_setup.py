"""`make compose-setup`: all that the stack of `docker-compose.yml` needs before `docker compose up`, from an empty checkout.

Without settings in `var/compose/portal.env` it makes a demonstration with simulators of the external systems. Each step keeps
what exists, so the target can be repeated.
"""

import io
import secrets
import shutil
import ssl
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from siths_portal.dev import approvers, openssl, tokens
from siths_portal.dev.compose_stack import COMPOSE_FILE, DEMO_FILE, PORTS, Stack, address, host
from siths_portal.dev.home import CLIENT_ID, DEVICE_ROOTS
from siths_portal.dev.progress import HouseError, Step, wait_for
from siths_portal.lib.processes.table import PIN, PROCESSES, SECRET_KEY

DAYS = 365
TLS_SITES = ("portal", "minasidor", "login")
DATABASE_PASSWORDS = tuple(
    f"database_{name}_password" for name in ("superuser", "owner", "app", "api", "pki", "worker", "backup")
)
CEREMONY, ADMINISTRATORS = "ceremony/ceremony.yaml", "administrators.yaml"
OWN_FILES = (
    CEREMONY,
    ADMINISTRATORS,
    *(f"tls/{site}/server.{ending}" for site in (*TLS_SITES, "api") for ending in ("pem", "key")),
    "tls/api/clients-ca.pem",
    "tls/login/people-ca.pem",
)
"""What somebody puts in `var/compose/` beside `portal.env` for an installation of their own."""

DEMO_SETTINGS = {
    "DEBUG": "1",
    "STATIC_HASHED": "1",
    "TLS_PROXY": "1",
    "ALLOWED_HOSTS": ",".join(["localhost", "127.0.0.1", "[::1]", *map(host, PORTS)]),
    "PORTAL_BASE_URL": address("portal"),
    "MINASIDOR_BASE_URL": address("minasidor"),
    "STATUS_BASE_URL": address("status", "http"),
    "API_BASE_URL": address("api"),
    "LOGIN_BASE_URL": address("login"),
    "SUPPLIER_API_URL": address("api"),
    "SUPPLIER_PUSH_HOSTS": "push-supplier:8012",
    "OIDC_ISSUER": address("idp", "http"),
    "OIDC_CLIENT_ID": CLIENT_ID,
    "EID_APP_URL": address("eid-app", "http") + "/",
    "DIRECTORY_URL": "http://directory:8013",
    "ACCESS_POINT_BACKEND": "billing.delivery.adapters.rest.RestAccessPoint",
    "ACCESS_POINT_URL": "http://access-point:8014",
    "EMAIL_HOST": "mail",
}


def secret_files() -> Iterator[tuple[str, str]]:
    """Yields the name and a new value of each file of secrets, except the client key at an identity provider."""
    for name in sorted({secret for process in PROCESSES for secret in process.secrets if secret.startswith(SECRET_KEY)}):
        yield name, secrets.token_urlsafe(64)
    yield PIN, tokens.digits(8)
    yield "so_pin", tokens.digits(12)
    for name in DATABASE_PASSWORDS:
        yield name, secrets.token_urlsafe(32)


def _put(path: Path, text: str) -> None:
    """Writes a file that the containers' users can read. On this machine its folder protects it."""
    tokens.write_private(path, text)
    path.chmod(0o644)


def write_settings(stack: Stack) -> str:
    """Writes the demonstration's settings if there are none, and missing secrets. Raises HouseError if own files are missing."""
    for name in ("secrets", "tls", "ceremony", "log"):
        (stack.folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("secrets", "tls"):
        (stack.folder / name).chmod(0o700)
    settings = stack.folder / "portal.env"
    if not settings.exists():
        settings.write_text("".join(f"{name}={value}\n" for name, value in DEMO_SETTINGS.items()))
        (stack.root / ".env").write_text(f"COMPOSE_FILE={COMPOSE_FILE}:{DEMO_FILE}\n")
    folder = stack.folder / "secrets"
    for name, value in secret_files():
        if not (folder / name).exists():
            _put(folder / name, value)
    if not stack.is_demo and (missing := [name for name in OWN_FILES if not (stack.folder / name).exists()]):
        raise HouseError(f"Put these files in {stack.folder} first: {', '.join(missing)}", 2)
    key = folder / "oidc_client_key"
    if stack.is_demo:
        simulators, roots = stack.folder / "simulators", stack.folder / "tls" / DEVICE_ROOTS
        tokens.register_with_provider(simulators / "idp", key, [address("portal"), address("minasidor")])
        tokens.prepare_device_maker(simulators / "devices" / "maker", roots)
        roots.chmod(0o644)
    elif not key.exists():
        _put(key, openssl.new_key())
    key.chmod(0o644)
    return "a demonstration" if stack.is_demo else "your own"


def certify_sites(stack: Stack) -> str | None:
    """Makes the demonstration's TLS certificates of the sites for people, and the CA that issues them."""
    folder = stack.folder / "tls"
    missing = [site for site in TLS_SITES if not (folder / site / "server.pem").exists()]
    if not missing:
        return None
    ca = (folder / "ca.key", folder / "ca.pem")
    if not ca[1].exists():
        openssl.make_certificate("DEMO SITHS sites", *ca, "keyUsage=critical,keyCertSign", days=DAYS)
    for site in missing:
        place = folder / site
        place.mkdir(exist_ok=True)
        names = [host(site), "localhost"]
        openssl.make_server_certificate(names, place / "server.key", place / "server.pem", ca=ca, days=DAYS)
        (place / "server.key").chmod(0o644)
    return f"{len(missing)} made"


def _image(stack: Stack) -> None:
    stack.call("build", "migrate")


def _database(stack: Stack) -> None:
    stack.call("up", "-d", "redis")
    stack.call("run", "--rm", "-T", "migrate")


def _tokens(stack: Stack) -> None:
    stack.run("commands", "python3", "-m", "siths_portal.dev.tokens", "var/hsm", "/run/secrets")


def _packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, ".")
    return buffer.getvalue()


def _give(stack: Stack, service: str, source: Path, target: str) -> None:
    """Copies the files of the folder into a folder of the service's volumes, as its user."""
    command = ("tar", "--extract", "--no-same-owner", "--directory", target)
    stack.piped(service, *command, data=_packed(source))


def _ceremony(stack: Stack) -> None:
    file = stack.folder / CEREMONY
    if not file.exists():
        shutil.copy(stack.root / "siths_portal" / "dev" / "demo_ceremony.yaml", file)
        approvers.approve(file, file.parent)
    _give(stack, "commands", file.parent, "var/ceremony")
    stack.run("commands", "python3", "manage.py", "pki_ceremony", "var/ceremony/ceremony.yaml")


def _administrators(stack: Stack) -> str | None:
    if stack.is_demo:
        _give(stack, "demo", stack.folder / "simulators", "var/simulators")
        stack.run("demo", "python3", "manage.py", "demo_load")
        return None
    done = stack.folder / "administrators-appointed"
    if done.exists():
        return "as they are"
    script = "cat > /tmp/file.yaml && python3 manage.py issuance_first_administrators /tmp/file.yaml"
    stack.piped("commands", "sh", "-c", script, data=(stack.folder / ADMINISTRATORS).read_bytes())
    done.touch()
    return None


def _api_certificates(stack: Stack) -> None:
    """Has the Function CA certify the demonstration's API, supplier and service, and takes the proxy's files out."""
    stack.call("up", "-d", "pki-worker")
    stack.run("demo", "python3", "manage.py", "demo_tls")
    packed = stack.piped("demo", "tar", "--create", "--directory", "var/tls", ".")
    place = stack.folder / "tls" / "api"
    place.mkdir(exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(place, filter="data")
    place.chmod(0o755)
    for file in place.iterdir():
        file.chmod(0o644)
    shutil.copy(place / "people-ca.pem", stack.folder / "tls" / "login")


def _up(stack: Stack) -> None:
    stack.call("up", "-d")
    await_portal(stack)


def await_portal(stack: Stack, *, seconds: float = 300) -> None:
    """Waits until the portal answers over TLS at its published port that it is ready. Raises HouseError."""
    context = ssl.create_default_context(cafile=str(stack.folder / "tls" / "ca.pem") if stack.is_demo else None)
    if not stack.is_demo:  # its certificate names the site, which only its proxy's network may resolve
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"https://localhost:{PORTS['portal']}/healthz/ready", context=context, timeout=30) as got:
                return bool(got.status == 200)
        except OSError:
            return False

    wait_for(ready, "the portal", seconds=seconds)


def _demo_cards(stack: Stack) -> str | None:
    if not stack.is_demo:
        return "none"
    care = ["issuance_register_care", "--wait", "--quiet"]
    prices = ["billing_demo_prices", "--since-last-month"]
    for command in (["demo_history"], ["demo_states"], care, ["issuance_count_outcome"], prices):
        stack.run("demo", "python3", "manage.py", *command)
    return None


def _for_demo(step: Step) -> Step:
    return Step(step.name, lambda stack: step.work(stack) if stack.is_demo else "your own")


SETUP_STEPS = (
    Step("Settings and secrets", write_settings),
    _for_demo(Step("TLS certificates of the sites", certify_sites)),
    Step("Image", _image),
    Step("PostgreSQL, Redis and migrations", _database),
    Step("Tokens", _tokens),
    Step("Key ceremony", _ceremony),
    Step("First administrators", _administrators),
    _for_demo(Step("TLS certificates of the API, machine clients", _api_certificates)),
    Step("All containers", _up),
    Step("Last month's cards, prices and customers", _demo_cards),
)
