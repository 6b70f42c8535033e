"""The commands that look after a registry: verify, gc and backup."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import FAILED
from pipeline.cli.messages import say
from pipeline.cli.options import Force, Json
from pipeline.cli.overwriting import require_backup

if TYPE_CHECKING:
    from registry import Finding

app = typer.Typer()

# Hours in ten years.
_MAX_HOURS = 10 * 365 * 24


@app.command(epilog="Example: digits verify")
def verify(
    *,
    reference: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="Verify only this version.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Public keys, a line `ssh-ed25519 KEY NAME` for each person: every event must be "
            "signed by who it names.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Verify this export, without a registry; with --key."),
    ] = None,
    json: Json = False,
) -> None:
    """Verify the database, the history and the weights.

    The exit status is 1 if anything registered is wrong or lost; warnings leave it at 0.
    """
    from dataclasses import asdict

    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import findings_table
    from pipeline.reporting.text import show, show_json
    from registry import verify_export

    if export is not None:
        if key is None or reference is not None:
            raise typer.BadParameter("--export goes with --key, and without a version.")
        findings = list(verify_export(export, key))
    else:
        with open_registry(create=False) as registry:
            version = None if reference is None else full_reference(reference)
            findings = list(registry.verify(version, keys=key))
        _tell(findings)
    if json:
        show_json([asdict(finding) for finding in findings])
    else:
        show(findings_table(findings))
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(FAILED)


def _tell(findings: "Sequence[Finding]") -> None:
    """Send a message about errors, once a day while they are the same."""
    from pipeline.monitoring.findings import report_findings
    from pipeline.settings import load_settings

    report_findings(load_settings(), findings)


@app.command(epilog="Example: digits gc --dry-run")
def gc(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    hours: Annotated[
        float,
        typer.Option(min=0, max=_MAX_HOURS, help="Keep what is younger, in hours."),
    ] = 1.0,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Also remove weights that no version of this registry ever had."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Remove weights that no version refers to, and temporary files that killed runs left.

    Weights that no version of this registry ever had stay, unless you say yes: after the database
    was restored from a backup they can be the only copy. Nothing is removed from a store that
    another registry uses too.
    """
    from dataclasses import asdict, replace

    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json
    from pipeline.summaries import counted

    with open_registry(create=False) as registry:
        grace = timedelta(hours=hours)
        result = registry.gc(grace=grace, unknown=yes, dry_run=dry_run)
        if result.unknown and not dry_run and _is_confirmed(result.unknown):
            rest = registry.gc(grace=grace, unknown=True)
            result = replace(
                rest,
                temporary_files=result.temporary_files + rest.temporary_files,
                blobs=result.blobs + rest.blobs,
                size=result.size + rest.size,
            )
    if json:
        show_json(asdict(result))
    else:
        verb = "Would remove" if dry_run else "Removed"
        say(
            f"{verb} {counted(result.blobs, 'file')} of weights and "
            f"{counted(result.temporary_files, 'temporary file')}, "
            f"{counted(result.size, 'byte')}."
        )
    if result.unknown:
        say(
            f"Kept {counted(result.unknown, 'file')} of weights that no version of this registry "
            "ever had; --yes removes such files.",
            err=True,
        )


def _is_confirmed(count: int) -> bool:
    """Ask, if somebody is there to answer, whether unknown blobs are to be removed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    from pipeline.summaries import counted

    return typer.confirm(
        f"The store also has {counted(count, 'file')} of weights that no version of this registry "
        "ever had. If its database was restored from a backup, that can be the only copy. Remove?",
        err=True,
    )


@app.command(epilog="Example: digits backup /backups/registry.db")
def backup(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    force: Force = False,
    json: Json = False,
) -> None:
    """Copy the database to a file, consistently while it is in use.

    The weights are not in the copy: copy the blob store after it. To restore, put both back while
    no command runs.
    """
    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    require_backup(file, force=force)
    with open_registry(create=False) as registry:
        registry.backup(file)
    size = file.stat().st_size
    if json:
        show_json({"file": str(file), "size": size})
    else:
        say(f"The database is in {file} ({size:,} bytes), without the weights.")
