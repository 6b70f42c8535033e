"""The commands for four eyes: protect, unprotect, propose, approve and proposals."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.messages import say
from pipeline.cli.options import Alias, Json, Model, Reason, Reference

if TYPE_CHECKING:
    from registry import Proposal

app = typer.Typer()

_ProtectedAlias = Annotated[str, typer.Argument(metavar="ALIAS", help="The alias.")]
_ModelOption = Annotated[str, typer.Option("--model", help="The registered model.")]


@app.command(epilog="Example: digits protect champion --approvals 1")
def protect(
    *,
    alias: _ProtectedAlias,
    model: _ModelOption = "mnist",
    approvals: Annotated[
        int, typer.Option(min=1, max=100, help="How many others have to approve.")
    ] = 1,
    json: Json = False,
) -> None:
    """Protect an alias: it moves only after others have approved what somebody proposed."""
    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        registry.protect(model, alias, approvals)
    if json:
        show_json({"alias": f"{model}@{alias}", "approvals": approvals})
    else:
        say(f"{model}@{alias} needs {_approvals(approvals)} by others from now on.")


@app.command(epilog="Example: digits unprotect champion")
def unprotect(*, alias: _ProtectedAlias, model: _ModelOption = "mnist", json: Json = False) -> None:
    """Remove the protection of an alias. The history records it."""
    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        registry.unprotect(model, alias)
    if json:
        show_json({"alias": f"{model}@{alias}", "approvals": 0})
    else:
        say(f"{model}@{alias} is not protected any more.")


@app.command(epilog="Example: digits propose 7 --reason 'better on the scans of June'")
def propose(
    *,
    reference: Reference,
    alias: Alias = "champion",
    force: Annotated[
        bool, typer.Option("--force", help="Propose even if the gate was not passed.")
    ] = False,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Propose a version for a protected alias, which moves once others have approved."""
    from pipeline.models import full_reference, open_registry

    with open_registry(create=False) as registry:
        proposal = registry.propose(full_reference(reference), alias, force=force, reason=reason)
    _show(proposal, json=json)


@app.command(epilog="Example: digits approve 7 --reason 'checked the scans of June'")
def approve(
    *,
    reference: Reference,
    alias: Alias = "champion",
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Approve a version that somebody else proposed. The last approval moves the alias."""
    from pipeline.models import full_reference, open_registry

    with open_registry(create=False) as registry:
        proposal = registry.approve(full_reference(reference), alias, reason=reason)
    _show(proposal, json=json)


@app.command(epilog="Example: digits proposals")
def proposals(*, model: Model = "mnist", json: Json = False) -> None:
    """List the versions that wait for approval, oldest first."""
    from pipeline.models import open_registry
    from pipeline.reporting.registry_json import proposal_json
    from pipeline.reporting.registry_tables import proposals_table
    from pipeline.reporting.text import show, show_json

    with open_registry(create=False) as registry:
        waiting = registry.proposals(model)
    if json:
        show_json([proposal_json(proposal) for proposal in waiting])
    else:
        show(proposals_table(waiting))


def _approvals(count: int) -> str:
    return "1 approval" if count == 1 else f"{count} approvals"


def _show(proposal: "Proposal", *, json: bool) -> None:
    from pipeline.reporting.registry_json import proposal_json
    from pipeline.reporting.text import show_json

    if json:
        show_json(proposal_json(proposal))
        return
    alias = f"{proposal.version.partition('/')[0]}@{proposal.alias}"
    if proposal.is_approved:
        say(f"{alias} is {proposal.version} now.")
    else:
        missing = proposal.approvals_needed - len(proposal.approved_by)
        say(
            f"{proposal.version} is proposed for {alias}; approvals missing: {missing}. "
            f"Somebody else runs `digits approve {proposal.version}`."
        )
