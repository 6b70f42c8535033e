"""The registry against a plain dictionary, under random orders of everything it can do."""

import hashlib
import shutil
import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from registry import IdempotencyConflictError, NotFoundError, Registry

NAMES = st.sampled_from(["a", "b"])
ALIASES = st.sampled_from(["live", "challenger"])
WEIGHTS = st.binary(max_size=2)
KEYS = st.none() | st.sampled_from(["k1", "k2"])
# Neither database keeps a NUL in a text.
TEXT = st.characters(codec="utf-8", exclude_characters="\0")
TAGS = st.dictionaries(st.text(TEXT, min_size=1, max_size=5), st.text(TEXT, max_size=5), max_size=2)


class RegistryMachine(RuleBasedStateMachine):
    """Every rule does the same to both; the invariant compares them."""

    @initialize()
    def open(self):
        self.directory = tempfile.mkdtemp()
        self.open_again()
        self.versions = {"a": [], "b": []}
        self.aliases = {}
        self.keys = {}

    @rule()
    def open_again(self):
        if hasattr(self, "registry"):
            self.registry.close()
        self.registry = Registry(f"sqlite:///{self.directory}/r.db", f"{self.directory}/blobs")

    @rule(name=NAMES, weights=WEIGHTS, key=KEYS, tags=TAGS)
    def register(self, name, weights, key, tags):
        number = self.keys.get((name, key))
        if number is not None and self.versions[name][number - 1][0] != weights:
            with pytest.raises(IdempotencyConflictError):
                self.registry.register(name, weights, tags=tags, idempotency_key=key)
            return
        version = self.registry.register(name, weights, tags=tags, idempotency_key=key)
        if number is None:
            self.versions[name].append((weights, tags))
            number = len(self.versions[name])
            if key is not None:
                self.keys[name, key] = number
        assert version.number == number

    @rule(name=NAMES, alias=ALIASES, number=st.integers(1, 4))
    def set_alias(self, name, alias, number):
        if number > len(self.versions[name]):
            with pytest.raises(NotFoundError):
                self.registry.set_alias(name, alias, number)
            return
        self.registry.set_alias(name, alias, number)
        self.aliases[name, alias] = number

    @rule(name=NAMES, alias=ALIASES)
    def load(self, name, alias):
        number = self.aliases.get((name, alias))
        if number is None:
            with pytest.raises(NotFoundError):
                self.registry.load(f"{name}@{alias}")
            return
        assert self.registry.load(f"{name}@{alias}") == self.versions[name][number - 1][0]

    @invariant()
    def agrees(self):
        if not hasattr(self, "registry"):
            return
        for name, expected in self.versions.items():
            found = list(reversed(self.registry.versions(name)))
            assert [v.number for v in found] == list(range(1, len(expected) + 1))
            for version, (weights, tags) in zip(found, expected, strict=True):
                assert version.sha256 == hashlib.sha256(weights).hexdigest()
                assert version.tags == tags
                assert version.aliases == tuple(
                    sorted(
                        alias
                        for (of, alias), number in self.aliases.items()
                        if (of, number) == (name, version.number)
                    )
                )

    def teardown(self):
        if hasattr(self, "registry"):
            self.registry.close()
            shutil.rmtree(self.directory)


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
