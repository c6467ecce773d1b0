"""nginx's configurations: the TLS front of the mTLS faces and the plain one of the status face, in folders of their own."""

import os
from pathlib import Path
from string import Template

from siths_portal.dev.home import House

CERTIFICATE_HEADER = "X-SSL-Client-Cert"
FRONT = Path(__file__).parent / "compose" / "mtls.conf.template"
STATUS_FRONT = Path(__file__).parent / "compose" / "status.conf.template"

MAIN = """\
daemon off;
{user}
pid "{folder}/nginx.pid";
worker_processes 1;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    default_type application/octet-stream;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    include "{folder}/{front}.conf";
}}
"""


def write(house: House) -> Path:
    """Writes `var/nginx/nginx.conf` and what it includes; returns its path. Workers run as the starting user."""
    values = {
        "SITHS_API_SOCKET": str(house.api_socket),
        "SITHS_LISTEN": f"127.0.0.1:{house.port('api')}",
        "SITHS_TLS": str(house.var / "tls"),
    }
    return _write(house, "nginx", FRONT, values)


def write_status(house: House) -> Path:
    """Writes `var/nginx-status/nginx.conf`, which needs no certificate, and what it includes; returns its path."""
    values = {
        "SITHS_OCSPD": f"127.0.0.1:{house.port('ocspd')}",
        "SITHS_STATUS": f'"unix:{house.status_socket}"',
        "SITHS_STATUS_LISTEN": f"127.0.0.1:{house.port('status')}",
    }
    return _write(house, "nginx-status", STATUS_FRONT, values)


def _write(house: House, name: str, front: Path, values: dict[str, str]) -> Path:
    folder = house.var / name
    folder.mkdir(parents=True, exist_ok=True)
    main = folder / "nginx.conf"
    part = front.name.removesuffix(".conf.template")
    main.write_text(MAIN.format(folder=folder, front=part, user="user root;" if os.geteuid() == 0 else ""))
    # nginx's own variables stay as they are: safe_substitute leaves unknown names alone.
    (folder / f"{part}.conf").write_text(Template(front.read_text()).safe_substitute(values))
    return main
