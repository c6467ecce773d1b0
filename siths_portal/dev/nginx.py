"""nginx's configuration: the TLS front of the mTLS faces, in folders of its own."""

import os
from pathlib import Path
from string import Template

from siths_portal.dev.home import House

CERTIFICATE_HEADER = "X-SSL-Client-Cert"
FRONT = Path(__file__).parent / "compose" / "mtls.conf.template"

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
    include "{folder}/mtls.conf";
}}
"""


def write(house: House) -> Path:
    """Writes `var/nginx/nginx.conf` and what it includes; returns its path. Workers run as the starting user."""
    folder = house.var / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    values = {
        "SITHS_API_SOCKET": str(house.api_socket),
        "SITHS_LISTEN": f"127.0.0.1:{house.port('api')}",
        "SITHS_TLS": str(house.var / "tls"),
    }
    # nginx's own variables stay as they are: safe_substitute leaves unknown names alone.
    (folder / "mtls.conf").write_text(Template(FRONT.read_text()).safe_substitute(values))
    return main
