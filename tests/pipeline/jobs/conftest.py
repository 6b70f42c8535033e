import pytest


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pictures out of reports: they take longer than these trainings.

    The tests of reporting and of the command line draw them.
    """
    monkeypatch.setattr(
        "pipeline.reporting.html.retraining_pictures", lambda history, evaluation: {}
    )
