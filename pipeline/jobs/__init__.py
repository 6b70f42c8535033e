"""The jobs. Each module is one job, and its function reads as the order of its stages."""
