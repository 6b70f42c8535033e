"""The parts of a scoring: shards of images, their predictions, the summary, what to review."""
