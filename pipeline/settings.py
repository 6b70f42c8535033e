"""The settings that a user makes through environment variables, and the paths that follow."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from pipeline.errors import SettingsError

PREFIX = "DIGITS_"

# How alike, from 0 to 1, a name and that of a setting are if it is taken for misspelt.
_LIKE = 0.8

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""The public mirrors of MNIST."""

_Hours = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """The thresholds of the gate; each is a variable, such as ``DIGITS_GATE__MIN_RECALL``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min_accuracy: _Fraction = 0.97
    """Minimum accuracy on the validation split."""
    min_recall: _Fraction = 0.9
    """Minimum recall of each digit on the validation split."""
    max_calibration_error: _Fraction = 0.02
    """Maximum expected calibration error on the validation split."""
    max_calibration_error_of_digit: _Fraction = 0.02
    """Maximum calibration error of each digit on the validation split: the absolute difference
    between its recall and the mean probability that its own images get for it. Labels that
    contradict each other lower that probability long before they lower recall."""
    margin: _Fraction = 0.002
    """How far the accuracy may be below the champion's on the same images."""
    significance: _Fraction = 0.05
    """Significance level of McNemar's exact test, one-sided: a candidate is refused if a result
    this much worse than the champion's has a smaller probability by chance."""
    max_contradicted_labels: _Fraction = 0.03
    """Maximum share of contradicted labels of each digit among the user's own held-out images:
    of those that candidate and champion are both sure are this digit, the share with another
    label (lower confidence bound)."""
    max_lost_digits: _Fraction = 0.05
    """Maximum share of digits, among the validation split and the user's own held-out images, that
    the novelty score does not take for one digit."""
    max_milliseconds_per_image: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Maximum prediction time per image, in batches, on the machine that trained."""


class MaxHours(BaseModel):
    """Hours without a success after which a job is overdue, such as ``DIGITS_MAX_HOURS__RETRAIN``.

    A job without such a limit is never overdue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    retrain: _Hours | None = None
    """Hours without a successful retraining after which people are told."""
    ingest: _Hours | None = None
    """Hours without a successful verification of the data after which people are told."""
    score: _Hours | None = None
    """Hours without a successful scoring after which people are told."""
    score_inbox: _Hours | None = None
    """Hours without a successful look into the inbox after which people are told."""


def _registry_under_home(fields: dict[str, Any]) -> str:
    # A question mark would end the path of an address.
    home = str(fields["home"]).replace("%3F", "%253F").replace("?", "%3F")
    return f"sqlite:///{home}/registry.db"


def _blobs_under_home(fields: dict[str, Any]) -> str:
    return f"{fields['home']}/blobs"


class Settings(BaseSettings):
    """All settings, read from ``DIGITS_…`` variables."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        env_nested_delimiter="__",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default=Path("~/.digits"), validate_default=True)
    """Directory of everything that no other setting places elsewhere."""
    registry_url: str = Field(default_factory=_registry_under_home)
    """Database of the registry: ``sqlite:///PATH`` or ``postgresql+psycopg://…``."""
    blobs_url: str = Field(default_factory=_blobs_under_home)
    """Store of the weights: a directory, ``s3://…``, or another address of pyarrow.fs."""
    signing_key: Path | None = None
    """File of the private key that signs the events of the registry, as ``ssh-keygen -t ed25519``
    makes it."""
    mirrors: Annotated[tuple[str, ...], NoDecode] = MIRRORS
    """Base URLs or directories that may have MNIST, in order; comma-separated."""
    gate: Thresholds = Thresholds()
    """The thresholds of the gate: ``DIGITS_GATE__MIN_RECALL`` and so on."""
    notify: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Where messages are sent: addresses of Apprise, and of signed webhooks,
    ``https://HOST/PATH#whsec_SECRET``; separated by spaces."""
    max_hours: MaxHours = MaxHours()
    """Hours without a success after which a job is overdue: ``DIGITS_MAX_HOURS__RETRAIN``."""
    when_busy: Literal["wait", "leave"] = "wait"
    """What a retraining does while another runs under the same home."""
    task_runner: str = "threads"
    """What runs the shards of a scoring flow: ``threads``, ``processes``, ``dask`` (a cluster on
    this machine), or ``dask://HOST:PORT``."""

    ui_token: str | None = Field(default=None, repr=False)
    """What a visitor of the pages must know if others than this machine reach them."""

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

    @field_validator("notify", mode="before")
    @classmethod
    def _split_addresses(cls, addresses: object) -> object:
        return tuple(addresses.split()) if isinstance(addresses, str) else addresses

    @property
    def data(self) -> Path:
        """Directory of the data sets."""
        return self.home / "data"

    @property
    def runs(self) -> Path:
        """Directory with the record of each retraining."""
        return self.home / "runs"

    @property
    def unfinished(self) -> Path:
        """Directory of trainings that were stopped and can be resumed."""
        return self.home / "unfinished"

    @property
    def reviews(self) -> Path:
        """Directory of the decisions of reviewers, and of the images that they reviewed."""
        return self.home / "reviews"

    @property
    def labelled(self) -> Path:
        """Directory of the user's labelled images, by their SHA-256."""
        return self.data / "labelled"


def _refuse_misspelt() -> None:
    """Refuse a variable whose name is nearly that of a setting: it would have no effect.

    Other variables with the prefix may be those of a deployment, such as ``DIGITS_INBOX``.
    """
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(os.environ):
        name, _, _ = variable.removeprefix(PREFIX).partition("__")
        if variable.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=_LIKE)
            if near:
                raise SettingsError(f"{variable} is no setting. Did you mean {PREFIX}{near[0]}?")


def load_settings() -> Settings:
    """Return the settings of the environment.

    Raises
    ------
    SettingsError
        If a variable has an invalid value, or seems to be misspelt; the message names it.
    """
    _refuse_misspelt()
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{PREFIX}{'__'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from None
    except UnreadableError as error:
        # Only its text names the field.
        name = next(name for name in Settings.model_fields if f'"{name}"' in str(error))
        raise SettingsError(
            f"{PREFIX}{name.upper()}: expected JSON, or a variable for each value, such as "
            f"{PREFIX}GATE__MIN_RECALL."
        ) from None
