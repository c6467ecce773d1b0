"""nginx's configurations: the TLS reverse proxies of the mTLS APIs and of the log-in with cards, and those of the status services
and of the sites.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from siths_portal.dev.home import House
from siths_portal.lib.processes.table import BY_NAME

CERTIFICATE_HEADER = BY_NAME["api"].settings["MTLS_CERTIFICATE_HEADER"]
TEMPLATES = Path(__file__).parent / "compose"
SITES = ("portal", "minasidor")
"""The sites. Each gets its own reverse proxy from one template."""

MAIN = """\
daemon off;
{user}
pid "{folder}/nginx.pid";
worker_processes 1;
worker_rlimit_nofile {files};
error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
    default_type application/octet-stream;
    client_body_temp_path "{temporary}/body";
    proxy_temp_path "{temporary}/proxy";
    fastcgi_temp_path "{temporary}/fastcgi";
    uwsgi_temp_path "{temporary}/uwsgi";
    scgi_temp_path "{temporary}/scgi";
    {includes}
}}
"""


def write(house: House) -> Path:
    """Writes `var/nginx/nginx.conf` and its included file, for the mTLS APIs. Returns the path of `nginx.conf`."""
    values = {
        "SITHS_API_SOCKET": house.sockets("api"),
        "SITHS_LISTEN": f"127.0.0.1:{house.port('api')}",
        "SITHS_TLS": str(house.var / "tls"),
    }
    return _write(house, "nginx", {"mtls": filled("mtls", values)}, connections=512)


def write_login(house: House) -> Path:
    """Writes `var/nginx-login/nginx.conf` and its included file, for the log-in with a card's certificate. Returns the path."""
    values = {
        "SITHS_LOGIN_SOCKET": house.sockets("login"),
        "SITHS_LOGIN_LISTEN": f"127.0.0.1:{house.port('login')}",
        "SITHS_MINASIDOR": f"http://localhost:{house.port('minasidor')}",
        "SITHS_OCSP": f"http://127.0.0.1:{house.port('status')}/ocsp",
        "SITHS_PORTAL": f"http://localhost:{house.port('portal')}",
        "SITHS_TLS": str(house.var / "tls"),
    }
    return _write(house, "nginx-login", {"login": filled("login", values)}, connections=512)


def write_status(house: House) -> Path:
    """Writes `var/nginx-status/nginx.conf` and its included file, without TLS. Returns the path of `nginx.conf`."""
    values = {
        "SITHS_OCSPD": [f"127.0.0.1:{port}" for port in house.ocspd_ports],
        "SITHS_STATUS": [f'"unix:{socket}"' for socket in house.sockets("status")],
        "SITHS_STATUS_LISTEN": f"127.0.0.1:{house.port('status')}",
    }
    return _write(house, "nginx-status", {"status": filled("status", values)}, connections=4096)


def write_people(house: House) -> Path:
    """Writes `var/nginx-people/nginx.conf` and an included file for each of SITES. Returns the path of `nginx.conf`."""
    parts = {
        site: filled(
            "people",
            {
                "SITHS_SITE": site,
                "SITHS_UPSTREAM": [f'"unix:{socket}"' for socket in house.sockets(site)],
                "SITHS_SITE_LISTEN": f"127.0.0.1:{house.port(site)}",
                "SITHS_FORWARDED_PROTO": "$http_x_forwarded_proto",
            },
        )
        for site in SITES
    }
    return _write(house, "nginx-people", parts, connections=4096)


def filled(template: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Returns the template of that name with `values` filled in. A line that names a list is there once for each entry."""
    single = {name: value for name, value in values.items() if isinstance(value, str)}
    lines = (TEMPLATES / f"{template}.conf.template").read_text().splitlines(keepends=True)
    for name, entries in values.items():
        if not isinstance(entries, str):
            lines = [filled for line in lines for filled in _repeated(line, f"${{{name}}}", entries)]
    # safe_substitute keeps unknown names, such as nginx's own variables.
    return Template("".join(lines)).safe_substitute(single)


def _repeated(line: str, variable: str, entries: Sequence[str]) -> list[str]:
    if variable not in line or line.lstrip().startswith("#"):
        return [line]
    return [line.replace(variable, entry) for entry in entries]


def _write(house: House, name: str, parts: dict[str, str], *, connections: int) -> Path:
    temporary = house.proxy_temporary(name)
    temporary.mkdir(parents=True, exist_ok=True)
    if house.proxy_user:
        shutil.chown(temporary, house.proxy_user)
    return write_folder(house.var / name, parts, temporary=temporary, user=house.proxy_user, connections=connections)


def write_folder(folder: Path, parts: dict[str, str], *, temporary: Path, user: str, connections: int) -> Path:
    """Writes `nginx.conf` and its included files `parts` to `folder`, and returns the path of `nginx.conf`.

    The workers run as `user`, or as the starting user if it is "", and buffer bodies under `temporary`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    main = folder / "nginx.conf"
    main.write_text(
        MAIN.format(
            folder=folder,
            temporary=temporary,
            user=f"user {user};" if user else "",
            connections=connections,
            files=2 * connections + 64,
            includes="\n    ".join(f'include "{folder}/{part}.conf";' for part in parts),
        )
    )
    for part, text in parts.items():
        (folder / f"{part}.conf").write_text(text)
    return main
