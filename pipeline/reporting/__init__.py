"""Reports of the jobs: tables, Markdown, an HTML page, and pictures."""
