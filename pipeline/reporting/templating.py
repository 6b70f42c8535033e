"""The templates of reports and model cards."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.reporting.text import moment


@cache
def environment(*, autoescape: bool) -> Environment:
    """Return the environment of the templates, with filters for times and numbers.

    Parameters
    ----------
    autoescape : bool
        Whether values are escaped, as in HTML.
    """
    templates = Environment(
        loader=PackageLoader("pipeline.reporting"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
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
