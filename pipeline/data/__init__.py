"""What is trained on: MNIST and the user's own labelled images, verified and as Parquet."""
