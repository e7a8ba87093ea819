"""The head of a ladder small enough to train in seconds: stages follow; `{corpus}` is to be filled in."""

from __future__ import annotations

HEAD = """
name = "tiny"
corpus = "{corpus}"
hardware = "test"

[shape]
depth = 1
mlp_ratio = 2

[recipe]
context = 32
batch_windows = 4
warmup_tokens = 512
lr = 0.01

"""
