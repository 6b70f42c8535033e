"""The message about what `digits verify` found."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.models import open_registry
from pipeline.monitoring.delivery import deliver_quietly
from pipeline.settings import Settings
from registry import Finding, RegistryError

_log = logging.getLogger(__name__)

# Findings that a message repeats.
_SHOWN = 10


def report_findings(settings: Settings, findings: Sequence[Finding]) -> None:
    """Write a message about errors and send it; the same errors write one a day.

    A registry that is so damaged that it takes no message is only logged.
    """
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if not errors:
        return
    digest = hashlib.sha256("\n".join(errors).encode(errors="backslashreplace")).hexdigest()
    body = {"errors": len(errors), "findings": errors[:_SHOWN]}
    try:
        with open_registry(settings, create=False) as registry:
            key = f"{datetime.now(UTC):%Y-%m-%d} {digest}"
            registry.messages.write("registry.damaged", body, key=key)
    except RegistryError as error:
        _log.warning("No message about the findings is sent: %s", error)
        return
    deliver_quietly(settings)
