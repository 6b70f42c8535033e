"""Random sequences of operations on the registry, compared with a plain Python model."""

import contextlib
import hashlib
import shutil
import tempfile
from datetime import timedelta

import pytest
from examples import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from registry_contents import FAILED, PASSED

from registry import (
    AliasMovedError,
    ApprovalError,
    ArchivedError,
    CollisionError,
    GateError,
    IdempotencyConflictError,
    NotFoundError,
    ProtectedAliasError,
    Registry,
    RunRecord,
    VersionInUseError,
)

NAMES = st.sampled_from(["a", "b"])
ALIASES = st.sampled_from(["live", "champion"])
NUMBERS = st.integers(1, 4)
WEIGHTS = st.binary(max_size=2)
KEYS = st.none() | st.sampled_from(["k1", "k2"])
GATES = st.sampled_from([(), PASSED, FAILED])
# Neither database can store NUL in a text.
TEXT = st.characters(codec="utf-8", exclude_characters="\0")
TAGS = st.dictionaries(st.text(TEXT, min_size=1, max_size=5), st.text(TEXT, max_size=5), max_size=2)
METRICS = st.dictionaries(
    st.sampled_from(["accuracy", "é"]), st.floats(allow_nan=False, allow_infinity=False)
)
AT_ONCE = timedelta(seconds=-10)


