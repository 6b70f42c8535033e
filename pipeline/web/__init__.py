"""The pages and the HTTP API: everything that a browser or a program asks over HTTP.

Each page is a module with its routes, and has templates of its own; `pipeline.web.app` joins them.
What guards them all is in `pipeline.web.safety`.
"""
