"""A version as a directory that ``mlflow.pyfunc.load_model`` loads, without `digits`."""

import json
from pathlib import Path

from nn import NeuralNetwork
from pipeline import files
from pipeline.errors import OutputError
from pipeline.models.onnx_format import to_onnx
from registry import ModelVersion

_MODEL = "model.onnx"
_REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")


def write_mlflow(network: NeuralNetwork, version: ModelVersion, directory: Path) -> None:
    """Write a network as an MLflow model, of the flavors ``onnx`` and ``python_function``.

    Its input is uint8, shape ``(n, 784)``: images like MNIST's. Normalization is not part of it.

    Parameters
    ----------
    network : NeuralNetwork
    version : ModelVersion
        The version it belongs to, whose record becomes metadata of the model.
    directory : Path
        It must be empty, or not there.

    Raises
    ------
    OutputError
        If something is in the directory, or it cannot be written.
    """
    import onnx

    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise OutputError(f"{directory}: expected an empty directory. Choose another one.")
        model = to_onnx(network, name=version.name)
        (directory / _MODEL).write_bytes(model.SerializeToString())
        (directory / "requirements.txt").write_text("\n".join((*_REQUIREMENTS, "")))
        description = _description(network, version, onnx.__version__)
        # JSON is YAML too. With this file, which is the last, the model is complete.
        with files.atomic_write(directory / "MLmodel") as temporary:
            temporary.write_text(json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"{directory} cannot be written ({error.strerror}).") from error


def _description(
    network: NeuralNetwork, version: ModelVersion, onnx_version: str
) -> dict[str, object]:
    return {
        "flavors": {
            "onnx": {
                "data": _MODEL,
                "onnx_version": onnx_version,
                "providers": ["CPUExecutionProvider"],
            },
            "python_function": {"data": _MODEL, "loader_module": "mlflow.onnx"},
        },
        "metadata": {
            "reference": version.reference,
            "sha256": version.sha256,
            "metrics": dict(version.metrics),
        },
        "signature": {
            "inputs": _tensor("images", "uint8", network.sizes[0]),
            "outputs": _tensor("probabilities", "float32", network.sizes[-1]),
        },
        "utc_time_created": f"{version.created_at:%Y-%m-%d %H:%M:%S.%f}",
    }


def _tensor(name: str, dtype: str, width: int) -> str:
    spec = {"dtype": dtype, "shape": [-1, width]}
    return json.dumps([{"name": name, "type": "tensor", "tensor-spec": spec}])
