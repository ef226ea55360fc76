"""Ed25519 keys of reviewers: making, reading, signing, checking.

Belongs here: the one signature scheme of the release log (RFC 8032, by the `cryptography` package).
Does not: what is signed (`audit_log`), whose key counts (`reviewers`).

A private key stays with its owner, in a file that nobody else can read; the program keeps public
keys only, so that whoever holds the machine cannot sign for a reviewer.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from htrisk_dagster.errors import ReleaseError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES = 32


def write_new_key(path: Path) -> str:
    """Make a private key in a new file that only its owner can read; return the public key.

    Raises
    ------
    ReleaseError
        Where the file exists: an overwritten key cannot be had back.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise ReleaseError(f"{path} exists. Name another file for the new key.") from None
    return public_key_of(key)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises
    ------
    ReleaseError
        Where the file is absent, holds no Ed25519 key, or can be read by others than its owner.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not path.is_file():
        raise ReleaseError(f"{path} is absent. Make a key with `htrisk release key`.")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ReleaseError(
            f"{path} can be read by others than its owner, so that a signature with it proves "
            "nothing. Make a new key, or run `chmod 600` on it where nobody has read it."
        )
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(f"{path} holds no Ed25519 key. Make one with `htrisk release key`.")
    return key


def public_key_of(key: Ed25519PrivateKey) -> str:
    """Public key as it stands in the file of reviewers, Base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def is_public_key(text: str) -> bool:
    """Whether a text is 32 bytes in Base64, not all of them zero."""
    return len(_decoded(text)) == _KEY_BYTES and any(_decoded(text))


def sign(message: bytes, key: Ed25519PrivateKey) -> str:
    """Signature of a message, Base64."""
    return base64.b64encode(key.sign(message)).decode()


def is_signed(message: bytes, signature: str, public_key: str) -> bool:
    """Whether the owner of a public key signed exactly this message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(_decoded(public_key)).verify(
            _decoded(signature), message
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    # The last digit has spare bits: only one spelling of a signature counts.
    return content if base64.b64encode(content).decode() == text else b""
