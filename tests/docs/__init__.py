"""The manual: its blocks of Python, its notebooks and its reference, run."""
