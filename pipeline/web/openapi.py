"""The description of the HTTP API, in the form of OpenAPI 3.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as release_of
from typing import Any

from pipeline.web.safety import PREDICT

PATH = "/api/openapi.json"
"""Where the description is."""

MAX_LIMIT = 1_000
"""Maximum number of rows of an answer."""

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_OBJECT: Schema = {"type": "object"}
_TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_FRACTION: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

_NAME = "^[a-z][a-z0-9_.-]{0,63}$"
_REFERENCE = (
    r"^(([a-z][a-z0-9_.-]{0,63})?@[a-z][a-z0-9_-]{0,62}|([a-z][a-z0-9_.-]{0,63}/)?[1-9][0-9]{0,8})$"
)


@dataclass(frozen=True, eq=False, slots=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    what: str
    schema: Schema
    example: str | int
    is_required: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """What can be asked at one address."""

    path: str
    summary: str
    answer: Schema
    """Schema of the answer."""
    parameters: Sequence[Parameter] = ()
    """Those of the query."""
    errors: Sequence[int] = ()
    """HTTP status of what can go wrong."""
    method: str = "GET"
    answer_type: str = "application/json"
    body: str | None = field(default=None)
    """What the body of the request is."""

    @property
    def example(self) -> str:
        """The address with examples of its parameters."""
        path = self.path
        for name, parameter in PATH_PARAMETERS.items():
            path = path.replace(f"{{{name}}}", str(parameter.example))
        return path


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _component(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


PATH_PARAMETERS: Mapping[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter("model", "Name of the model.", {**_TEXT, "pattern": _NAME}, "mnist"),
        Parameter(
            "version",
            "Number of the version, an alias of it, or latest.",
            {**_TEXT, "pattern": "^([a-z][a-z0-9_-]{0,62}|[1-9][0-9]{0,8})$"},
            "champion",
        ),
        Parameter("sha256", "SHA-256 of the weights, in hexadecimal.", _DIGEST, "0" * 64),
    )
}
"""The parameters in paths."""

_LIMIT = Parameter(
    "limit",
    f"Maximum number of rows, at most {MAX_LIMIT:,}; 100 by default.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    20,
)


def _reference(name: str, what: str, *, is_required: bool = False) -> Parameter:
    return Parameter(name, what, {**_TEXT, "pattern": _REFERENCE}, "mnist@champion", is_required)


_VERSION = _object(
    reference=_TEXT,
    name=_TEXT,
    number={"type": "integer", "minimum": 1},
    state={"enum": ["ready", "archived", "damaged"]},
    sha256=_DIGEST,
    size=_COUNT,
    metrics={"type": "object", "additionalProperties": _NUMBER},
    params=_OBJECT,
    tags={"type": "object", "additionalProperties": _TEXT},
    inputs={"type": "object", "additionalProperties": _DIGEST},
    environment={"type": "object", "additionalProperties": _TEXT},
    gate=_array(_object(name=_TEXT, figure=_NUMBER, threshold=_NUMBER, passed={"type": "boolean"})),
    aliases=_array(_TEXT),
    parent=_OPTIONAL_TEXT,
    code_version=_OPTIONAL_TEXT,
    run_id=_OPTIONAL_TEXT,
    created_at=_TIME,
    created_by=_OPTIONAL_TEXT,
    description=_OPTIONAL_TEXT,
    origin={"type": ["object", "null"]},
    gate_passed={"type": ["boolean", "null"]},
)
_EVENT = _object(
    name=_TEXT,
    seq={"type": "integer", "minimum": 1},
    at=_TIME,
    actor=_OPTIONAL_TEXT,
    kind=_TEXT,
    alias=_OPTIONAL_TEXT,
    number={"type": ["integer", "null"]},
    details=_OBJECT,
    hash=_DIGEST,
)

MODELS = Operation(
    "/api/models",
    "The registered models with their aliases.",
    _array(
        _object(
            name=_TEXT,
            description=_OPTIONAL_TEXT,
            versions=_COUNT,
            latest={"type": ["integer", "null"]},
            aliases={"type": "object", "additionalProperties": {"type": "integer"}},
            created_at=_TIME,
        )
    ),
)
VERSIONS = Operation(
    "/api/versions",
    "Versions, newest first, or those that match a condition. The header Link has the next page.",
    _array(_component("Version")),
    (
        Parameter("model", "Only versions of this model.", {**_TEXT, "pattern": _NAME}, "mnist"),
        Parameter(
            "where",
            "A condition, in the language of the command line's --where.",
            _TEXT,
            "metrics.test_accuracy >= 0.98",
        ),
        Parameter(
            "sort",
            "number, created_at or metrics.NAME, followed by desc or asc.",
            _TEXT,
            "created_at desc",
        ),
        _LIMIT,
        Parameter("after", "The last version of the previous page.", _TEXT, "mnist/7"),
    ),
    (400, 404),
)
VERSION = Operation(
    "/api/versions/{model}/{version}",
    "One version.",
    _component("Version"),
    errors=(400, 404),
)
WEIGHTS = Operation(
    "/api/weights/{sha256}",
    "Weights by their digest, which is checked: a safetensors file.",
    {**_TEXT, "format": "binary"},
    errors=(400, 404),
    answer_type="application/octet-stream",
)
COMPARISON = Operation(
    "/api/compare",
    "The differences between two versions.",
    _object(
        first=_TEXT,
        second=_TEXT,
        same_weights={"type": "boolean"},
        metrics=_OBJECT,
        params=_OBJECT,
        tags=_OBJECT,
        inputs=_OBJECT,
        environment=_OBJECT,
        layers=_array(_OBJECT),
    ),
    (
        _reference("first", "A version.", is_required=True),
        _reference("second", "Another version.", is_required=True),
    ),
    (400, 404),
)
HISTORY = Operation(
    "/api/history/{model}",
    "What happened to a model, newest first.",
    _array(_component("Event")),
    (
        Parameter(
            "alias",
            "Only the moves of this alias.",
            {**_TEXT, "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
            "champion",
        ),
        _LIMIT,
        Parameter(
            "before",
            "Only events with a smaller seq.",
            {"type": "integer", "minimum": 1, "maximum": 999_999_999},
            100,
        ),
    ),
    (400, 404),
)
PROPOSALS = Operation(
    "/api/proposals/{model}",
    "The versions that wait for approval, oldest first.",
    _array(_object(version=_TEXT, alias=_TEXT, proposed_by=_TEXT, proposed_at=_TIME)),
    errors=(400, 404),
)
BATCHES = Operation(
    "/api/batches",
    "The scored batches, newest first.",
    _array(_OBJECT),
    (
        Parameter("drifted", "Whether only those with drift.", {"enum": ["true", "false"]}, "true"),
        _LIMIT,
        Parameter(
            "before",
            "Only batches with a smaller id.",
            {"type": "integer", "minimum": 1, "maximum": 999_999_999},
            100,
        ),
    ),
    (400,),
)
STATUS = Operation(
    "/api/status",
    "How the jobs, the champion and the batches are, and what needs a person.",
    _OBJECT,
)
PREDICTION = Operation(
    PREDICT,
    "The digit in an image. An image that cannot be read is no error: the answer has the reason.",
    _object(
        version=_TEXT,
        sha256=_DIGEST,
        digit={"type": ["integer", "null"], "minimum": 0, "maximum": 9},
        confidence=_FRACTION,
        probabilities={"type": ["array", "null"], "items": _NUMBER},
        novelty=_FRACTION,
        notes=_OPTIONAL_TEXT,
        reason=_OPTIONAL_TEXT,
    ),
    (_reference("version", "The version that is asked; mnist@champion by default."),),
    (400, 404, 409, 413),
    method="POST",
    body="An image file, of any size and format that scoring takes; at most 10 MB.",
)

OPERATIONS = (
    MODELS,
    VERSIONS,
    VERSION,
    WEIGHTS,
    COMPARISON,
    HISTORY,
    PROPOSALS,
    BATCHES,
    STATUS,
    PREDICTION,
)
"""What the API offers."""

_MEANINGS = {
    400: "A parameter cannot be understood.",
    404: "There is no such model or version.",
    409: "The version cannot do this.",
    413: "The image is too large.",
}


def description() -> dict[str, Any]:
    """Return the description of the API."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "digits", "version": release_of("digits-pipeline")},
        "paths": paths,
        "components": {
            "schemas": {
                "Version": _VERSION,
                "Event": _EVENT,
                "Error": _object(error=_object(status={"type": "integer"}, message=_TEXT)),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        # The token is needed only if DIGITS_UI_TOKEN is set.
        "security": [{}, {"token": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    in_path = [each for name, each in PATH_PARAMETERS.items() if f"{{{name}}}" in operation.path]
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [
            *(_parameter(each, "path") for each in in_path),
            *(_parameter(each, "query") for each in operation.parameters),
        ],
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {operation.answer_type: {"schema": operation.answer}},
            },
            **{str(status): _error(_MEANINGS[status]) for status in operation.errors},
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "description": operation.body,
            "content": {"application/octet-stream": {"schema": {**_TEXT, "format": "binary"}}},
        }
    return described


def _parameter(parameter: Parameter, place: str) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": place,
        "description": parameter.what,
        "required": parameter.is_required or place == "path",
        "schema": parameter.schema,
        "example": parameter.example,
    }


def _error(meaning: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _component("Error")}}
    return {"description": meaning, "content": content}
