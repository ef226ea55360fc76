from __future__ import annotations

import base64
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.signatures import (
    is_public_key,
    is_signed,
    public_key_of,
    read_key,
    sign,
    write_new_key,
)


def test_a_vector_of_rfc_8032():
    """Section 7.1, test 2: secret key, public key, message 0x72, signature."""
    key = Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert base64.b64decode(public_key_of(key)).hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert base64.b64decode(sign(b"\x72", key)).hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_a_key_goes_to_a_file_of_its_owner_and_comes_back(tmp_path):
    path = tmp_path / "keys" / "anna.pem"
    public = write_new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_public_key(public)
    assert public_key_of(read_key(path)) == public
    with pytest.raises(ReleaseError, match="exists"):
        write_new_key(path)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "anna.pem"
    write_new_key(path)
    path.chmod(0o640)
    with pytest.raises(ReleaseError, match="can be read by others"):
        read_key(path)


def test_no_key_and_no_file_are_refused(tmp_path):
    path = tmp_path / "anna.pem"
    with pytest.raises(ReleaseError, match="is absent"):
        read_key(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(ReleaseError, match="holds no Ed25519 key"):
        read_key(path)


@pytest.mark.parametrize("signature", ["", "###", "AAAA", "A" * 88])
def test_what_is_no_signature_is_none(signature):
    key = Ed25519PrivateKey.generate()
    assert is_signed(b"text", sign(b"text", key), public_key_of(key))
    assert not is_signed(b"text.", sign(b"text", key), public_key_of(key))
    assert not is_signed(b"text", signature, public_key_of(key))
    assert not is_signed(b"text", sign(b"text", key), signature)