class RegistryMachine(RuleBasedStateMachine):
    """Every rule changes the registry and the model; invariants compare them."""

    def new_url(self):
        """Return the address of an empty database."""
        return f"sqlite:///{tempfile.mkdtemp(dir=self.directory)}/r.db"

    @initialize()
    def open(self):
        self.directory = tempfile.mkdtemp()
        self.url = self.new_url()
        self.blobs = tempfile.mkdtemp(dir=self.directory)
        self.open_again()
        self.versions = {"a": [], "b": []}
        self.keys = {}
        # The path of each alias, with the current number last, and its generation.
        self.been = {}
        self.generations = {}
        self.events = {"a": 0, "b": 0}

    @rule()
    def open_again(self):
        if hasattr(self, "registry"):
            self.registry.close()
        self.registry = Registry(self.url, self.blobs, actor="ann")

    @rule(
        name=NAMES,
        weights=WEIGHTS,
        key=KEYS,
        tags=TAGS,
        metrics=METRICS,
        gate=GATES,
        parent=st.none() | NUMBERS,
    )
    def register(self, name, weights, key, parent, **details):
        number = self.keys.get((name, key))
        if parent is not None:
            details["parent"] = f"{name}/{parent}"

        def register():
            return self.registry.register(name, weights, RunRecord(**details), idempotency_key=key)

        if number is not None and self.versions[name][number - 1]["weights"] != weights:
            with pytest.raises(IdempotencyConflictError):
                register()
            return
        if number is None and parent is not None and not self._is_there(name, parent):
            with pytest.raises(NotFoundError):
                register()
            return
        version = register()
        if number is None:
            kept = {"parent": None, **details, "weights": weights, "state": "ready"}
            self.events[name] += 1
            kept |= {"description": None, "origin": None, "event": self.events[name]}
            self.versions[name].append(kept)
            number = len(self.versions[name])
            if key is not None:
                self.keys[name, key] = number
        assert version.number == number

    @rule(
        name=NAMES,
        alias=ALIASES,
        number=NUMBERS,
        expected=st.sampled_from([None, "right", "wrong"]),
        force=st.booleans(),
    )
    def set_alias(self, name, alias, number, expected, force):
        options = {"force": force}
        generation = self.generations.get((name, alias), 0)
        if expected is not None:
            options["expected"] = generation + (expected == "wrong")
        error = self._refusal(name, alias, number, wrong=expected == "wrong", force=force)
        if error is not None:
            with pytest.raises(error):
                self.registry.set_alias(name, alias, number, **options)
            return
        self.registry.set_alias(name, alias, number, **options)
        self._moved(name, alias, [*self.been.get((name, alias), []), number])

    def _refusal(self, name, alias, number, *, wrong, force):
        if not self._is_there(name, number):
            return NotFoundError
        version = self.versions[name][number - 1]
        if wrong:
            return AliasMovedError
        if version["state"] == "archived":
            return ArchivedError
        if alias == "champion" and not force and version["gate"] != PASSED:
            return GateError
        return None

    def _moved(self, name, alias, been):
        self.been[name, alias] = been
        self.events[name] += 1
        self.generations[name, alias] = self.events[name]

    @rule(name=NAMES, alias=ALIASES)
    def rollback(self, name, alias):
        been = self._previous(name, alias)
        error = NotFoundError if been == [None] else None
        if error is None and self.versions[name][been[-1] - 1]["state"] == "archived":
            error = ArchivedError
        if error is not None:
            with pytest.raises(error):
                self.registry.rollback(name, alias)
            return
        assert self.registry.rollback(name, alias).number == been[-1]
        self._moved(name, alias, been)

    @rule(name=NAMES, alias=ALIASES)
    def remove_alias(self, name, alias):
        if self._number(name, alias) is None:
            with pytest.raises(NotFoundError):
                self.registry.delete_alias(name, alias)
            return
        self.registry.delete_alias(name, alias)
        self.been[name, alias].append(None)
        self.generations[name, alias] = 0
        self.events[name] += 1

    def _number(self, name, alias):
        been = self.been.get((name, alias))
        return been[-1] if been else None

    @rule(name=NAMES, number=NUMBERS, state=st.sampled_from(["archived", "ready"]))
    def archive_or_restore(self, name, number, state):
        change = self.registry.archive if state == "archived" else self.registry.restore
        error = None
        if not self._is_there(name, number):
            error = NotFoundError
        elif state == "archived" and number in (
            self._number(of, alias) for of, alias in self.been if of == name
        ):
            error = ArchivedError
        if error is not None:
            with pytest.raises(error):
                change(f"{name}/{number}")
            return
        version = self.versions[name][number - 1]
        self.events[name] += version["state"] != state
        version["state"] = state
        assert change(f"{name}/{number}").state == state

    @rule(name=NAMES, number=NUMBERS, tags=TAGS, description=st.none() | st.just("text"))
    def annotate(self, name, number, tags, description):
        reference = f"{name}/{number}"
        if not self._is_there(name, number):
            for change in (
                lambda: self.registry.tag(reference, tags),
                lambda: self.registry.describe(reference, description),
            ):
                with pytest.raises(NotFoundError):
                    change()
            return
        version = self.versions[name][number - 1]
        for after in ({**version["tags"], **tags}, tags):
            self.events[name] += after != version["tags"]
            version["tags"] = after
        self.registry.tag(reference, tags)
        gone = set(self.registry.get(reference).tags) - set(tags)
        self.registry.untag(reference, *gone)
        self.events[name] += description != version["description"]
        version["description"] = description
        assert self.registry.describe(reference, description).description == description

    @rule(name=NAMES, number=NUMBERS)
    def copy(self, name, number):
        """To the other model, once."""
        other = {"a": "b", "b": "a"}[name]
        if not self._is_there(name, number):
            with pytest.raises(NotFoundError):
                self.registry.copy(f"{name}/{number}", name=other)
            return
        source = self.versions[name][number - 1]
        # A copy of a copy comes from where the first one came from.
        origin = source["origin"] or self.registry.history(name)[-source["event"]].hash
        key = f"copy:{origin}"
        copied = self.registry.copy(f"{name}/{number}", name=other)
        if (other, key) not in self.keys:
            kept = {**source, "parent": None, "state": "ready", "origin": origin}
            self.events[other] += 1
            kept["event"] = self.events[other]
            self.versions[other].append(kept)
            self.keys[other, key] = len(self.versions[other])
            self.events[other] += kept["description"] is not None
        elif self.versions[other][self.keys[other, key] - 1]["description"] is None:
            self.versions[other][self.keys[other, key] - 1]["description"] = source["description"]
            self.events[other] += source["description"] is not None
        assert copied.number == self.keys[other, key]

    @rule(name=NAMES, alias=ALIASES, number=NUMBERS)
    def four_eyes(self, name, alias, number):
        """A protected alias moves by two people, and by nobody alone."""
        if not self.versions[name]:
            return
        self.registry.protect(name, alias)
        self.events[name] += 1
        error = self._refusal(name, alias, number, wrong=False, force=False)
        proposal = (f"{name}/{number}", alias)
        with pytest.raises(error or ProtectedAliasError):
            self.registry.set_alias(name, alias, number)
        if error is not None:
            with pytest.raises(error):
                self.registry.propose(*proposal)
        else:
            self.registry.propose(*proposal)
            with pytest.raises(ApprovalError):
                self.registry.approve(*proposal)
            with Registry(self.url, self.blobs, actor="bob") as other:
                assert other.approve(*proposal).is_approved
            self.events[name] += 2
            self._moved(name, alias, [*self.been.get((name, alias), []), number])
        self.registry.unprotect(name, alias)
        self.events[name] += 1

    @rule(name=NAMES, number=NUMBERS)
    def delete(self, name, number):
        if not self._is_there(name, number):
            with pytest.raises(NotFoundError):
                self.registry.delete(f"{name}/{number}")
            return
        if number in self._in_use(name) or len(self._there(name)) == 1:
            with pytest.raises(VersionInUseError):
                self.registry.delete(f"{name}/{number}")
            return
        self.registry.delete(f"{name}/{number}")
        self._deleted(name, [number])

    @precondition(lambda self: any(self.versions.values()))
    @rule(name=NAMES, keep=st.integers(1, 3))
    def prune(self, name, keep):
        if not self.versions[name]:
            return
        stays = {*self._there(name)[-keep:], *self._in_use(name)}
        deleted = [number for number in self._there(name) if number not in stays]
        expected = tuple(f"{name}/{number}" for number in deleted)
        planned = self.registry.prune(name, keep=keep, dry_run=True)
        assert planned.versions == expected
        assert self.registry.prune(name, keep=keep) == planned
        self._deleted(name, deleted)

    def _deleted(self, name, numbers):
        for number in numbers:
            self.versions[name][number - 1]["state"] = "deleted"
            self.events[name] += 1
            self.keys = {key: n for key, n in self.keys.items() if (key[0], n) != (name, number)}

    def _is_there(self, name, number):
        return number in self._there(name)

    def _there(self, name):
        """The numbers of the versions that were not deleted."""
        states = [version["state"] for version in self.versions[name]]
        return [number for number, state in enumerate(states, 1) if state != "deleted"]

    def _in_use(self, name):
        """The versions that aliases point at, and those that a rollback returns to."""
        aliases = [alias for of, alias in self.been if of == name and self._number(of, alias)]
        live = {self._number(name, alias) for alias in aliases}
        return live | {self._previous(name, alias)[-1] for alias in aliases} - {None}

    def _previous(self, name, alias):
        """Where an alias has been until its previous version; [None] if it has none."""
        been = list(self.been.get((name, alias), []))
        left = been[-1] if been else None
        while been and (been[-1] in {left, None} or not self._is_there(name, been[-1])):
            been.pop()
        return been or [None]

    @rule(weights=WEIGHTS)
    def collect(self, weights):
        """Exactly the unreferenced blobs are removed."""
        used = {
            version["weights"]
            for versions in self.versions.values()
            for version in versions
            if version["state"] != "deleted"
        }
        self.registry._blobs.put(weights)
        self.registry.gc(grace=AT_ONCE, unknown=True)
        kept = {stored.sha256 for stored in self.registry._blobs.stored()}
        assert kept == {hashlib.sha256(weights).hexdigest() for weights in used}

    @rule(name=NAMES, alias=ALIASES)
    def load(self, name, alias):
        number = self._number(name, alias)
        if number is None:
            with pytest.raises(NotFoundError):
                self.registry.load(f"{name}@{alias}")
            return
        assert self.registry.load(f"{name}@{alias}") == self.versions[name][number - 1]["weights"]

    @precondition(lambda self: any(self.versions.values()))
    @rule()
    def move_to_another_registry(self):
        """Export all models, import them elsewhere, and continue there."""
        url, blobs = self.new_url(), tempfile.mkdtemp(dir=self.directory)
        with contextlib.closing(Registry(url, blobs)) as other:
            for name, versions in self.versions.items():
                if not versions:
                    continue
                file = f"{self.directory}/{name}"
                references = tuple(f"{name}/{n}" for n in self._there(name))
                assert self.registry.export(name, file) == references
                assert other.import_(file).added == references
                assert other.import_(file).present == references
                assert other.history(name) == self.registry.history(name)
        self.url, self.blobs = url, blobs
        self.open_again()

    @precondition(lambda self: any(self.versions.values()))
    @rule(name=NAMES, number=NUMBERS, taken=st.booleans())
    def copy_to_a_registry_with_versions_of_its_own(self, name, number, taken):
        file = f"{self.directory}/{name}-{number}"
        if not self._is_there(name, number):
            with pytest.raises(NotFoundError):
                self.registry.export(f"{name}/{number}", file)
            return
        self.registry.export(f"{name}/{number}", file)
        place = tempfile.mkdtemp(dir=self.directory)
        with Registry(f"sqlite:///{place}/r.db", f"{place}/blobs") as other:
            other.register(name if taken and number == 1 else "c", b"own")
            if taken and number == 1:
                with pytest.raises(CollisionError):
                    other.import_(file)
                return
            assert other.import_(file).added == (f"{name}/{number}",)
            there, here = other.get(f"{name}/{number}"), self.registry.get(f"{name}/{number}")
            assert (there.created_at, there.tags, there.gate, there.state) == (
                *(here.created_at, here.tags, here.gate, here.state),
            )
            assert not [f for f in other.verify() if f.severity == "error"]

    @invariant()
    def agrees(self):
        if not hasattr(self, "registry"):
            return
        for name, expected in self.versions.items():
            found = list(reversed(self.registry.versions(name)))
            assert [v.number for v in found] == self._there(name)
            for version in found:
                kept = expected[version.number - 1]
                assert version.sha256 == hashlib.sha256(kept["weights"]).hexdigest()
                assert (version.tags, version.metrics) == (kept["tags"], kept["metrics"])
                assert (version.gate, version.parent) == (kept["gate"], kept["parent"])
                assert version.state == kept["state"]
                assert version.description == kept["description"]
                assert (version.origin and version.origin.event) == kept["origin"]
                assert version.aliases == tuple(
                    sorted(
                        alias
                        for of, alias in self.been
                        if of == name and self._number(of, alias) == version.number
                    )
                )
            if expected:
                assert len(self.registry.history(name)) == self.events[name]
        for (name, alias), generation in self.generations.items():
            if generation:
                assert self.registry.alias(name, alias).generation == generation

    @invariant()
    def verifies(self):
        if hasattr(self, "registry"):
            assert not [f for f in self.registry.verify() if f.severity == "error"]

    def teardown(self):
        if hasattr(self, "registry"):
            self.registry.close()
            shutil.rmtree(self.directory)


class PostgreSQLMachine(RegistryMachine):
    """The same on PostgreSQL."""

    server = None

    def new_url(self):
        return self.server.new_schema()


class TestSQLite(RegistryMachine.TestCase):
    settings = settings(max_examples=examples(15), stateful_step_count=20, deadline=None)


class TestPostgreSQL(PostgreSQLMachine.TestCase):
    settings = settings(max_examples=examples(8), stateful_step_count=20, deadline=None)

    @pytest.fixture(autouse=True)
    def _server(self, postgresql):
        PostgreSQLMachine.server = postgresql
