"""Fixtures of the `pki` tests. Models are imported inside: this file is read before Django is set up."""

import hashlib
import re

import pytest


@pytest.fixture(scope="session")
def keys():
    """Keys of the status tests' small PKI, in a token of their own."""
    from tests.pki.ocsp.status_world import make_keys

    return make_keys()


@pytest.fixture
def world(keys, transactional_db, settings, tmp_path):
    """A root and two issuing CAs with responders in this test's database, and an empty folder for published files."""
    from tests.pki.ocsp.status_world import World

    settings.PKI_STATUS_DIR = tmp_path / "status"
    return World(keys)


@pytest.fixture
def armed(tmp_path):
    """A folder whose files name the points that kill a process of `forked`."""
    folder = tmp_path / "armed"
    folder.mkdir()
    return folder


@pytest.fixture
def own_tokens(request, monkeypatch, settings, tmp_path):
    """Empty tokens and folders of the test's own, in its settings and in the environment of processes that it starts."""
    from tests.pki.small_pki import LABELS
    from tests.pki_fixtures import make_token, remove_tokens

    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    labels = LABELS if "small_pki" in request.fixturenames else (f"{name}-i", f"{name}-r")
    made = []
    for variable, label in zip(("PKCS11_TOKEN", "PKCS11_ROOT_TOKEN"), labels, strict=True):
        made += make_token(label)
        monkeypatch.setenv(variable, label)
        setattr(settings, variable, label)
    for variable in ("PKI_STATUS_DIR", "PKI_CEREMONY_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
        setattr(settings, variable, tmp_path / variable)
    yield made
    remove_tokens(made)


@pytest.fixture(scope="session")
def kept_small_pki(tmp_path_factory):
    """What its ceremony left, once it has been performed."""
    from tests.pki.small_pki import SmallPki

    return SmallPki(tmp_path_factory.mktemp("small-pki"))


@pytest.fixture
def small_pki(kept_small_pki, own_tokens, transactional_db):
    """A root, two issuing CAs with responders and the bulk CA, in tokens that the test may spoil."""
    kept_small_pki.use(own_tokens)


def small_file() -> bytes:
    """The demo's ceremony with two of its issuing CAs, and P-384 keys, which are made a hundred times faster than RSA's.

    RSA keys are those of `demo_pki`, and of the demo's own file in `test_ceremony`.
    """
    from tests.pki_fixtures import demo_file

    return re.sub(rb"(?s)  - slug: person-hsaid-2.*(  - slug: function)", rb"\1", demo_file("ec-p384"))
