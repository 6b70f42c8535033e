"""Signatures of weights that the command of OpenSSF Model Signing verifies."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry import KeyFileError, UnavailableError
from registry.openssf import sign_file

pytest.importorskip("model_signing", reason="the extra signing is not installed")

_MODEL_SIGNING = Path(sys.executable).with_name("model_signing")

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
    pytest.mark.skipif(not _MODEL_SIGNING.exists(), reason="the extra signing is not installed"),
]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A private key and its public key, as openssl makes them."""
    directory = tmp_path_factory.mktemp("keys")
    private, public = directory / "private.pem", directory / "public.pem"
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private)
    _openssl("ec", "-in", private, "-pubout", "-out", public)
    return private, public


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _verify(file, public):
    command = [_MODEL_SIGNING, "verify", "key", file, "--signature", f"{file}.sig"]
    return subprocess.run([*command, "--public_key", public], capture_output=True, check=False)


def test_the_command_of_openssf_verifies_downloaded_weights(sqlite, keys, tmp_path):
    private, public = keys
    sqlite.register("m", b"weights")
    file = tmp_path / "weights.safetensors"
    sqlite.download("m/1", file)
    assert sign_file(file, private) == Path(f"{file}.sig")
    assert _verify(file, public).returncode == 0
    file.chmod(0o644)
    file.write_bytes(b"Weights")
    assert _verify(file, public).returncode != 0


def test_what_cannot_sign_is_refused(keys, tmp_path):
    private, public = keys
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    ed25519, rsa, text = (tmp_path / name for name in ("ed25519.pem", "rsa.pem", "text"))
    _openssl("genpkey", "-algorithm", "ed25519", "-out", ed25519)
    _openssl("genpkey", "-algorithm", "rsa", "-out", rsa)
    text.write_text("no key")
    for key in (public, ed25519, rsa, text, tmp_path / "missing"):
        with pytest.raises(KeyFileError, match=key.name):
            sign_file(file, key)
    with pytest.raises(UnavailableError):
        sign_file(tmp_path / "no" / "such" / "file", private)
