"""Sparse models at scale: from routing traces and a cluster to a placement, a schedule and a step time."""
