"""Everything that imports Prefect: the jobs as flows, their deployments, the server."""
