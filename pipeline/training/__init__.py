"""Training a candidate, and the records of how a retraining ended."""
