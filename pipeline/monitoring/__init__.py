"""What people should know: runs of jobs, and messages on their way to whoever reads them."""
