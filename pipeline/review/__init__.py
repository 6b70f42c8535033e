"""People's decisions about predictions: the queue of images to review, and what was decided.

There is one truth, the file of decisions (``decisions.jsonl``) in the directory of reviews. The
review page, Label Studio and edited tables add to it. Retraining reads it.
"""

REVIEWS = "reviews"
"""Given as labelled images, it means what reviewers have decided."""
