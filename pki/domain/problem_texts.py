"""The English texts of the error codes of a certificate order and of a sealed PUK, which more than one API has."""

from siths_portal.lib.rest.problem_texts import ProblemText, ProblemTexts, add_reasons

_NEW_KEY = "Make a new key and send a request for it."

KEYS: ProblemTexts = {
    "csr-malformed": ProblemText(422, "A certificate request cannot be read.", "Send PKCS #10 in PEM."),
    "csr-proof-of-possession": ProblemText(
        422, "The signature of a certificate request is wrong.", "Sign each request by its own private key."
    ),
    "key-repeated": ProblemText(422, "Two certificate requests have the same key.", "Make a key for each certificate."),
    "key-types-mixed": ProblemText(422, "The keys are of different types.", "Make all keys RSA-2048 or all P-256."),
    "key-weak": ProblemText(422, "The key is on the list of keys that others know.", _NEW_KEY),
    "key-shared-factor": ProblemText(422, "Two RSA keys share a prime number.", _NEW_KEY),
    "key-compromised": ProblemText(409, "The key is revoked as compromised.", _NEW_KEY),
    "key-in-use": ProblemText(409, "The key belongs to another subject or another certificate.", _NEW_KEY),
    "ca-unknown": ProblemText(422, "The portal does not have the CA.", "Ask the operator of the portal when it does."),
    "ca-not-active": ProblemText(409, "The CA issues no certificates now.", "Ask the operator of the portal when it does."),
    "certificate-order": ProblemText(
        422, "No certificate can be issued with these values.", "Correct the fields in invalid-parameters."
    ),
    "certificate-lint": ProblemText(
        422, "The certificate would not meet its profile.", "Send the error to the operator of the portal."
    ),
    "weak-keys-unreadable": ProblemText(503, "The list of weak keys cannot be read.", "Repeat the same call after Retry-After."),
    "clock-went-back": ProblemText(503, "The clock of the service is wrong.", "Repeat the same call after Retry-After."),
}
"""Raised where a certificate is planned."""

SECRETS: ProblemTexts = {
    "jwe-malformed": ProblemText(422, "The JWE cannot be read.", "Send a compact JWE with ECDH-ES and A256GCM on P-256."),
    "jwe-key-unknown": ProblemText(
        422, "The JWE is encrypted to an unknown key.", "Read the keys again and encrypt to the newest."
    ),
}
"""Raised where a PUK is received."""

add_reasons(
    {
        "Inte en JWE i kompakt form med ECDH-ES, A256GCM, kid och epk på P-256.": (
            "No JWE in compact form with ECDH-ES, A256GCM, kid and epk on P-256."
        ),
        "Nyckeln som kid anger finns inte.": "There is no key with this kid.",
    }
)
