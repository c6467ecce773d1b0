"""The development HSM: a SoftHSM folder of this clone with two tokens, and the clone's secrets in separate files.

`python -m siths_portal.dev.tokens FOLDER SECRETS` makes the tokens of a container (see `initialise`).
"""

import functools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from siths_portal.dev import openssl, users
from siths_portal.dev.home import CLIENT_ID, DEVICE_ROOTS, House
from siths_portal.dev.progress import HouseError

LABELS = ("siths-issuing", "siths-root")  # the root's keys are used only at ceremonies, so they have a separate token
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SOFTHSM_CONF = """\
directories.tokendir = {folder}
objectstore.backend = file
log.level = ERROR
slots.removable = false
"""

# Folders that no other user of the machine may read. The last three contain demo people, and folder names are card serials.
PRIVATE_FOLDERS = ("secrets", "tokens", "push", "log", "simulators", "demo")


def write_private(path: Path, text: str) -> None:
    """Writes `text` atomically to a file that only the starting user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    partial.rename(path)


def write_settings(house: House) -> None:
    """Writes `var/portal.env`, missing secrets, and SoftHSM's configuration."""
    for name in PRIVATE_FOLDERS:
        (house.var / name).mkdir(mode=0o700, exist_ok=True)
        (house.var / name).chmod(0o700)
    folder = house.var / "secrets"
    for name, new in (("secret_key", secrets.token_urlsafe(64)), ("pin", digits(8)), ("so_pin", digits(12)), *_keys(house)):
        if not (folder / name).exists():
            write_private(folder / name, new)
    sites = [f"http://localhost:{house.port(name)}" for name in ("portal", "minasidor")]
    register_with_provider(house.var / "simulators" / "idp", folder / "oidc_client_key", sites)
    prepare_device_maker(house.var / "simulators" / "devices" / "maker", house.var / DEVICE_ROOTS)
    tokens = house.var / "tokens"
    write_private(house.var / "softhsm2.conf", SOFTHSM_CONF.format(folder=tokens))
    write_private(house.var / "portal.env", "".join(f"{name}={value}\n" for name, value in house.settings().items()))


def _keys(house: House) -> list[tuple[str, str]]:
    """Returns a new secret key for each system user, if processes run as separate users."""
    return [(name, secrets.token_urlsafe(64)) for name in users.SECRET_KEYS.values()] if house.separated else []


def register_with_provider(provider: Path, key: Path, sites: Sequence[str]) -> None:
    """Writes the client key of the sites if it is missing, and their registration in the simulated provider's folder."""
    if not key.exists():
        write_private(key, openssl.new_key())
    client = {
        "client_id": CLIENT_ID,
        "name": "SITHS eID Portal",
        "redirect_uris": [f"{site}/logga-in/svar/" for site in sites],
        "post_logout_redirect_uris": [f"{site}/logga-ut/" for site in sites],
        "public_key": openssl.run("pkey", "-in", str(key), "-pubout"),
    }
    write_private(provider / "clients.json", json.dumps([client], indent=1) + "\n")


def prepare_device_maker(maker: Path, roots: Path) -> None:
    """Makes the root of the simulated maker of phones if it is missing, and copies its certificate to `roots` for the portal."""
    maker.mkdir(parents=True, exist_ok=True)
    if not (maker / "root.pem").exists():
        extensions = ("basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign")
        openssl.make_certificate("DEMO device maker root", maker / "root.key", maker / "root.pem", *extensions, days=3650)
    write_private(roots, (maker / "root.pem").read_text())


def digits(count: int) -> str:
    """Returns a random PIN."""
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _tool(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["pkcs11-tool", "--module", MODULE, *arguments],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise HouseError(f"pkcs11-tool {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def keep_copies(folder: Path) -> None:
    """Copies `token.object` of each token in `folder/tokens` once to `folder/tokens-kept`, for `heal`.

    SoftHSM overwrites the file in place at every log-in.
    """
    for live in (folder / "tokens").glob("*/token.object"):
        kept = folder / "tokens-kept" / live.parent.name / live.name
        if live.stat().st_size and not kept.exists():
            kept.parent.parent.mkdir(mode=0o700, exist_ok=True)
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(live, kept)


def heal(folder: Path) -> int:
    """Restores each `token.object` that a kill during a log-in left empty, and returns how many. Keys are in other files."""
    healed = 0
    for kept in (folder / "tokens-kept").glob("*/token.object"):
        live = folder / "tokens" / kept.parent.name / kept.name
        if live.parent.is_dir() and (not live.exists() or not live.stat().st_size):
            shutil.copy2(kept, live)
            healed += 1
    return healed


def initialise_tokens(house: House) -> str | None:
    """Makes the missing tokens of the clone, and returns a note."""
    return initialise(house.var, house.var / "secrets", house.command_env())


def initialise(folder: Path, secret_files: Path, environment: Mapping[str, str]) -> str | None:
    """Makes the missing tokens of LABELS in `folder/tokens` with the PINs of `secret_files`, and returns a note.

    `environment` names SoftHSM's configuration. No command line has a PIN. Raises HouseError.
    """
    (folder / "tokens").mkdir(mode=0o700, exist_ok=True)
    pins = {name: (secret_files / file).read_text() for name, file in (("PIN", "pin"), ("SO_PIN", "so_pin"))}
    tool = functools.partial(_tool, dict(environment) | pins)
    healed = heal(folder)
    slots = tool("-L")
    missing = [label for label in LABELS if not re.search(rf"token label +: {label}$", slots, re.M)]
    for label in missing:
        free = len(re.findall(r"^Slot ", tool("-L"), re.M)) - 1  # SoftHSM keeps one free slot, always the last
        tool("--init-token", "--slot-index", str(free), "--label", label, "--so-pin", "env:SO_PIN")
        user_pin = ("--so-pin", "env:SO_PIN", "--new-pin", "env:PIN")
        tool("--init-pin", "--token-label", label, "--login", "--login-type", "so", *user_pin)
    keep_copies(folder)
    notes = [f"{len(missing)} made"] if missing else []
    return ", ".join([*notes, *([f"{healed} healed"] if healed else [])]) or None


if __name__ == "__main__":
    print(initialise(Path(sys.argv[1]), Path(sys.argv[2]), os.environ) or "as they are")
