"""Finding the images of the inputs."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

from pipeline.errors import InputError, OutputError
from pipeline.images.decoding import SUFFIXES
from pipeline.inputs.data_sets import DataSetFile, data_set_items, unusable
from pipeline.inputs.globbing import (
    EVERYTHING,
    FileType,
    Filters,
    Pattern,
    change_stamp,
    is_pattern,
    split_pattern,
    walk,
)
from pipeline.inputs.image_files import ImageFiles, label_table
from pipeline.inputs.kinds import (
    ARCHIVES,
    DATA_SETS,
    Kind,
    Kinds,
    kind_of_content,
    kind_of_name,
    suffix_of,
)
from pipeline.inputs.labels import FILE_NAME as LABEL_TABLE
from pipeline.inputs.labels import LabelTable, path_key
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.selection import (
    DIRECTORIES,
    EVERYTHING_SELECTED,
    FOLDERS,
    NO_SUFFIX,
    ListingNotes,
    Selection,
)
from pipeline.inputs.source import UnusableError, WorkItem
from pipeline.inputs.stores import Location, Store, archive_address, locate, open_store

_log = logging.getLogger(__name__)

_EXPECTED = (
    f"image files ({', '.join(sorted(SUFFIXES))}), Parquet files, or other data sets "
    "(.csv of pixels, .npy, .npz, IDX, .zip, .tar)"
)


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


def check_inputs(
    inputs: Sequence[str], output: Path, selection: Selection = EVERYTHING_SELECTED
) -> None:
    """Check that each input has images, and that the output is not inside a Parquet data set.

    Raises
    ------
    InputError
        If an input cannot be read, or has no images.
    OutputError
        If the predictions would become part of an input.
    """
    for given in inputs:
        search = _Search(selection, ListingNotes())
        first = next(search.items(given, is_only_input=len(inputs) == 1))
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


def work_items(
    inputs: Sequence[str],
    selection: Selection = EVERYTHING_SELECTED,
    notes: ListingNotes | None = None,
) -> Iterator[WorkItem]:
    """List the images of the inputs, one input after another.

    An input is a file, a directory or a pattern. A path or ``file://…`` is on this machine; any
    other address is in an object store. A directory or a pattern stands for its image files or,
    if there are none, for its data sets: Parquet, arrays, tables of pixels, archives of images.
    The paths of the images are relative if the only input is a directory; otherwise they begin
    with the input.

    Parameters
    ----------
    inputs : sequence of str
    selection : Selection, optional
    notes : ListingNotes, optional
        Gets what is left out and what was taken for labels, while the images are listed.

    Raises
    ------
    InputError
        If an input cannot be read, or has no images.
    """
    search = _Search(selection, notes or ListingNotes())
    for given in inputs:
        yield from search.items(given, is_only_input=len(inputs) == 1)


def absolute_addresses(inputs: Sequence[str]) -> list[str]:
    """Return the addresses of inputs, independent of the working directory."""
    locations = map(locate, inputs)
    return [location.store or location.path for location in locations]


@dataclass(frozen=True, slots=True)
class _Search:
    """Lists the images of inputs."""

    selection: Selection
    notes: ListingNotes

    def items(self, given: str, *, is_only_input: bool) -> Iterator[WorkItem]:
        """Return the images of an input."""
        location = _existing(given)
        store = open_store(location.store)
        file_type = store.file_type(location.path)
        if file_type is FileType.FILE:
            return _not_empty(self._of_file(store, location), location.display)
        if file_type is FileType.DIRECTORY:
            is_relative = is_only_input and not location.store
            prefix = "" if is_relative else f"{location.display.rstrip('/')}/"
            return _not_empty(
                self._of_directory(location.store, location.path, prefix, location.display),
                location.display,
            )
        if is_pattern(location.path):
            directory, pattern = split_pattern(location.path)
            prefix = location.display.removesuffix(pattern)
            if store.file_type(directory) is FileType.DIRECTORY:
                files = ImageFiles(location.store, directory, prefix, confined=False)
                items = self._of_files(store, files, Pattern(pattern), DATA_SETS)
                return _not_empty(items, location.display)
        bucket = location.path.partition("/")[0]
        problem = "no such file or directory"
        if is_pattern(location.path):
            problem = "no images match the pattern"
        if location.store and store.file_type(bucket) is FileType.NOT_FOUND:
            problem = f"no such bucket as {bucket}"
        raise InputError(f"{location.display}: {problem}. Expected {_EXPECTED}.")

    def _of_file(self, store: Store, location: Location) -> Iterator[WorkItem]:
        stamp = change_stamp(store.status(location.path))
        directory, _, name = location.path.rpartition("/")
        kind = kind_of_name(name)
        if kind is None:
            (head,) = store.heads(directory, [name])
            kind = kind_of_content(name, head)
        if kind not in (None, Kind.IMAGE):
            file = DataSetFile(kind, location.store, location.path, location.display, stamp)
            yield from self._of_data_set(file, is_named=True)
            return
        prefix = location.display.removesuffix(name)
        source = ImageFiles(location.store, directory, prefix, confined=False)
        yield WorkItem(source, name, 1, stamp)

    def _of_directory(
        self, address: str, directory: str, prefix: str, display: str, data_sets: Kinds = DATA_SETS
    ) -> Iterator[WorkItem]:
        """Yield what is in a directory, with the labels of a table in it."""
        table = sha256 = None
        if self.selection.labels != FOLDERS:
            table, sha256 = label_table(address, directory) or (None, None)
        files = ImageFiles(address, directory, prefix, confined=True, label_table_sha256=sha256)
        items = self._of_files(open_store(address), files, EVERYTHING, data_sets)
        if table is None:
            return items
        self.notes.label_sources.add(LABEL_TABLE)
        return self._with_warnings(items, table, display)

    def _of_files(
        self, store: Store, files: ImageFiles, pattern: Pattern, data_sets: Kinds
    ) -> Iterator[WorkItem]:
        """Yield the image files below a directory; if there are none, the images of data sets."""
        notes = ListingNotes()
        takes = partial(_taken, store, frozenset((Kind.IMAGE,)))
        filters = Filters(self.selection, notes, takes)
        images = walk(store.scan, files.directory, pattern, SUFFIXES, filters)
        if first := next(images, None):
            has_table = files.label_table_sha256 is not None
            in_labels = files if has_table else replace(files, label_directories=True)
            for image in chain([first], images):
                source = in_labels if image.label else files
                stamp = image.change_stamp() if files.store else None
                yield WorkItem(source, image.name, 1, stamp)
                if image.label and not has_table:
                    notes.label_sources.add(DIRECTORIES)
            if has_table:
                notes.not_labels.clear()
                notes.left_out.subtract({".csv": 1})
            self.notes.add(notes)
            return
        filters = Filters(self.selection, self.notes, partial(_taken, store, data_sets))
        for table in walk(store.scan, files.directory, pattern, (), filters):
            stamp = table.change_stamp()
            path = f"{files.directory}/{table.name}"
            kind = _kind_of(store, path)
            if kind is not None and stamp is not None:
                file = DataSetFile(kind, files.store, path, files.prefix + table.name, stamp)
                yield from self._of_data_set(file, is_named=False)

    def _of_data_set(self, file: DataSetFile, *, is_named: bool) -> Iterator[WorkItem]:
        """Yield the images of a data set; of one that has none, count it if it was not named."""
        if file.kind in ARCHIVES:
            items = self._of_archive(file)
        else:
            items = data_set_items(file, is_named=is_named)
        first = next(items, None)
        if first is None:
            self.notes.left_out[suffix_of(file.path) or NO_SUFFIX] += 1
            return
        yield from chain([first], items)

    def _of_archive(self, file: DataSetFile) -> Iterator[WorkItem]:
        address = archive_address(file.kind, file.store, file.path)
        try:
            store = open_store(address)
        except UnusableError as error:
            yield unusable(file, str(error))
            return
        # Many archives hold a single directory, with everything in it.
        directory = ""
        while len(entries := list(islice(store.scan(directory), 2))) == 1 and entries[0].is_dir():
            directory = f"{directory}/{entries[0].name}"
        display = file.display + directory
        yield from self._of_directory(
            address, directory, f"{display}/", display, data_sets=DATA_SETS - ARCHIVES
        )

    def _with_warnings(
        self, items: Iterator[WorkItem], table: LabelTable, directory: str
    ) -> Iterator[WorkItem]:
        """Yield the images of a directory, then tell which labels of its table are of no use."""
        unmatched = set(table.labels)
        pages: dict[str, list[str]] = {}
        for key in table.labels:
            file, mark, number = key.rpartition("#")
            if mark and number.isdecimal():
                pages.setdefault(file, []).append(key)
        for item in items:
            if isinstance(item.source, ImageFiles):
                key = path_key(item.key)
                unmatched.discard(key)
                unmatched.difference_update(pages.get(key, ()))
            yield item
        where = f"{directory}/{LABEL_TABLE}"
        self.notes.unmatched_labels += len(unmatched)
        if unmatched:
            rows = f"{where}: {len(unmatched):,} of {len(table.labels):,} labels name no image here"
            _log.warning("%s, such as %r.", rows, min(unmatched))
        if table.unlabelled:
            _log.warning("%s: %s paths have no label.", where, f"{table.unlabelled:,}")


def _existing(given: str) -> Location:
    """Return the location of an input; of an address with ``%41`` the one that exists."""
    location = locate(given)
    if location.store and "%" in given:
        path, mark, options = given.partition("?")
        literal = locate(path.replace("%", "%25") + mark + options)
        types = [open_store(each.store).file_type(each.path) for each in (location, literal)]
        if types[0] is FileType.NOT_FOUND and types[1] is not FileType.NOT_FOUND:
            return literal
    return location


def _taken(store: Store, kinds: Kinds, directory: str, names: Sequence[str]) -> frozenset[str]:
    """Return which files are of some kinds, by their names or their first bytes."""
    unknown = [name for name in names if kind_of_name(name) is None]
    heads = zip(unknown, store.heads(directory, unknown), strict=True)
    by_content = [name for name, head in heads if kind_of_content(name, head) in kinds]
    return frozenset([name for name in names if kind_of_name(name) in kinds] + by_content)


def _kind_of(store: Store, path: str) -> Kind | None:
    """Return the kind of a file, by its name or its first bytes."""
    directory, _, name = path.rpartition("/")
    kind = kind_of_name(name)
    return kind or kind_of_content(name, next(store.heads(directory, [name])))


def _not_empty(items: Iterator[WorkItem], display: str) -> Iterator[WorkItem]:
    first = next(items, None)
    if first is None:
        problem = "no images match the pattern" if is_pattern(display) else "no images in there"
        raise InputError(f"{display}: {problem}. Expected {_EXPECTED}.")
    yield from chain([first], items)
