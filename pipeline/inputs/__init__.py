"""Inputs: directories, files, patterns, Parquet and object stores, in any combination.

`finding` lists the images of the inputs as work items, each of an `ImageSource`. A shard holds
work items, and an image source reads the images of its own. There are two image sources: image
files (`image_files`) and rows of Parquet files (`parquet_rows`). Both may be on this machine or in
an object store (`stores`).
"""
