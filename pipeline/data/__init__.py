"""The training data: MNIST and the user's own labelled images, verified and as Parquet."""
