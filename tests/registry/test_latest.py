"""``@latest``, downloads, and the list of models."""

import pickle
from datetime import UTC, datetime

import pytest
from registry_contents import errors, execute

from registry import (
    DamagedBlobError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)


def test_latest_is_the_version_with_the_highest_number(registry, tmp_path):
    with pytest.raises(NotFoundError):
        registry.get("m@latest")
    registry.register("m", b"one")
    before = datetime.now(UTC)
    registry.register("m", b"two")
    assert registry.get("m@latest") == registry.latest("m") == registry.get("m/2")
    assert registry.get("m@latest", at=before).number == 1
    assert registry.load("m@latest") == b"two"
    assert registry.archive("m@latest").number == 2
    assert registry.export("m@latest", tmp_path / "file") == ("m/2",)
    assert [f for f in registry.verify("m@latest") if f.severity == "error"] == []
    registry.delete("m@latest")
    assert registry.get("m@latest").number == 1


def test_latest_cannot_be_set(registry):
    registry.register("m", b"one")
    with pytest.raises(InvalidArgumentError, match="latest always means the newest version"):
        registry.set_alias("m", "latest", 1)


def test_an_alias_latest_of_an_earlier_release_keeps_its_meaning(registry):
    """Until it is deleted."""
    for weights in (b"one", b"two"):
        registry.register("m", weights)
    registry.set_alias("m", "newest", 1)
    execute(registry, "UPDATE aliases SET alias = 'latest'")
    assert registry.get("m@latest").number == 1
    registry.delete_alias("m", "latest")
    assert registry.get("m@latest").number == 2


def test_a_download_is_the_weights(registry, tmp_path):
    registry.register("m", b"one")
    file = tmp_path / "weights"
    file.write_bytes(b"something longer")
    assert registry.download("m@latest", file) == registry.get("m/1")
    assert file.read_bytes() == b"one"
    with pytest.raises(UnavailableError, match="cannot be written"):
        registry.download("m/1", tmp_path / "no" / "such" / "directory")


def test_damaged_weights_are_not_downloaded(registry, tmp_path):
    version = registry.register("m", b"one")
    path = tmp_path / "blobs" / "sha256" / version.sha256[:2] / version.sha256
    path.chmod(0o644)
    path.write_bytes(b"0ne")
    with pytest.raises(DamagedBlobError):
        registry.download("m/1", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_models_are_listed_with_what_they_have(registry):
    assert registry.models() == []
    for name, weights in (("mnist", b"one"), ("mnist", b"two"), ("letters", b"three")):
        registry.register(name, weights)
    registry.set_alias("mnist", "canary", 2)
    registry.set_alias("mnist", "live", 1)
    registry.describe_model("letters", "handwritten letters")
    letters, mnist = registry.models()
    assert (letters.name, letters.description) == ("letters", "handwritten letters")
    assert (letters.versions, letters.latest, dict(letters.aliases)) == (1, 1, {})
    assert (mnist.name, mnist.versions, mnist.latest) == ("mnist", 2, 2)
    assert dict(mnist.aliases) == {"canary": 2, "live": 1}
    assert mnist.description is None
    assert mnist.created_at <= registry.get("mnist/1").created_at
    assert pickle.loads(pickle.dumps(mnist)) == mnist
    registry.delete_alias("mnist", "canary")
    registry.delete("mnist/2")
    assert [(m.name, m.versions, m.latest) for m in registry.models()] == [
        ("letters", 1, 1),
        ("mnist", 1, 1),
    ]
    assert errors(registry) == []
