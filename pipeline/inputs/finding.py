"""Finding the images of the inputs."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from pipeline.errors import InputError, OutputError
from pipeline.images.decoding import SUFFIXES
from pipeline.inputs import parquet_rows
from pipeline.inputs.globbing import (
    EVERYTHING,
    ListedFile,
    Pattern,
    change_stamp,
    is_pattern,
    split_pattern,
    suffix,
    walk,
)
from pipeline.inputs.image_files import ImageFiles, label_table
from pipeline.inputs.labels import FILE_NAME as LABEL_TABLE
from pipeline.inputs.labels import LabelTable, path_key
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.source import WorkItem
from pipeline.inputs.stores import FileType, Location, Store, locate, open_store

_log = logging.getLogger(__name__)

_EXPECTED = f"image files ({', '.join(sorted(SUFFIXES))}) or Parquet files"


def input_list(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> tuple[str, ...]:
    """Return one input or several as a tuple of strings.

    Raises
    ------
    InputError
        If there is none.
    """
    given = (inputs,) if isinstance(inputs, str | os.PathLike) else tuple(inputs)
    if not given:
        raise InputError(f"Expected directories or files to score ({_EXPECTED}), got none.")
    return tuple(os.fspath(each) for each in given)


def check_inputs(inputs: Sequence[str], output: Path) -> None:
    """Check that each input has images, and that the output is not inside a Parquet data set.

    Raises
    ------
    InputError
        If an input cannot be read, or has no images.
    OutputError
        If the predictions would become part of an input.
    """
    for given in inputs:
        first = next(_work_items(given, is_only_input=len(inputs) == 1))
        location = locate(given)
        if (
            isinstance(first.source, ParquetRows)
            and not location.store
            and output.resolve().is_relative_to(Path(location.path).resolve())
        ):
            raise OutputError(
                f"{output}: expected a directory outside the Parquet data set {given}, or the "
                "predictions would become part of it."
            )


def work_items(inputs: Sequence[str]) -> Iterator[WorkItem]:
    """List the images of the inputs, one input after another.

    An input is a file, a directory or a pattern. A path or ``file://…`` is on this machine; any
    other address is in an object store. A directory or a pattern stands for its image files or,
    if there are none, for its Parquet files. The paths of the images are relative if the only
    input is a directory; otherwise they begin with the input.

    Raises
    ------
    InputError
        If an input cannot be read, or has no images.
    """
    for given in inputs:
        yield from _work_items(given, is_only_input=len(inputs) == 1)


def absolute_addresses(inputs: Sequence[str]) -> list[str]:
    """Return the addresses of inputs, independent of the working directory."""
    locations = map(locate, inputs)
    return [location.store or location.path for location in locations]


def _work_items(given: str, *, is_only_input: bool) -> Iterator[WorkItem]:
    location = locate(given)
    store = open_store(location.store)
    file_type = store.file_type(location.path)
    if file_type is FileType.FILE:
        return _of_file(store, location)
    if file_type is FileType.DIRECTORY:
        is_relative = is_only_input and not location.store
        prefix = "" if is_relative else f"{location.display.rstrip('/')}/"
        table, sha256 = label_table(location.store, location.path) or (None, None)
        files = ImageFiles(
            location.store, location.path, prefix, confined=True, label_table_sha256=sha256
        )
        items = _of_directory(store, location.display, files, EVERYTHING)
        return items if table is None else _with_warnings(items, table, location.display)
    if is_pattern(location.path):
        directory, pattern = split_pattern(location.path)
        prefix = location.display.removesuffix(pattern)
        if store.file_type(directory) is FileType.DIRECTORY:
            files = ImageFiles(location.store, directory, prefix, confined=False)
            return _of_directory(store, location.display, files, Pattern(pattern))
    bucket = location.path.partition("/")[0]
    got = "nothing there"
    if location.store and store.file_type(bucket) is FileType.NOT_FOUND:
        got = f"no such bucket as {bucket}"
    raise InputError(f"{location.display}: expected {_EXPECTED}, got {got}.")


def _of_file(store: Store, location: Location) -> Iterator[WorkItem]:
    stamp = change_stamp(location.display, store.status(location.path))
    if suffix(location.path) == parquet_rows.SUFFIX:
        rows = ParquetRows(location.store, location.path, location.display)
        yield from _not_empty(parquet_rows.work_items(rows, stamp), location.display)
        return
    directory, _, name = location.path.rpartition("/")
    prefix = location.display.removesuffix(name)
    yield WorkItem(ImageFiles(location.store, directory, prefix, confined=False), name, 1, stamp)


def _of_directory(
    store: Store, display: str, files: ImageFiles, pattern: Pattern
) -> Iterator[WorkItem]:
    """Yield the image files below a directory; if there are none, the rows of Parquet files."""
    images = walk(store.scan, files.directory, pattern, SUFFIXES)
    if first := next(images, None):
        prefix = os.fsencode(files.prefix)
        has_table = files.label_table_sha256 is not None
        in_labels = files if has_table else replace(files, label_directories=True)
        for image in chain([first], images):
            source = in_labels if image.label else files
            yield WorkItem(source, image.name, 1, prefix + image.change_stamp)
        return
    tables = walk(store.scan, files.directory, pattern, {parquet_rows.SUFFIX})
    rows = (_of_table(files, table) for table in tables)
    yield from _not_empty(chain.from_iterable(rows), display)


def _with_warnings(
    items: Iterator[WorkItem], table: LabelTable, directory: str
) -> Iterator[WorkItem]:
    """Yield the images of a directory, then tell which rows of its label table are of no use."""
    unmatched = set(table.labels)
    for item in items:
        if isinstance(item.source, ImageFiles):
            unmatched.discard(path_key(item.key))
        yield item
    where = f"{directory}/{LABEL_TABLE}"
    if unmatched:
        rows = f"{where}: {len(unmatched):,} of {len(table.labels):,} labels name no image here"
        _log.warning("%s, such as %r.", rows, min(unmatched))
    if table.unlabelled:
        _log.warning("%s: %s paths have no label.", where, f"{table.unlabelled:,}")


def _of_table(files: ImageFiles, table: ListedFile) -> Iterator[WorkItem]:
    path = f"{files.directory}/{table.name}"
    rows = ParquetRows(files.store, path, files.prefix + table.name)
    stamp = os.fsencode(files.prefix) + table.change_stamp
    return parquet_rows.work_items(rows, stamp, leave_out_predictions=True)


def _not_empty(items: Iterator[WorkItem], display: str) -> Iterator[WorkItem]:
    first = next(items, None)
    if first is None:
        raise InputError(f"{display}: expected {_EXPECTED}, got none, or none with a row.")
    yield from chain([first], items)
