"""The token: the only package that imports `pkcs11`, and no pkcs11 type leaves it.

For CAs, OCSP signers, KEK and derive key: `issuing_hsm()`; for the root: `root_hsm()`; by an authority's or a key row's
`token_label`: `hsm_for(token_label)`. Each gives the one `Hsm` of this process and token, which opens lazily, survives
fork, may be used by threads at once and reconnects once. Its methods:

- `generate(KeySpec(algorithm, label)) -> KeyRef`, `generate_kek(label)`, `generate_derive_key(label)`
- `find(key_id) -> KeyRef`, `find_label(label) -> KeyRef | None`, `public_key(ref)`; a `KeyRef` is made from a CKA_ID in hex
- `sign(ref, data, scheme)`, `sign_digest(ref, digest, scheme)`, `private_key(ref)`: a key for cryptography's builders
- `seal(kek_id, plaintext, aad) -> bytes`, `open(blob, aad) -> bytes`, `ecdh_derive(ref, peer_public_key) -> bytes`
- `random(n)`, `health()`, `inventory()`

Errors: `HsmUnavailable` (later), `HsmKeyMissing`, `HsmKeyExists`, `HsmPinError` (never retried), `HsmConfigError`, all `HsmError`.
Processes that serve the web have no PIN and must not call anything here.
"""
