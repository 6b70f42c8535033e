"""The formats of the extra `formats`: HEIC through pillow-heif, PDF through pypdfium2."""

import io
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_HEIC = "HEIC needs digits-pipeline[formats]"
NO_PDF = "PDF needs digits-pipeline[formats]"
BAD_HEIC = "damaged HEIC image"
BAD_PDF = "damaged or locked PDF"

# Dots per inch at which a page is drawn: a scanner's usual resolution.
_RESOLUTION = 200
_POINTS_PER_INCH = 72

# PDFium must not be called by two threads at once.
_pdfium = Lock()


class ExtraError(Exception):
    """An image of these formats cannot be decoded; the text is the reason."""


def heic(data: bytes, max_pixels: int) -> NDArray[Any] | None:
    """Return the pixels of a HEIC image, upright, as OpenCV orders them; None if there are more.

    Raises
    ------
    ExtraError
        If it is damaged, or pillow-heif is not installed.
    """
    library = _required("pillow_heif", NO_HEIC)
    try:
        image = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        width, height = image.size
        if width * height > max_pixels:
            return None
        pixels = np.asarray(image)
    except (ValueError, EOFError, OSError, RuntimeError, SyntaxError):
        raise ExtraError(BAD_HEIC) from None
    if pixels.ndim == 2:
        return pixels
    # Red and blue change places; alpha stays last.
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[:, :, order])


def pdf_pages(data: bytes, max_pixels: int) -> Iterator[NDArray[np.uint8] | None]:
    """Yield each page of a PDF as grey pixels; None for a page that would have more.

    Raises
    ------
    ExtraError
        If it is damaged or has a password, or pypdfium2 is not installed.
    """
    library = _required("pypdfium2", NO_PDF)
    try:
        with _pdfium:
            document = library.PdfDocument(data)
        with closing(_Locked(document)):
            if not len(document):
                raise ExtraError(BAD_PDF)
            for number in range(len(document)):
                with _pdfium:
                    pixels = _drawn(document[number], max_pixels)
                yield pixels
    except library.PdfiumError:
        raise ExtraError(BAD_PDF) from None


def _drawn(page: Any, max_pixels: int) -> NDArray[np.uint8] | None:
    scale = _RESOLUTION / _POINTS_PER_INCH
    width, height = page.get_size()
    with closing(page):
        if width * height * scale**2 > max_pixels:
            return None
        with closing(page.render(scale=scale, grayscale=True)) as bitmap:
            pixels: NDArray[np.uint8] = bitmap.to_numpy().copy()
    return pixels.reshape(pixels.shape[:2])


class _Locked:
    """Closes a document of PDFium under the lock."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def close(self) -> None:
        with _pdfium:
            self._document.close()


def _required(name: str, reason: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise ExtraError(reason) from None
