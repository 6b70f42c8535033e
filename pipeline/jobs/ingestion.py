"""Ingestion: download → convert."""

from pipeline.data import mnist
from pipeline.data.preparation import DataReference, convert, download
from pipeline.monitoring.runs import recorded
from pipeline.settings import Settings, load_settings


@recorded("ingest", lambda _data: ("completed", "The data is verified."))
def ingest(*, settings: Settings | None = None) -> DataReference:
    """Make sure that MNIST is in the data directory as verified Parquet files.

    The directory gets ``train.parquet``, ``test.parquet`` and, in ``idx/``, the files that they
    are made from. Files that are valid already are kept.

    Parameters
    ----------
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    NoMirrorLeftError
        If every source of a file failed.
    """
    settings = settings or load_settings()
    download(settings.data, settings.mirrors, mnist.MNIST)
    return convert(settings.data, mnist.MNIST)
