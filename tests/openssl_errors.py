"""OpenSSL's queue of errors. Python's TLS shares it with SoftHSM, since both use the machine's libcrypto.

Loading SoftHSM's library leaves an error ("could not load the shared library") in the queue of the thread. The next read of a
kept TLS connection in that thread then fails with an SSLError that is not its own, since SSL_get_error needs an empty queue. In
the product only the pki worker has a token.
"""

import _ssl
import ctypes

_libcrypto = ctypes.CDLL(_ssl.__file__)
_libcrypto.ERR_peek_error.restype = ctypes.c_ulong


def clear() -> None:
    """Empties the queue of this thread."""
    _libcrypto.ERR_clear_error()


def leave() -> None:
    """Leaves an error there."""
    _libcrypto.ERR_new()
    _libcrypto.ERR_set_error(4, 0x6B, None)


def is_empty() -> bool:
    """Returns whether the queue of this thread is empty."""
    return not _libcrypto.ERR_peek_error()
