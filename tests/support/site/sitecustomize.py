"""Makes MNIST the sample in every Python process that has this directory on its path.

A served flow runs in a process of its own, where nothing that a test patched is left. Variables of
the environment make retrainings brief (see `brief_retrainings`) and shards small (SHARD_SIZE).
"""

import os

from mnist_sample import SAMPLE

from pipeline.data import mnist

mnist.MNIST = SAMPLE

if "BRIEF_RETRAININGS" in os.environ:
    import brief_retrainings

    brief_retrainings.apply_variable()

if "SHARD_SIZE" in os.environ:
    from pipeline.scoring import listing

    listing._SHARD_SIZE = int(os.environ["SHARD_SIZE"])
