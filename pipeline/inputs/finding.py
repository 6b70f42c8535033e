"""What there is to score where the user points."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from pipeline.errors import InputError, OutputError
from pipeline.images.decoding import SUFFIXES
from pipeline.inputs import parquet_rows
from pipeline.inputs.globbing import (
    EVERYTHING,
    Found,
    Pattern,
    cut,
    is_pattern,
    stamp,
    suffix,
    walk,
)
from pipeline.inputs.image_files import ImageFiles, digest_of_labels
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.source import Piece
from pipeline.inputs.stores import Kind, Place, Store, locate, open_store

_EXPECTED = f"image files ({', '.join(sorted(SUFFIXES))}) or Parquet files"


def several(inputs: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """Return inputs, be there one or many."""
    every = (inputs,) if isinstance(inputs, str | Path) else tuple(inputs)
    if not every:
        raise InputError(f"Expected directories or files to score ({_EXPECTED}), got none.")
    return tuple(map(str, every))


def require(inputs: Sequence[str], output: Path) -> None:
    """Make sure that each has something to score, and that what comes of it is no part of it.

    Raises
    ------
    InputError
    OutputError
    """
    for given in inputs:
        first = next(_pieces(given, is_alone=len(inputs) == 1))
        place = locate(given)
        if (
            isinstance(first.source, ParquetRows)
            and not place.store
            and output.absolute().is_relative_to(place.path)
        ):
            raise OutputError(
                f"{output}: expected a place outside of the Parquet data set {given}, of which "
                "the predictions would become a part."
            )


def pieces(inputs: Sequence[str]) -> Iterator[Piece]:
    """List what is to be scored, input after input.

    An input that is a path or ``file://…`` is of this machine, another address of an object
    store. It is a file, a directory, or a pattern. Of a directory or a pattern the image files
    are taken; where there is none, the Parquet files. Paths in what comes of it are relative
    where one directory is all that was given; otherwise they begin as the input does.

    Raises
    ------
    InputError
        Where an input cannot be read, or has nothing to score.
    """
    for given in inputs:
        yield from _pieces(given, is_alone=len(inputs) == 1)


def addresses(inputs: Sequence[str]) -> list[str]:
    """Return where inputs are, whatever the working directory."""
    places = map(locate, inputs)
    return [place.store or place.path for place in places]


def _pieces(given: str, *, is_alone: bool) -> Iterator[Piece]:
    place = locate(given)
    store = open_store(place.store)
    kind = store.kind_of(place.path)
    if kind is Kind.FILE:
        return _of_file(store, place)
    if kind is Kind.DIRECTORY:
        prefix = "" if is_alone and not place.store else f"{place.shown.rstrip('/')}/"
        labels = digest_of_labels(place.store, place.path)
        files = ImageFiles(place.store, place.path, prefix, confined=True, labels=labels)
        return _below(store, place.shown, files, EVERYTHING)
    if is_pattern(place.path):
        directory, pattern = cut(place.path)
        shown = place.shown.removesuffix(pattern)
        if store.kind_of(directory) is Kind.DIRECTORY:
            files = ImageFiles(place.store, directory, shown, confined=False)
            return _below(store, place.shown, files, Pattern(pattern))
    bucket = place.path.partition("/")[0]
    got = "nothing there"
    if place.store and store.kind_of(bucket) is Kind.NOTHING:
        got = f"no such bucket as {bucket}"
    raise InputError(f"{place.shown}: expected {_EXPECTED}, got {got}.")


def _of_file(store: Store, place: Place) -> Iterator[Piece]:
    found = stamp(place.shown, store.status(place.path))
    if suffix(place.path) == parquet_rows.SUFFIX:
        rows = ParquetRows(place.store, place.path, place.shown)
        yield from _some(parquet_rows.pieces(rows, found), place.shown)
        return
    directory, _, name = place.path.rpartition("/")
    files = ImageFiles(place.store, directory, place.shown.removesuffix(name), confined=False)
    yield Piece(files, name, 1, found)


def _below(store: Store, shown: str, files: ImageFiles, pattern: Pattern) -> Iterator[Piece]:
    """Yield the image files; where there is none, the row groups of Parquet files."""
    images = walk(store.scan, files.directory, pattern, SUFFIXES)
    if first := next(images, None):
        prefix = os.fsencode(files.prefix)
        for found in chain([first], images):
            yield Piece(files, found.name, 1, prefix + found.stamp)
        return
    tables = walk(store.scan, files.directory, pattern, {parquet_rows.SUFFIX})
    every = (_of_table(files, found) for found in tables)
    yield from _some(chain.from_iterable(every), shown)


def _of_table(files: ImageFiles, found: Found) -> Iterator[Piece]:
    path = f"{files.directory}/{found.name}"
    rows = ParquetRows(files.store, path, files.prefix + found.name)
    return parquet_rows.pieces(rows, os.fsencode(files.prefix) + found.stamp)


def _some(found: Iterator[Piece], shown: str) -> Iterator[Piece]:
    first = next(found, None)
    if first is None:
        raise InputError(f"{shown}: expected {_EXPECTED}, got none, or none with a row.")
    yield from chain([first], found)
