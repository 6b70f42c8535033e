"""The pages that only show something, as static files that open from a file share."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from nn import NetworkError
from pipeline import files
from pipeline.errors import OutputError
from pipeline.models import CHAMPION
from pipeline.settings import Settings
from pipeline.web.batches import batch_context, read_batches
from pipeline.web.mistakes import read_mistakes
from pipeline.web.now import read_now
from pipeline.web.rendering import assets, render_page
from pipeline.web.site import Site
from pipeline.web.version import version_context
from pipeline.web.versions import read_listing
from registry import BlobError, ModelVersion, Registry

MARK = "digits-site.json"
"""File of a site that says what it is. No other directory is ever replaced."""

# Rows of a page of a list.
_ROWS = 250

# Versions that have a page of their own: those with an alias, the last champions, the newest. And
# batches: the newest.
_VERSIONS = 80
_CHAMPIONS = 30
_BATCHES = 60

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'"
)


class FileLinks:
    """Addresses of the pages in one directory.

    Parameters
    ----------
    model : str
        The model whose versions the navigation leads to.
    versions, batches : set
        What has a page of its own.
    """

    is_static = True
    policy = _POLICY

    def __init__(self, model: str, versions: set[str], batches: set[int]) -> None:
        self.navigation = (("/", "Now"), ("/versions", "Versions"), ("/batches", "Batches"))
        self._model = model
        self._versions = versions
        self._batches = batches

    def page(self, path: str, **query: object) -> str:
        """Return the file of a page."""
        if path == "/":
            return "index.html"
        if path == "/versions":
            model, after = query.get("model") or self._model, query.get("after")
            rest = "" if after is None else f"-after-{str(after).rpartition('/')[2]}"
            return f"versions-{model}{rest}.html"
        before = query.get("before")
        return "batches.html" if before is None else f"batches-before-{before}.html"

    def version(self, reference: str) -> str | None:
        """Return the file of a version's page; None if it has none."""
        if reference not in self._versions:
            return None
        return f"version-{reference.replace('/', '-')}.html"

    def batch(self, number: int) -> str | None:
        """Return the file of a batch's page; None if it has none."""
        return f"batch-{number}.html" if number in self._batches else None

    def asset(self, name: str) -> str:
        """Return the file of an asset."""
        return name


def write_site(settings: Settings, output: Path) -> int:
    """Write the pages to a directory, which is replaced; return their number.

    Parameters
    ----------
    settings : Settings
    output : Path
        A directory that does not exist, is empty, or was written by this function.

    Raises
    ------
    OutputError
        If it is another directory, or cannot be written.
    registry.NoRegistryError
        If there is no registry.
    """
    output = output.absolute()
    if output.exists() and not (output.is_dir() and _is_ours(output)):
        raise OutputError(
            f"{output}: expected a new or an empty directory, or an earlier site; it has other "
            "files, which would be removed."
        )
    site = Site(settings)
    try:
        with files.temporary_directory(output.parent) as temporary:
            number = 0
            for name, content in _pages(site):
                (temporary / name).write_text(content, encoding="utf-8")
                number += 1
            for name in ("style.css", "mark.svg"):
                (temporary / name).write_bytes(assets()[name].content)
            (temporary / MARK).write_text(json.dumps({"pages": number}) + "\n")
            temporary.chmod(0o755)
            if output.exists():
                files.remove_directory(output)
            shutil.copytree(temporary, output)
    except OSError as error:
        raise OutputError(f"{output} cannot be written ({error.strerror}).") from None
    finally:
        site.close()
    return number


def _is_ours(directory: Path) -> bool:
    return (directory / MARK).exists() or not any(directory.iterdir())


def _pages(site: Site) -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each page."""
    registry = site.registry
    models = [model.name for model in registry.models()]
    batches = registry.batches(limit=_BATCHES)
    first = read_listing(site, {}, limit=_ROWS)
    detailed = dict(islice(_detailed(registry, first.name), _VERSIONS))
    links = FileLinks(first.name, set(detailed), {batch.id for batch in batches})
    write = _Writer(links)
    yield write("/", "now.html.j2", present=read_now(site))
    for name in models or [first.name]:
        after = None
        while True:
            query = {"model": name} | ({} if after is None else {"after": after})
            listing = read_listing(site, query if models else {}, limit=_ROWS)
            yield write("/versions", "versions.html.j2", query, listing=listing, after=after)
            after = listing.next
            if after is None:
                break
    for version in detailed.values():
        yield links.version(version.reference) or "", _version_page(site, write, version)
    yield from _batch_lists(registry, write)
    for batch in batches:
        yield (
            links.batch(batch.id) or "",
            write.page("/batches", "batch.html.j2", **batch_context(batch)),
        )


class _Writer:
    """Renders pages with the addresses of files."""

    def __init__(self, links: FileLinks) -> None:
        self._links = links
        self._now = datetime.now(UTC)

    def page(self, path: str, template: str, **context: Any) -> str:
        """Return the content of a page."""
        return render_page(
            template,
            path=path,
            links=self._links,
            read_only=True,
            signed_in=False,
            csrf="",
            now=self._now,
            **context,
        )

    def __call__(
        self, path: str, template: str, query: Mapping[str, object] = {}, **context: Any
    ) -> tuple[str, str]:
        """Return the name and the content of a page."""
        return self._links.page(path, **query), self.page(path, template, **context)


def _detailed(registry: Registry, first: str) -> Iterator[tuple[str, ModelVersion]]:
    """Yield the versions that deserve a page, by reference; some more than once."""
    models = sorted(registry.models(), key=lambda model: model.name != first)
    for model in models[:1]:
        moves = registry.history(model.name, alias=CHAMPION, limit=_CHAMPIONS)
        numbers = {*model.aliases.values(), *(event.number for event in moves if event.number)}
        for number in sorted(numbers, reverse=True):
            for version in registry.versions(model.name, where=f"number = {number}"):
                yield version.reference, version
        for version in registry.versions(model.name, limit=_VERSIONS):
            yield version.reference, version
    for model in models[1:]:
        for alias in model.aliases:
            version = registry.get(f"{model.name}@{alias}")
            yield version.reference, version


def _version_page(site: Site, write: _Writer, version: ModelVersion) -> str:
    mistakes = None
    if version.aliases:
        with suppress(BlobError, NetworkError):
            mistakes = read_mistakes(site.settings, version)
    context = version_context(site, version.reference)
    return write.page(
        "/versions",
        "version.html.j2",
        mistakes=mistakes,
        done=None,
        problem=None,
        proposal_for=None,
        **context,
    )


def _batch_lists(registry: Registry, write: _Writer) -> Iterator[tuple[str, str]]:
    before = None
    while True:
        listing = read_batches(registry, before=before, limit=_ROWS)
        yield write("/batches", "batches.html.j2", {"before": before}, listing=listing)
        before = listing.next
        if before is None:
            return
