"""The gate: the checks a candidate must pass before it becomes a version."""
