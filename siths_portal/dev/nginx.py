"""nginx's configurations: the TLS proxy of the mTLS APIs, and the plain ones of the status services and of the people's sites."""

import shutil
from pathlib import Path
from string import Template

from siths_portal.dev.home import House

CERTIFICATE_HEADER = "X-SSL-Client-Cert"
TEMPLATES = Path(__file__).parent / "compose"
SITES = ("portal", "minasidor")
"""The sites for people; each gets a reverse proxy of its own from one template."""

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
    """Writes `var/nginx/nginx.conf` and the file that it includes, for the mTLS APIs. Returns its path."""
    values = {
        "SITHS_API_SOCKET": str(house.api_socket),
        "SITHS_LISTEN": f"127.0.0.1:{house.port('api')}",
        "SITHS_TLS": str(house.var / "tls"),
    }
    return _write(house, "nginx", {"mtls": filled("mtls", values)}, connections=512)


def write_status(house: House) -> Path:
    """Writes `var/nginx-status/nginx.conf`, which needs no certificate, and the file that it includes. Returns its path."""
    values = {
        "SITHS_OCSPD": f"127.0.0.1:{house.port('ocspd')}",
        "SITHS_STATUS": f'"unix:{house.status_socket}"',
        "SITHS_STATUS_LISTEN": f"127.0.0.1:{house.port('status')}",
    }
    return _write(house, "nginx-status", {"status": filled("status", values)}, connections=512)


def write_people(house: House) -> Path:
    """Writes `var/nginx-people/nginx.conf` and a file for each of SITES. Returns its path."""
    parts = {
        site: filled(
            "people",
            {
                "SITHS_SITE": site,
                "SITHS_UPSTREAM": f'"unix:{house.site_socket(site)}"',
                "SITHS_SITE_LISTEN": f"127.0.0.1:{house.port(site)}",
            },
        )
        for site in SITES
    }
    return _write(house, "nginx-people", parts, connections=4096)


def filled(template: str, values: dict[str, str]) -> str:
    """Returns the template of that name with `values` filled in."""
    # nginx's own variables stay as they are: safe_substitute leaves unknown names alone.
    return Template((TEMPLATES / f"{template}.conf.template").read_text()).safe_substitute(values)


def _write(house: House, name: str, parts: dict[str, str], *, connections: int) -> Path:
    temporary = house.proxy_temporary(name)
    temporary.mkdir(parents=True, exist_ok=True)
    if house.proxy_user:
        shutil.chown(temporary, house.proxy_user)
    return write_folder(house.var / name, parts, temporary=temporary, user=house.proxy_user, connections=connections)


def write_folder(folder: Path, parts: dict[str, str], *, temporary: Path, user: str, connections: int) -> Path:
    """Writes `nginx.conf` and the files `parts` that it includes into `folder`, and returns the path of the first.

    The workers run as `user`, or as the starting user if it is empty, and keep bodies that they hold under `temporary`.
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
