"""The templates of reports and model cards."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.reporting.text import moment


def templates_of(
    package: str, *, autoescape: bool, keep_trailing_newline: bool = False
) -> Environment:
    """Return an environment of the templates of a package, in which a missing value is an error.

    Parameters
    ----------
    package : str
    autoescape : bool
        Whether values are escaped, as in HTML.
    keep_trailing_newline : bool
        Whether a newline at the end of a template stays.
    """
    return Environment(
        loader=PackageLoader(package),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_trailing_newline,
    )


@cache
def environment(*, autoescape: bool) -> Environment:
    """Return the environment of the templates, with filters for times and numbers.

    Parameters
    ----------
    autoescape : bool
        Whether values are escaped, as in HTML.
    """
    templates = templates_of(
        "pipeline.reporting", autoescape=autoescape, keep_trailing_newline=True
    )
    templates.filters |= {
        "cell": _cell,
        "moment": moment,
        "fixed": "{:.4f}".format,
        "thousands": "{:,}".format,
        "percent": "{:.2%}".format,
    }
    return templates


def _cell(value: object) -> str:
    """Return a value for a cell of a table, in which nothing is markup."""
    text = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""
