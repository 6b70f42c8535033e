"""The buttons of a version: promote, roll back, propose, approve, archive, tag, describe.

Each calls the function that the command of the same name calls, so the same rules hold.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline.models import CHAMPION
from pipeline.web.changes import Form, change
from pipeline.web.failures import status_of
from pipeline.web.rendering import ServerLinks
from pipeline.web.site import site_of
from pipeline.web.version import show_version
from registry import ProtectedAliasError, Registry, RegistryError


def _promote(registry: Registry, name: str, number: int, form: Form) -> None:
    alias = form.get("alias") or CHAMPION
    registry.set_alias(
        name,
        alias,
        number,
        # What the page showed; of two people who promote at once, only one does.
        expected=_generation(form) if alias == CHAMPION else None,
        force="force" in form,
        reason=_reason(form),
    )


def _roll_back(registry: Registry, name: str, _number: int, form: Form) -> None:
    registry.rollback(
        name, form.get("alias") or CHAMPION, expected=_generation(form), reason=_reason(form)
    )


def _propose(registry: Registry, name: str, number: int, form: Form) -> None:
    alias = form.get("alias") or CHAMPION
    registry.propose(f"{name}/{number}", alias, force="force" in form, reason=_reason(form))


def _approve(registry: Registry, name: str, number: int, form: Form) -> None:
    registry.approve(f"{name}/{number}", form.get("alias") or CHAMPION, reason=_reason(form))


def _unalias(registry: Registry, name: str, _number: int, form: Form) -> None:
    registry.delete_alias(name, form.get("alias", ""))


def _archive(registry: Registry, name: str, number: int, _form: Form) -> None:
    registry.archive(f"{name}/{number}")


def _restore(registry: Registry, name: str, number: int, _form: Form) -> None:
    registry.restore(f"{name}/{number}")


def _tag(registry: Registry, name: str, number: int, form: Form) -> None:
    registry.tag(f"{name}/{number}", {form.get("name", "").strip(): form.get("value", "").strip()})


def _untag(registry: Registry, name: str, number: int, form: Form) -> None:
    registry.untag(f"{name}/{number}", form.get("name", ""))


def _describe(registry: Registry, name: str, number: int, form: Form) -> None:
    registry.describe(f"{name}/{number}", form.get("description", "").strip())


def _generation(form: Form) -> int | None:
    text = form.get("generation", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _reason(form: Form) -> str | None:
    return form.get("reason", "").strip() or None


def _handler(
    action: str, act: Callable[[Registry, str, int, Form], None]
) -> Callable[[Request, Form], Response]:
    def handler(request: Request, form: Form) -> Response:
        reference = f"{request.path_params['name']}/{request.path_params['number']}"
        registry = site_of(request).registry
        version = registry.get(reference)
        try:
            act(registry, version.name, version.number, form)
        except RegistryError as error:
            alias = form.get("alias") or CHAMPION
            return show_version(
                request,
                reference,
                status=status_of(error),
                problem=str(error),
                proposal_for=alias if isinstance(error, ProtectedAliasError) else None,
            )
        address = f"{ServerLinks().version(reference)}?done={action}"
        return RedirectResponse(address, 303)

    return handler


_ACTIONS = {
    "promote": _promote,
    "rollback": _roll_back,
    "propose": _propose,
    "approve": _approve,
    "unalias": _unalias,
    "archive": _archive,
    "restore": _restore,
    "tag": _tag,
    "untag": _untag,
    "describe": _describe,
}

routes = [
    Route(
        f"/versions/{{name}}/{{number}}/{action}", change(_handler(action, act)), methods=["POST"]
    )
    for action, act in _ACTIONS.items()
]
