"""What a user sets through the environment, and the places that follow from it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import SettingsError
from pipeline.mnist import MIRRORS
from pipeline.thresholds import Thresholds

PREFIX = "DIGITS_"


def _registry_under_home(fields: dict[str, Any]) -> str:
    return f"sqlite:///{fields['home']}/registry.db"


def _blobs_under_home(fields: dict[str, Any]) -> str:
    return f"{fields['home']}/blobs"


class Settings(BaseSettings):
    """Everything that is set, read from ``DIGITS_…`` variables."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, env_nested_delimiter="__", frozen=True
    )

    home: Path = Field(default=Path("~/.digits"), validate_default=True)
    """Where everything lives that is not told to live elsewhere."""
    registry_url: str = Field(default_factory=_registry_under_home)
    """Where versions are recorded: ``sqlite:///PATH`` or ``postgresql+psycopg://…``."""
    blobs_url: str = Field(default_factory=_blobs_under_home)
    """Where weights are kept: a directory, or ``s3://…`` and what else pyarrow.fs knows."""
    mirrors: Annotated[tuple[str, ...], NoDecode] = MIRRORS
    """Base URLs or directories that MNIST is looked for at, in order; comma-separated."""
    gate: Thresholds = Thresholds()
    """What a candidate must show: ``DIGITS_GATE__MIN_RECALL`` and so on."""
    when_busy: Literal["wait", "leave"] = "wait"
    """What a retraining does while another is at work under the same home."""
    task_runner: str = "threads"
    """What the shards of a scoring run on: ``threads``, ``processes``, ``dask`` (a cluster on
    this machine), or ``dask://HOST:PORT``."""

    @field_validator("task_runner")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in {"threads", "processes", "dask"} and not name.startswith("dask://"):
            raise ValueError(f"expected threads, processes, dask or dask://HOST:PORT, got {name!r}")
        return name

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("mirrors", mode="before")
    @classmethod
    def _split(cls, mirrors: object) -> object:
        if isinstance(mirrors, str):
            return tuple(mirror.strip() for mirror in mirrors.split(",") if mirror.strip())
        return mirrors

    @property
    def data(self) -> Path:
        """Where the data sets are."""
        return self.home / "data"

    @property
    def runs(self) -> Path:
        """Where each retraining leaves its record."""
        return self.home / "runs"

    @property
    def unfinished(self) -> Path:
        """Where a retraining that was stopped goes on from."""
        return self.home / "unfinished"

    @property
    def labelled(self) -> Path:
        """Where the labelled images of all retrainings are kept, by their SHA-256."""
        return self.data / "labelled"


def load_settings() -> Settings:
    """Return the settings of the environment.

    Raises
    ------
    SettingsError
        Where a variable cannot be used; it names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'__'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
