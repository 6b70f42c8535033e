"""A mirror that is a directory, of a team's own or on a shared disk."""

from pathlib import Path

from pipeline.data.mirrors.inflation import install
from pipeline.data.mnist import IdxFile
from pipeline.errors import SourceError


class DirectoryMirror:
    """Holds each file as ``<name>.gz`` or ``<name>``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def name(self) -> str:
        """The directory's path."""
        return str(self._directory)

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Put the verified file at `target`, or raise `SourceError`."""
        for path in (self._directory / f"{file.name}.gz", self._directory / file.name):
            try:
                with path.open("rb") as stream:
                    install(stream, file, target)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SourceError(f"cannot read {path.name} ({error.strerror})") from None
            return
        raise SourceError(f"holds neither {file.name}.gz nor {file.name}")
