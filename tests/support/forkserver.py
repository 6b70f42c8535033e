"""Processes that start at once: copies of a server that has imported everything.

No thread and no lock of the tests comes along. There is one such server in a process of tests, so
everything that any of them needs is named here.
"""

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "email.parser",
        "pipeline.cli.app",
        "pipeline.cli.progress_display",
        "pipeline.flows.deployments",
        "pipeline.reporting.tables",
        "psycopg.types.json",
        "pytest",
        "registry.databases.postgresql",
        "registry.databases.sqlite",
        "registry.migrations",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite.pysqlite",
    ]
)
