"""nginx's configuration: the TLS front of the mTLS faces."""

import os
from pathlib import Path

from siths_portal.dev.home import House

CERTIFICATE_HEADER = "X-SSL-Client-Cert"
# What the API process may hear of a request. Everything else stays outside, so that no caller can forge a proxy's header.
PASSED_HEADERS = ("Accept", "Accept-Language", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "User-Agent")

TEMPLATE = """\
daemon off;
pid "{folder}/nginx.pid";
worker_processes 1;
error_log stderr error;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    server_tokens off;
    default_type application/octet-stream;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    client_max_body_size 2m;
    client_body_timeout 30s;
    client_header_timeout 30s;
    large_client_header_buffers 4 16k;
    upstream api {{ server "unix:{api_socket}"; }}

    server {{
        listen 127.0.0.1:{port} ssl;
        server_name _;
        ssl_certificate "{tls}/server.pem";
        ssl_certificate_key "{tls}/server.key";
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
        ssl_session_cache shared:mtls:1m;
        ssl_session_tickets off;
        ssl_client_certificate "{tls}/clients-ca.pem";
        ssl_verify_client on;
        ssl_verify_depth 2;

        location / {{
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_read_timeout 30s;
            proxy_pass_request_headers off;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header {certificate_header} $ssl_client_escaped_cert;
{passed}
        }}
    }}
}}
"""


def configuration(house: House) -> str:
    """The text of nginx.conf. Its own folders only; workers run as the starting user."""
    return TEMPLATE.format(
        folder=house.var / "nginx",
        tls=house.var / "tls",
        api_socket=house.api_socket,
        port=house.port("api"),
        user="user root;" if os.geteuid() == 0 else "",
        certificate_header=CERTIFICATE_HEADER,
        passed="\n".join(
            f"            proxy_set_header {name} $http_{name.lower().replace('-', '_')};" for name in PASSED_HEADERS
        ),
    )


def write(house: House) -> Path:
    """Writes `var/nginx/nginx.conf` and returns its path."""
    folder = house.var / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(configuration(house))
    return path
