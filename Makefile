# Needs Python 3.11 or later, make, and a package index.
PYTHON ?= python3
VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# Another Python than the default has an environment of its own, such as .venv-3.13.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(VERSION))
BIN := $(VENV)/bin
BENCH := .venv-bench/bin
BENCH_MLFLOW := .venv-bench-mlflow/bin
UV := 0.13.9

.PHONY: run test test-long test-busy test-packages torture check docs docs-pictures lock bench bench-nn bench-nn-best bench-registry bench-scoring bench-retraining bench-review bench-year clean

# The main job: retrain, then score a directory of images.
run: $(VENV)/run
	$(BIN)/digits retrain --preset quick
	$(BIN)/digits versions
	$(BIN)/digits sample --count 1000 --output run/sample
	$(BIN)/digits score run/sample --output run/scores

# Compiled tests and modules are kept: compiling them takes as long as many of the tests.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/dev
	$(BIN)/python -m pytest

# The tests that take longest (the main job on all of MNIST, servers and clusters that are lost),
# and in full what `make test` samples: PostgreSQL, kills, the examples of Hypothesis.
test-long: $(VENV)/dev
	$(BIN)/python -m pytest --long

# The tests beside six busy processes. Each of them ends when this shell ends, however it ends.
BUSY := import os; parent = os.getppid(); any(os.getppid() != parent for _ in iter(int, 1))

test-busy: $(VENV)/dev
	@for _ in 1 2 3 4 5 6; do $(BIN)/python -c '$(BUSY)' & done; $(BIN)/python -m pytest

# Source distribution and wheel, and the main job from the wheel in empty environments, without the
# locks: the newest and the lowest versions that pyproject.toml allows, on each of these Pythons.
# Needs a package index, and three minutes for each.
PYTHONS := $(PYTHON)

test-packages: $(VENV)/dev
	.ci/packages $(BIN) $(UV) $(PYTHONS)

# The full torture tests, of which `make test` runs a sample. Registry: many writers, kill -9 at
# every system call, full disks, flipped bits. Retraining, inbox and `digits serve`: kill -9. A
# Prefect server that is away for ten minutes. Messages: kill -9 at every statement. Reviews: kill -9
# of those who write decisions, and of the page after any key. Images: 50,000 damaged files. Takes
# more than an hour.
# Without strace, PostgreSQL or root (to mount a small disk), parts are skipped.
torture: $(VENV)/dev
	$(BIN)/python -m pytest --torture --numprocesses=0 --timeout=1800 -v \
		tests/registry/torture tests/pipeline/torture tests/pipeline/jobs/test_inbox.py \
		tests/pipeline/flows/test_leases.py tests/pipeline/monitoring/test_kills.py \
		tests/pipeline/review/test_decisions.py tests/pipeline/web/test_review.py

check: $(VENV)/dev docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, below build/docs. A link that leads nowhere is an error.
docs: $(VENV)/dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs

# The pictures of the documentation that are drawn, not taken from the screen.
docs-pictures: $(VENV)/dev
	PYTHONPATH=tests/support $(BIN)/python docs/draw_kinds.py

# Start-up times, and the cost of mirrors that are down.
bench: $(VENV)/dev
	$(BIN)/python -m benchmarks.startup

# The network against PyTorch, scikit-learn and the book: speed, memory and accuracy. Takes half an
# hour. The figures are meaningful only if the machine has nothing else to do.
bench-nn: .venv-bench/made
	$(BENCH)/python -m benchmarks.network.speed
	$(BENCH)/python -m benchmarks.network.memory
	$(BENCH)/python -m benchmarks.network.accuracy quick standard
	$(BENCH)/python -m benchmarks.network.time_to_accuracy
	$(BENCH)/python -m benchmarks.network.book

# The preset `best` with three seeds, up to an hour each. If it is cut off, it goes on from the
# checkpoints below run/best. `python -m benchmarks.network.best record` does so with that preset.
bench-nn-best: .venv-bench/made
	$(BENCH)/python -m benchmarks.network.best

# The registry against MLflow's, and with a million versions. Takes ten minutes and 2 GB of disk.
# MLflow needs another SQLAlchemy, so it has an environment of its own.
bench-registry: $(VENV)/dev .venv-bench-mlflow/made
	$(BIN)/python -m benchmarks.registry.against_mlflow $(BENCH_MLFLOW)/python
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.registry.scale

# Scoring against a bare loop and against PyTorch, its memory, and the accuracy on scans of the
# champion under DIGITS_HOME. Takes five minutes.
bench-scoring: .venv-bench/made
	PYTHONPATH=tests/support $(BENCH)/python -m benchmarks.scoring.speed
	PYTHONPATH=tests/support $(BENCH)/python -m benchmarks.scoring.kinds
	$(BENCH)/python -m benchmarks.scoring.parquet
	PYTHONPATH=tests/support $(BENCH)/python -m benchmarks.scoring.estimates
	$(BENCH)/python -m benchmarks.scoring.shadow

# The time of a retraining beside its training, poisoned labels, and 24 nights of labelled images
# that drift. Uses MNIST under DIGITS_HOME. Takes a quarter of an hour.
bench-retraining: $(VENV)/dev
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.retraining.overhead
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.retraining.nights

# A year of nights and looks by the jobs on a clock that is set, then 10,000 looks and seven
# retrainings through `digits serve`, which takes many hours.
bench-year: .venv-bench/made
	PYTHONPATH=tests/support $(BENCH)/python -m benchmarks.operations.year
	PYTHONPATH=tests/support $(BENCH)/python -m benchmarks.operations.served

# Reviews: what 5 % of drifted scans finds, the page in Chromium, and some days with a decision on
# every fifth image. Uses MNIST and the champion under DIGITS_HOME. Takes ten minutes; the month in
# full is `python -m benchmarks.review.month --days 30`.
bench-review: $(VENV)/dev
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.review.found
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.review.speed
	PYTHONPATH=tests/support $(BIN)/python -m benchmarks.review.month

# The pages and the static site of 10,000 versions and 1,000 batches. Takes a minute.
bench-web: $(VENV)/dev
	$(BIN)/python -m benchmarks.web.scale

# The locks list all transitive dependencies, so pip resolves nothing.
$(VENV)/run $(VENV)/dev: $(VENV)/%: requirements/%.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("digits needs Python 3.11 or later; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement $<
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# A contender that cannot be installed is left out; its line in the table says so.
.venv-bench/made: requirements/run.txt benchmarks/requirements.txt pyproject.toml
	test -x $(BENCH)/python || $(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --no-deps --require-hashes --requirement $<
	-grep -o '^[^#]*' benchmarks/requirements.txt | xargs -n 1 $(BENCH)/python -m pip install --quiet
	$(BENCH)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv-bench-mlflow/made: benchmarks/registry/requirements-mlflow.txt
	test -x $(BENCH_MLFLOW)/python || $(PYTHON) -m venv .venv-bench-mlflow
	$(BENCH_MLFLOW)/python -m pip install --quiet --requirement $<
	touch $@

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv==$(UV)
	set -e; for name in run dev; do \
		groups="--group build"; test $$name = run || groups="$$groups --group dev"; \
		.venv-lock/bin/uv pip compile pyproject.toml $$groups --output-file requirements/$$name.txt \
			--universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url \
			--custom-compile-command "make lock" --quiet; \
	done
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-3.* .venv-bench .venv-bench-mlflow .venv-lock run dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
