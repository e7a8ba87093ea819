"""What a model costs: parameters, FLOPs, caches, memory and latency, from its dimensions alone.

This is the contents page. A kind of layer joins by having the methods of `kleiber.cost.part`: one small file (`attention.py`
is one), and a function in `config_transformer.py` or `config_hybrid.py` for the configurations that contain it. A device joins
as a row of `hardware.toml`, a reference model as a table of `models.toml`.
"""

from __future__ import annotations

from kleiber.cost.attention import Attention
from kleiber.cost.cache import Cache, bytes_of, cache
from kleiber.cost.config import MODEL_TYPES, from_config, read_config
from kleiber.cost.counting import CHINCHILLA, CHINCHILLA_TABLE, COUNTINGS, KLEIBER, PALM, Counting, find_counting
from kleiber.cost.efficiency import CALIBRATED, Efficiency, Practice
from kleiber.cost.experts import Experts
from kleiber.cost.feed_forward import FeedForward
from kleiber.cost.flops import Flops, decode_flops, flops, forward_flops, prefill_flops, train_flops
from kleiber.cost.hardware import Hardware, find_hardware, hardware, read_hardware
from kleiber.cost.latency import (
    Bound,
    Serving,
    decode_latency,
    devices_needed,
    prefill_latency,
    read_bytes,
    weight_bytes,
)
from kleiber.cost.latent import LatentAttention
from kleiber.cost.layouts import best_layout
from kleiber.cost.memory import Layout, TrainingMemory, stage_memory, training_memory
from kleiber.cost.models import ReferenceModel, find_model, model, models
from kleiber.cost.params import Params, params
from kleiber.cost.schedule import SCHEDULES, Schedule, find_schedule
from kleiber.cost.shape import FAMILIES, Block, Shape
from kleiber.cost.state_space import Mamba, Mamba2
from kleiber.cost.step import StepTime, step_time

LAYERS = (Attention, LatentAttention, FeedForward, Experts, Mamba2, Mamba)
"""Every kind of layer."""

__all__ = [
    "CALIBRATED",
    "CHINCHILLA",
    "CHINCHILLA_TABLE",
    "COUNTINGS",
    "FAMILIES",
    "KLEIBER",
    "LAYERS",
    "MODEL_TYPES",
    "PALM",
    "SCHEDULES",
    "Attention",
    "Block",
    "Bound",
    "Cache",
    "Counting",
    "Efficiency",
    "Experts",
    "FeedForward",
    "Flops",
    "Hardware",
    "LatentAttention",
    "Layout",
    "Mamba",
    "Mamba2",
    "Params",
    "Practice",
    "ReferenceModel",
    "Schedule",
    "Serving",
    "Shape",
    "StepTime",
    "TrainingMemory",
    "best_layout",
    "bytes_of",
    "cache",
    "decode_flops",
    "decode_latency",
    "devices_needed",
    "find_counting",
    "find_hardware",
    "find_model",
    "find_schedule",
    "flops",
    "forward_flops",
    "from_config",
    "hardware",
    "model",
    "models",
    "params",
    "prefill_flops",
    "prefill_latency",
    "read_bytes",
    "read_config",
    "read_hardware",
    "stage_memory",
    "step_time",
    "train_flops",
    "training_memory",
    "weight_bytes",
]
