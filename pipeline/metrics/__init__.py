"""Numbers about predictions: counts, evaluations, drift, significance."""
