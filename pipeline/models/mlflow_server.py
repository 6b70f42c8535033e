"""Taking the versions of an MLflow server into a registry, through MLflow's REST API.

MLflow itself is not needed: it cannot be installed beside the SQLAlchemy of this release.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import requests
from pyarrow import fs

from pipeline.errors import InputError
from registry import ModelVersion, Registry, RunRecord

# Seconds until a server that does not answer is given up.
_TIMEOUT = 60
_PAGE = 200
_PROXIED = "mlflow-artifacts:"
# Tags of a run that MLflow sets for itself, such as the name of the script.
_OWN_TAG = "mlflow."


@dataclass(frozen=True, slots=True)
class MLflowImport:
    """What an import from MLflow did.

    Attributes
    ----------
    added, present : tuple of str
        References of the versions that are new, and of those an earlier import brought.
    aliases : tuple of str
        The aliases that were set, as ``name@alias``.
    """

    added: tuple[str, ...]
    present: tuple[str, ...]
    aliases: tuple[str, ...]


def import_from_mlflow(
    registry: Registry, server: str, model: str, *, name: str | None = None
) -> MLflowImport:
    """Register the versions of a model of an MLflow server, oldest first.

    Each keeps its metrics, parameters, tags, description, run id and aliases. Its weights are its
    artifacts, as one tar archive. Repeating the import adds only what is new.

    Parameters
    ----------
    registry : Registry
    server : str
        Address of the tracking server, such as ``http://127.0.0.1:5000``.
    model : str
        Name of the registered model there.
    name : str, optional
        Name of the model here; the same by default.

    Raises
    ------
    InputError
        If the server cannot be reached, or has no such model or artifact.
    registry.InvalidArgumentError
        If a name or value is none that the registry takes.
    """
    source = _Server(server)
    name = name or model
    registered = source.get("registered-models/get", name=model)["registered_model"]
    before = next((known for known in registry.models() if known.name == name), None)
    highest = (before and before.latest) or 0
    added: list[str] = []
    present: list[str] = []
    numbers: dict[str, int] = {}
    for found in sorted(source.versions(model), key=lambda found: int(found["version"])):
        version = _register(registry, source, name, found)
        numbers[found["version"]] = version.number
        if version.number <= highest:
            present.append(version.reference)
            continue
        added.append(version.reference)
        if found.get("description"):
            registry.describe(version.reference, found["description"])
    aliases: list[str] = []
    for alias in registered.get("aliases", []):
        number = numbers.get(alias["version"])
        is_set = before is not None and alias["alias"] in before.aliases
        if number is not None and not is_set:
            # MLflow knows no gate.
            reason = "imported from MLflow"
            registry.set_alias(name, alias["alias"], number, force=True, reason=reason)
            aliases.append(f"{name}@{alias['alias']}")
    return MLflowImport(tuple(added), tuple(present), tuple(aliases))


def _register(
    registry: Registry, source: "_Server", name: str, found: dict[str, Any]
) -> ModelVersion:
    """Register a version with its run and artifacts; one that is there already is returned."""
    tags = {f"mlflow.{field}": found[field] for field in ("name", "version")}
    tags |= {tag["key"]: tag["value"] for tag in found.get("tags", [])}
    metrics, params = {}, {}
    if found.get("run_id"):
        data = source.get("runs/get", run_id=found["run_id"])["run"]["data"]
        metrics = {metric["key"]: metric["value"] for metric in data.get("metrics", [])}
        params = {param["key"]: param["value"] for param in data.get("params", [])}
        run_tags = ((tag["key"], tag["value"]) for tag in data.get("tags", []))
        tags |= {tag: value for tag, value in run_tags if not tag.startswith(_OWN_TAG)}
    record = RunRecord(
        metrics=metrics, params=params, tags=tags, run_id=found.get("run_id") or None
    )
    uri = source.get(
        "model-versions/get-download-uri", name=found["name"], version=found["version"]
    )["artifact_uri"]
    key = f"mlflow {source.address} {found['name']}/{found['version']}"
    return registry.register(name, _tar(source.artifacts(uri)), record, idempotency_key=key)


def _tar(members: Iterator[tuple[str, bytes]]) -> bytes:
    """Return files as an archive; equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in sorted(members):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class _Server:
    """An MLflow tracking server."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._session = requests.Session()

    def get(self, method: str, **values: str) -> dict[str, Any]:
        """Call a method of the API that reads."""
        answer: dict[str, Any] = self._request(f"mlflow/{method}", values).json()
        return answer

    def versions(self, model: str) -> Iterator[dict[str, Any]]:
        """Yield the versions of a model that are ready."""
        token = ""
        while True:
            page = self.get(
                "model-versions/search",
                # A quote is doubled, as in SQL.
                filter="name='{}'".format(model.replace("'", "''")),
                max_results=str(_PAGE),
                page_token=token,
            )
            for version in page.get("model_versions", []):
                if version.get("status", "READY") == "READY":
                    yield version
            token = page.get("next_page_token", "")
            if not token:
                return

    def artifacts(self, uri: str) -> Iterator[tuple[str, bytes]]:
        """Yield the files of an artifact directory: path in it, and content."""
        if uri.startswith(_PROXIED):
            yield from self._proxied(uri.removeprefix(_PROXIED).strip("/"), "")
            return
        try:
            files, root = fs.FileSystem.from_uri(uri)
            for info in files.get_file_info(fs.FileSelector(root, recursive=True)):
                if info.is_file:
                    with files.open_input_stream(info.path) as stream:
                        yield str(PurePosixPath(info.path).relative_to(root)), stream.read()
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"The artifacts at {uri} cannot be read ({error}).") from None

    def _proxied(self, root: str, below: str) -> Iterator[tuple[str, bytes]]:
        path = "/".join(filter(None, (root, below)))
        listing = self._request("mlflow-artifacts/artifacts", {"path": path}).json()
        for entry in listing.get("files", []):
            inside = "/".join(filter(None, (below, PurePosixPath(entry["path"]).name)))
            if entry["is_dir"]:
                yield from self._proxied(root, inside)
            else:
                method = f"mlflow-artifacts/artifacts/{quote(f'{root}/{inside}')}"
                yield inside, self._request(method, {}).content

    def _request(self, method: str, values: dict[str, str]) -> requests.Response:
        url = f"{self.address}/api/2.0/{method}"
        try:
            answer = self._session.get(url, params=values, timeout=_TIMEOUT)
            answer.raise_for_status()
        except requests.HTTPError:
            raise InputError(f"{url}: {_reason(answer)}") from None
        except requests.RequestException as error:
            raise InputError(
                f"The MLflow server at {self.address} cannot be reached "
                f"({type(error).__name__}). Check the address."
            ) from None
        return answer


def _reason(answer: requests.Response) -> str:
    """Return what the server says went wrong."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
