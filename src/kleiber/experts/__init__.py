"""Sparse models at scale: routing traces, the cluster they meet, where each expert sits and what that is worth."""
