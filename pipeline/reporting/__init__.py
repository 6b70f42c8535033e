"""What people read about a job: tables, Markdown, an HTML page, pictures."""
