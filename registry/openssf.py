"""Signatures of weights in the format of OpenSSF Model Signing.

``model_signing verify key FILE --signature FILE.sig --public_key KEY`` verifies them.
"""

import importlib
from pathlib import Path
from typing import Any

from registry.errors import KeyFileError, UnavailableError, UnsupportedError


def sign_file(file: str | Path, key: str | Path) -> Path:
    """Sign a file of weights; return the file of the signature, ``<file>.sig``.

    Parameters
    ----------
    file : str or Path
    key : str or Path
        Private key on an elliptic curve (P-256, P-384 or P-521) in PEM, without a password, as
        ``openssl ecparam -name prime256v1 -genkey -noout`` makes it. The format has no Ed25519.

    Raises
    ------
    UnsupportedError
        If the extra ``signing`` is not installed.
    KeyFileError
    UnavailableError
        If the signature cannot be written.
    """
    try:
        signing: Any = importlib.import_module("model_signing.signing")
    except ModuleNotFoundError:
        raise UnsupportedError(
            "Signing weights needs model-signing: pip install '.[signing]' in a clone of digits."
        ) from None
    config = signing.Config()
    try:
        config.use_elliptic_key_signer(private_key=Path(key))
    except OSError as error:
        raise KeyFileError(str(key), f"a key ({error.strerror})") from error
    except (ValueError, TypeError, AttributeError) as error:
        expected = "a private key on an elliptic curve in PEM, without a password"
        raise KeyFileError(str(key), expected) from error
    signature = Path(f"{file}.sig")
    try:
        config.sign(Path(file), signature)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{file} cannot be signed: {error}") from error
    return signature
