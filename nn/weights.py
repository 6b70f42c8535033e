"""Weights as bytes: the safetensors format, in a canonical form.

Safetensors hold numbers and text, nothing that can be executed. The library reads them. This
module writes them itself, because the library writes metadata in random order: equal weights
would have different digests.

Layout (https://github.com/huggingface/safetensors): the length of the header as 8 bytes, little
endian; the header, JSON, padded with spaces to a multiple of 8; the tensors, back to back.
"""

import json
from collections.abc import Mapping

import numpy as np
import safetensors
from numpy.typing import NDArray

from nn.errors import WeightsError

Tensors = dict[str, NDArray[np.float32]]


def write(tensors: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]) -> bytes:
    """Return tensors and metadata as bytes; equal ones give equal bytes."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    chunks = []
    offset = 0
    for name in sorted(tensors):
        chunk = np.ascontiguousarray(tensors[name], dtype="<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + len(chunk)],
        }
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def read(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors and the metadata.

    Raises
    ------
    WeightsError
        If the bytes are damaged, of another format, or hold anything but float32.
    """
    try:
        entries = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise WeightsError(f"not a safetensors file ({error})") from None
    tensors: Tensors = {}
    for name, entry in entries:
        if entry["dtype"] != "F32":
            raise WeightsError(f"tensor {name!r} is {entry['dtype']}, expected F32")
        values = np.frombuffer(entry["data"], dtype="<f4").reshape(entry["shape"])
        tensors[name] = values.astype(np.float32)
    # The library has validated the header, but does not return its metadata.
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
    return tensors, metadata
