"""Verifying an export without a registry."""

from collections.abc import Iterator
from pathlib import Path

from registry.archives.archive_file import open_archive
from registry.records import Finding


def verify_export(file: str | Path, keys: str | Path) -> Iterator[Finding]:
    """Yield the events of an export that were not signed by who they name, by a trusted key.

    Parameters
    ----------
    file : str or Path
    keys : str or Path
        File of public keys, a line ``ssh-ed25519 KEY NAME`` for each person.

    Raises
    ------
    KeyFileError
    ArchiveError
        If it is not an export, or is damaged: its events do not match their hashes, or its weights
        their digests.
    UnavailableError
    """
    # Only this needs cryptography, which takes a while to import.
    from registry.signing import TrustedKeys

    trusted = TrustedKeys(keys)
    with open_archive(Path(file)) as archive:
        for _ in archive.weights():
            pass
        manifest = archive.manifest
    for text in trusted.problems(manifest.chain):
        yield Finding("error", manifest.name, text)
