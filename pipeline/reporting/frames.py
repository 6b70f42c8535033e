"""Arrow tables on standard output: as CSV, or as a Parquet file."""

import io
import sys
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq


def write_frame(frame: pa.Table, form: Literal["csv", "parquet"]) -> None:
    """Write a table to standard output."""
    buffer = io.BytesIO()
    if form == "parquet":
        pq.write_table(frame, buffer)
    else:
        pyarrow.csv.write_csv(_flat(frame), buffer)
    sys.stdout.buffer.write(buffer.getvalue())
    sys.stdout.buffer.flush()


def _flat(frame: pa.Table) -> pa.Table:
    """Return a table whose lists of texts are joined by commas, because CSV has no lists."""
    for index, field in enumerate(frame.schema):
        if pa.types.is_list(field.type):
            joined = pc.binary_join(frame.column(index).combine_chunks(), ",")
            frame = frame.set_column(index, field.name, joined)
    return frame
