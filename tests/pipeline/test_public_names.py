"""`pipeline` exports every public name, and imports each when it is first used."""

import ast
import importlib
import importlib.metadata
import inspect
import pkgutil
import pydoc

import pytest

import pipeline
import pipeline.jobs
from pipeline import plan_retraining, retrain


def _defined_in(name):
    """The public functions and classes that a module defines itself."""
    module = importlib.import_module(name)
    return {
        member
        for member, value in vars(module).items()
        if not member.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }


@pytest.mark.parametrize(
    "module",
    [
        "pipeline.errors",
        "pipeline.scoring.outcome",
        "pipeline.settings",
        "pipeline.training.outcome",
    ],
)
def test_everything_public_of_these_modules_is_exported(module):
    defined = _defined_in(module)
    assert defined
    assert defined <= set(pipeline.__all__)


@pytest.mark.parametrize(
    "job", [module.name for module in pkgutil.iter_modules(pipeline.jobs.__path__)]
)
def test_every_job_is_exported(job):
    assert _defined_in(f"pipeline.jobs.{job}") & set(pipeline.__all__)


def test_type_checkers_see_the_names_that_are_imported_when_used():
    """From the same modules."""
    tree = ast.parse(inspect.getsource(pipeline))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: line.module for line in block.body for alias in line.names}
    assert seen == pipeline._MODULES
    assert sorted({*seen, "__version__"}) == pipeline.__all__


def test_the_names_are_offered_for_completion():
    assert set(pipeline.__all__) <= set(dir(pipeline))


def test_help_shows_the_public_names():
    text = pydoc.render_doc(pipeline, renderer=pydoc.plaintext)
    for name in ("class Classifier", "score(", "retrain(", "class Scoring"):
        assert name in text


def test_the_version_is_that_of_the_distribution():
    assert pipeline.__version__ == importlib.metadata.version("digits-pipeline")


def test_an_outcome_of_a_retraining_is_shown_in_three_lines(retrained, brief_training):
    outcomes = [
        retrain(preset="quick", min_accuracy=0.3),
        retrain(preset="quick", min_accuracy=1.0, seed=1),
        retrain(preset="quick", min_accuracy=0.3, seed=1),
        plan_retraining(preset="quick"),
    ]
    names = ["Unchanged", "Refused", "Registered", "RetrainingPlan"]
    assert [type(outcome).__name__ for outcome in outcomes] == names
    for outcome in outcomes:
        assert repr(outcome).startswith(type(outcome).__name__)
        assert len(repr(outcome).splitlines()) <= 3
        assert max(map(len, repr(outcome).splitlines())) <= 102
        assert "<table>" in outcome._repr_html_()
