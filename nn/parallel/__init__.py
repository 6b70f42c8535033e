"""The processes that share one training.

Workers are processes that run the same training, step by step, on the same arrays in shared
memory. Each works on its own pieces, with BLAS limited to one thread, and waits for the others
after each phase.

Threads are slower: between two matrix products they wait for Python's global lock, which costs
more than a second core gains. BLAS threads are as fast on an idle machine, but they split every
product and spin until the last part is done: beside one busy process, two of them were slower
than one.
"""
