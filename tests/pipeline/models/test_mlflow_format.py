"""A version as a directory that MLflow loads (tried with MLflow 3.17 by hand)."""

import json

import numpy as np
import onnxruntime
import yaml

from pipeline import Classifier


def test_the_directory_has_what_pyfunc_needs(digits, version, tmp_path):
    ended = digits("export", "1", tmp_path / "model", "--format", "mlflow")
    assert ended.out == f"mnist/1 in {tmp_path / 'model'}, without normalization.\n"
    description = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    flavor = description["flavors"]["python_function"]
    assert flavor["loader_module"] == "mlflow.onnx"
    (images,) = json.loads(description["signature"]["inputs"])
    assert images["tensor-spec"] == {"dtype": "uint8", "shape": [-1, 784]}
    assert description["metadata"]["sha256"] == version.sha256
    session = onnxruntime.InferenceSession(tmp_path / "model" / flavor["data"])
    image = np.eye(28, dtype=np.uint8).reshape(1, 784) * 200
    (probabilities,) = session.run(None, {"images": image})
    expected = Classifier.load("mnist/1").network.predict_proba(image)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_a_directory_with_something_in_it_is_left_alone(digits, version, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    ended = digits("export", "1", tmp_path / "model", "--format", "mlflow")
    assert ended.status == 2
    assert "expected an empty directory" in ended.err
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine"]


def test_an_onnx_file_names_its_version(digits, version, tmp_path):
    assert digits("export", "@champion", tmp_path / "m.onnx", "--format", "onnx").status == 0
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.get_modelmeta().custom_metadata_map == {
        "reference": "mnist/1",
        "sha256": version.sha256,
    }
