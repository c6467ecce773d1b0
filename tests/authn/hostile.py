"""An OpenID provider that misbehaves as it is told: over real HTTP, with keys of its own."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

LOA3 = "http://id.sambi.se/loa/loa3"
RSA, EC, WEAK = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), RSAKey.generate_key(1024)
STRANGER = RSAKey.generate_key(2048)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Provider:
    """The hostile provider. `twist` changes the claims, `sign` makes the token, `answer` the token endpoint's body."""

    def __init__(self) -> None:
        self.metadata_changes: dict[str, Any] = {}
        self.status = 200
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "rsa"}
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self.honestly
        self.answer: Callable[[dict[str, Any]], Any] = lambda body: body
        self.access_token = "opaque-access-token"
        self.jwks: list[dict[str, Any]] = [
            RSA.as_dict(private=False) | {"kid": "rsa", "use": "sig"},
            EC.as_dict(private=False) | {"kid": "ec"},
            WEAK.as_dict(private=False) | {"kid": "weak"},
            RSA.as_dict(private=False) | {"kid": "for-encryption", "use": "enc"},
            RSA.as_dict(private=False) | {"kid": "twice"},
            STRANGER.as_dict(private=False) | {"kid": "twice"},
        ]
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                bodies = {"/.well-known/openid-configuration": provider.metadata(), "/jwks": {"keys": provider.jwks}}
                self.reply(provider.status, bodies.get(self.path, {}))

            def do_POST(self) -> None:
                provider.asked.append(self.path)
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider.forms.append({name: values[0] for name, values in form.items()})
                body = {"access_token": provider.access_token, "token_type": "Bearer", "expires_in": 300}
                body["id_token"] = provider.sign(dict(provider.header), dict(provider.claims))
                self.reply(provider.status, provider.answer(body))

            def reply(self, status: int, body: Any) -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def metadata(self) -> dict[str, Any]:
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        }
        return {name: value for name, value in (honest | self.metadata_changes).items() if value is not None}

    def prepare(self, location: str, hsa_id: str, number: str) -> dict[str, str]:
        """Reads the request that the browser was sent with, and makes the honest claims for it."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        self.claims = self.prepare_claims(asked, hsa_id, number)
        return asked

    def prepare_claims(self, asked: dict[str, str], hsa_id: str, number: str) -> dict[str, Any]:
        """Honest claims for a request, which the token endpoint will answer with."""
        now = int(time.time())
        self.claims = {
            "iss": self.issuer,
            "sub": secrets.token_hex(8),
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": asked["nonce"],
            "acr": LOA3,
            "amr": ["sc"],
            "jti": secrets.token_hex(16),
            "at_hash": self.half_hash(self.access_token),
            "employeeHsaId": hsa_id,
            "allEmployeeHsaIds": [hsa_id],
            "credentialPersonalIdentityNumber": number,
        }
        return dict(self.claims)

    @staticmethod
    def half_hash(value: str) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()

    # --- ways to sign ----------------------------------------------------------------------------------------------------

    @staticmethod
    def honestly(header: dict[str, Any], claims: dict[str, Any]) -> str:
        key = {"ES256": EC, "RS256": RSA, "PS256": RSA}[header["alg"]]
        registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        return jws.serialize_compact(header, json.dumps(claims), key, registry=registry)

    @staticmethod
    def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return f"{part(header | {'alg': 'none'})}.{part(claims)}."

    @staticmethod
    def by_hmac_with_the_public_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
        body = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(claims)}"
        mac = hmac.new(RSA.as_pem(private=False), body.encode(), hashlib.sha256).digest()
        return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    @staticmethod
    def by(key: RSAKey) -> Callable[[dict[str, Any], dict[str, Any]], str]:
        def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
            return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[header["alg"]])

        return sign

    @staticmethod
    def under_another_header(header: dict[str, Any], claims: dict[str, Any]) -> str:
        """RS256's signature under a header that says PS256."""
        _, body, signature = Provider.honestly({"alg": "RS256", "kid": "rsa"}, claims).split(".")
        return f"{part({'alg': 'PS256', 'kid': 'rsa'})}.{body}.{signature}"

    @staticmethod
    def with_a_claim_twice(header: dict[str, Any], claims: dict[str, Any]) -> str:
        body = json.dumps(claims)[:-1] + f', "acr": "{LOA3}"}}'
        registry = jws.JWSRegistry(algorithms=["RS256"])
        return jws.serialize_compact(header, body, RSA, registry=registry)

    @staticmethod
    def changed_afterwards(header: dict[str, Any], claims: dict[str, Any]) -> str:
        head, _, signature = Provider.honestly(header, claims).split(".")
        return f"{head}.{part(claims | {'sub': 'somebody'})}.{signature}"
