"""SHA-256 of short texts without OpenSSL, whose first digest makes a fork copy as much memory as a tenth of its other work.

Large files are digested by `hashlib`. It imports nothing else.
"""

try:
    from _sha2 import sha256  # type: ignore[import-not-found]
except ImportError:  # before Python 3.12, or an interpreter that was built without it
    from hashlib import sha256

__all__ = ["sha256"]
