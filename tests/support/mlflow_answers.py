"""A server that answers as MLflow 3.17 does: the answers were recorded from a real one.

MLflow cannot be installed beside the SQLAlchemy of this project.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

RUN = "3da5cca8cf874534954a4966a70e03fe"
FILES = {"MLmodel": b"flavors: {}\n", "model.onnx": b"\x08\x08weights", "sub/extra.bin": b"e"}


def _version(number: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "old",
        "version": number,
        "creation_timestamp": 1795712586716,
        "current_stage": "None",
        "description": "",
        "source": f"models:/m-{number}",
        "run_id": RUN,
        "status": "READY",
        "run_link": "",
        **more,
    }


# In the order in which MLflow gives them: last changed, first.
VERSIONS = [
    _version("2", description="second try"),
    _version("4", status="FAILED_REGISTRATION"),
    _version("3", run_id=""),
    _version("1", tags=[{"key": "note", "value": "first"}]),
]
_RUN = {
    "info": {"run_id": RUN, "status": "FINISHED", "lifecycle_stage": "active"},
    "data": {
        "metrics": [{"key": "val/accuracy", "value": 0.91, "timestamp": 1, "step": 0}],
        "params": [{"key": "lr", "value": "0.2"}],
        "tags": [
            {"key": "mlflow.user", "value": "root"},
            {"key": "team", "value": "ocr"},
        ],
    },
}
_MISSING = {
    "error_code": "RESOURCE_DOES_NOT_EXIST",
    "message": "Registered Model with name=nope not found",
}


def _answer(method: str, values: dict[str, str]) -> tuple[int, Any]:
    if method == "mlflow/registered-models/get":
        if values["name"] != "old":
            return 404, _MISSING
        aliases = [{"alias": "champion", "version": "2"}, {"alias": "trial", "version": "4"}]
        return 200, {"registered_model": {"name": "old", "aliases": aliases}}
    if method == "mlflow/model-versions/search":
        # Two pages.
        if values.get("page_token"):
            return 200, {"model_versions": VERSIONS[2:]}
        return 200, {"model_versions": VERSIONS[:2], "next_page_token": "more"}
    if method == "mlflow/model-versions/get-download-uri":
        return 200, {"artifact_uri": f"mlflow-artifacts:/0/models/m-{values['version']}/artifacts"}
    if method == "mlflow/runs/get":
        return 200, {"run": _RUN}
    if method == "mlflow-artifacts/artifacts":
        below = values["path"].partition("/artifacts")[2].strip("/")
        return 200, {"files": list(_listing(below))} if _listing(below) else {}
    path = unquote(method.removeprefix("mlflow-artifacts/artifacts/"))
    return 200, FILES[path.partition("/artifacts/")[2]]


def _listing(below: str) -> list[dict[str, Any]]:
    if below == "sub":
        return [{"path": "extra.bin", "is_dir": False, "file_size": 1}]
    return [
        {"path": "model.onnx", "is_dir": False, "file_size": 9},
        {"path": "MLmodel", "is_dir": False, "file_size": 12},
        {"path": "sub", "is_dir": True},
    ]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        values = {key: each[0] for key, each in parse_qs(url.query).items()}
        status, answer = _answer(url.path.removeprefix("/api/2.0/"), values)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def mlflow_server() -> Iterator[str]:
    """Serve on the loopback interface; yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
