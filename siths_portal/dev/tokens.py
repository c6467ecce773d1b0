"""The development HSM: a SoftHSM folder of this clone with two tokens, and the clone's secrets in separate files."""

import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

from siths_portal.dev import users
from siths_portal.dev.home import House
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
PRIVATE_FOLDERS = ("secrets", "tokens", "log", "simulators", "demo")


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
    for name, new in (("secret_key", secrets.token_urlsafe(64)), ("pin", _digits(8)), ("so_pin", _digits(12)), *_keys(house)):
        if not (folder / name).exists():
            write_private(folder / name, new)
    _register_with_provider(house)
    tokens = house.var / "tokens"
    write_private(house.var / "softhsm2.conf", SOFTHSM_CONF.format(folder=tokens))
    write_private(house.var / "portal.env", "".join(f"{name}={value}\n" for name, value in house.settings().items()))


def _keys(house: House) -> list[tuple[str, str]]:
    """Returns a new secret key for each system user, if processes run as separate users."""
    return [(name, secrets.token_urlsafe(64)) for name in users.SECRET_KEYS.values()] if house.separated else []


def _register_with_provider(house: House) -> None:
    """Writes the portal's client key, and the portal's registration at the identity provider simulator."""
    key = house.var / "secrets" / "oidc_client_key"
    if not key.exists():
        write_private(key, new_client_key())
    portal = f"http://localhost:{house.port('portal')}"
    client = {
        "client_id": house.settings()["OIDC_CLIENT_ID"],
        "name": "SITHS eID Portal",
        "redirect_uris": [f"{portal}/logga-in/svar/"],
        "post_logout_redirect_uris": [f"{portal}/logga-ut/"],
        "public_key": _openssl("pkey", "-in", str(key), "-pubout"),
    }
    write_private(house.var / "simulators" / "idp" / "clients.json", json.dumps([client], indent=1) + "\n")


def new_client_key() -> str:
    """Returns a new P-256 key in PEM, the portal's client key at an identity provider. Raises HouseError."""
    return _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def _openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HouseError(f"openssl {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _tool(house: House, *arguments: str) -> str:
    secret = {name: (house.var / "secrets" / file).read_text() for name, file in (("PIN", "pin"), ("SO_PIN", "so_pin"))}
    done = subprocess.run(
        ["pkcs11-tool", "--module", MODULE, *arguments],
        env=house.command_env() | secret, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise HouseError(f"pkcs11-tool {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def keep_copies(house: House) -> None:
    """Copies each token's `token.object` once, for `heal`, since SoftHSM overwrites the file in place at every log-in."""
    for live in (house.var / "tokens").glob("*/token.object"):
        kept = house.var / "tokens-kept" / live.parent.name / live.name
        if live.stat().st_size and not kept.exists():
            kept.parent.parent.mkdir(mode=0o700, exist_ok=True)
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(live, kept)


def heal(house: House) -> int:
    """Restores each `token.object` that a kill during a log-in left empty, and returns how many. Keys are in other files."""
    healed = 0
    for kept in (house.var / "tokens-kept").glob("*/token.object"):
        live = house.var / "tokens" / kept.parent.name / kept.name
        if live.parent.is_dir() and (not live.exists() or not live.stat().st_size):
            shutil.copy2(kept, live)
            healed += 1
    return healed


def initialise_tokens(house: House) -> str | None:
    """Makes the missing tokens of LABELS with the PIN of `var/secrets/pin`, and returns a note. No command line has a PIN."""
    healed = heal(house)
    slots = _tool(house, "-L")
    missing = [label for label in LABELS if not re.search(rf"token label +: {label}$", slots, re.M)]
    for label in missing:
        free = len(re.findall(r"^Slot ", _tool(house, "-L"), re.M)) - 1  # SoftHSM keeps one free slot, always the last
        _tool(house, "--init-token", "--slot-index", str(free), "--label", label, "--so-pin", "env:SO_PIN")
        user_pin = ("--so-pin", "env:SO_PIN", "--new-pin", "env:PIN")
        _tool(house, "--init-pin", "--token-label", label, "--login", "--login-type", "so", *user_pin)
    keep_copies(house)
    notes = [f"{len(missing)} made"] if missing else []
    return ", ".join([*notes, *([f"{healed} healed"] if healed else [])]) or None
