"""A mirror that is a directory, such as on a shared disk."""

from pathlib import Path

from pipeline.data.mirrors.inflation import install
from pipeline.data.mnist import IdxFile
from pipeline.errors import MirrorError


class DirectoryMirror:
    """A directory with each file as ``<name>.gz`` or ``<name>``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def name(self) -> str:
        """The directory's path."""
        return str(self._directory)

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Write the verified file to `target`, or raise `MirrorError`."""
        for path in (self._directory / f"{file.name}.gz", self._directory / file.name):
            try:
                with path.open("rb") as stream:
                    install(stream, file, target)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise MirrorError(f"cannot read {path.name} ({error.strerror})") from None
            return
        raise MirrorError(f"has neither {file.name}.gz nor {file.name}")
