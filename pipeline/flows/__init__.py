"""Everything that imports Prefect: the jobs as flows, their deployments, and the server."""
