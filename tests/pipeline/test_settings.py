from pathlib import Path

import pytest

from pipeline import load_settings
from pipeline.errors import SettingsError
from pipeline.models import full_reference
from pipeline.settings import MIRRORS


def test_everything_is_under_home_by_default(home):
    settings = load_settings()
    assert settings.home == home
    assert settings.registry_url == f"sqlite:///{home}/registry.db"
    assert settings.blobs_url == f"{home}/blobs"
    assert settings.data == home / "data"


def test_home_defaults_to_the_users_and_is_absolute(home, monkeypatch, tmp_path):
    monkeypatch.delenv("DIGITS_HOME")
    assert load_settings().home == Path.home() / ".digits"
    monkeypatch.setenv("DIGITS_HOME", "~/x")
    assert load_settings().home == Path.home() / "x"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITS_HOME", "here")
    assert load_settings().registry_url == f"sqlite:///{tmp_path}/here/registry.db"


def test_mirrors_are_comma_separated_and_default_to_the_public_ones(home, monkeypatch):
    monkeypatch.setenv("DIGITS_MIRRORS", "https://a/b/, /some/where ,")
    assert load_settings().mirrors == ("https://a/b/", "/some/where")
    monkeypatch.delenv("DIGITS_MIRRORS")
    assert load_settings().mirrors == MIRRORS
    monkeypatch.setenv("DIGITS_MIRRORS", "")
    assert load_settings().mirrors == MIRRORS


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("@champion", "mnist@champion"),
        ("7", "mnist/7"),
        ("mnist/7", "mnist/7"),
        ("other@challenger", "other@challenger"),
        ("nonsense", "nonsense"),
    ],
)
def test_references_of_the_default_model_may_be_short(short, full):
    assert full_reference(short) == full


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("DIGITS_MIRORS", "DIGITS_MIRRORS"),
        ("DIGITS_REGISTRYURL", "DIGITS_REGISTRY_URL"),
        ("DIGITS_GATES__MIN_RECALL", "DIGITS_GATE"),
    ],
)
def test_a_misspelt_variable_is_refused(home, monkeypatch, misspelt, meant):
    """It would have no effect, and nobody would know."""
    monkeypatch.setenv(misspelt, "x")
    with pytest.raises(SettingsError, match=f"{misspelt} is no setting. Did you mean {meant}"):
        load_settings()


def test_variables_of_a_deployment_are_none_of_ours(home, monkeypatch):
    for name in ("DIGITS_INBOX", "DIGITS_OUTBOX", "DIGITS_IMAGE", "DIGITS_VERSION"):
        monkeypatch.setenv(name, "x")
    assert load_settings().home == home
