"""What a user asks to score: directories, files, patterns, Parquet, object stores, in any mixture.

`finding` finds what there is and yields pieces, each of a `Source`; a shard holds pieces, and a
source reads the images of its own. There are two: image files (`image_files`) and the rows of
Parquet files (`parquet_rows`), both on this machine or in an object store (`stores`).
"""
