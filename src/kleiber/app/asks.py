"""What may be asked: one typed request per question, whose fields are the options of the command behind it.

One idea: a request is checked for form here (types, lengths, ranges) and for sense by the function that answers it, which is the
command's; no rule is written twice. Quantities are text, as people type them: 70B, 1.4T, 5.76e23, 1000x.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Quantity = Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Formula = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Filter = Annotated[str, StringConstraints(max_length=2_000)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Id = Annotated[str, Field(min_length=1, max_length=80, description="An upload's id, or the SHA-256 of its bytes.")]


class Ask(BaseModel):
    """A request; a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid")

    def told(self) -> dict[str, Any]:
        """The request as data."""
        return self.model_dump(mode="json")


class Reading(Ask):
    """How a run table is read."""

    map: dict[Name, Name] = Field(default={}, max_length=60, description="Canonical name -> column, or a quantity.")
    where: Filter | None = Field(default=None, description='Keep these runs: "loss < 3.44 and params > 70M".')
    conventions: dict[Literal["params", "flops", "loss"], Name] = {}
    format: Name | None = None


class Fitting(Ask):
    """How a law is fitted."""

    law: Formula | None = Field(default=None, description="A law's name, or a formula. Default: chinchilla.")
    objective: Literal["huber_log", "squared_log", "squared", "absolute"] | None = None
    delta: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    fix: dict[Name, Number] = Field(default={}, max_length=40)
    starts: int | None = Field(default=None, ge=1, le=1_000)
    bootstrap: int | None = Field(default=None, ge=0, le=10_000)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    cluster: Name | None = None


class OfTable(Ask):
    """A question about an uploaded table."""

    table: Id
    reading: Reading = Reading()


class OfFit(OfTable):
    """A question about a law fitted to an uploaded table."""

    fitting: Fitting = Fitting()


class CheckAsk(OfFit):
    """`kleiber check`."""

    table_only: bool = False


class BacktestAsk(OfFit):
    """`kleiber backtest`."""

    laws: list[Formula] = Field(default=["chinchilla"], min_length=1, max_length=12)
    folds: int = Field(default=4, ge=1, le=12)


class ForecastAsk(OfFit):
    """`kleiber forecast`."""

    params: Quantity | None = None
    tokens: Quantity | None = None
    flops: Quantity | None = None
    at: dict[Name, Number] = Field(default={}, max_length=20)
    level: float = Field(default=0.95, ge=0.01, le=0.999)


class Life(Ask):
    """What makes it a plan for the whole life of a model; each field is an option of `kleiber plan`."""

    family: Text | None = None
    context: Quantity | None = None
    train_context: Quantity | None = None
    hardware: Name | None = None
    devices: Quantity | None = None
    price: Quantity | None = None
    max_memory_gb: Quantity | None = None
    max_ttft_ms: Quantity | None = None
    max_tpot_ms: Quantity | None = None
    unique_tokens: Text | None = None
    max_cost: Quantity | None = None
    max_gpu_hours: Quantity | None = None
    deadline_days: Quantity | None = None
    output_share: float | None = Field(default=None, gt=0, le=1)
    minimise: Literal["loss", "money", "time", "energy"] | None = None
    loss_target: Quantity | None = None
    vocabulary: Quantity | None = None
    precision: Text | None = None
    mfu: float | None = Field(default=None, gt=0, le=1)
    also: list[Formula] = Field(default=[], max_length=6)
    family_fit: dict[Name, Id] = Field(
        default={}, max_length=6, description="Family -> a table of that family's own runs."
    )


class PlanAsk(OfFit):
    """`kleiber plan`."""

    flops: Quantity | None = None
    serve_tokens: Quantity | None = None
    max_params: Quantity | None = None
    max_tokens: Quantity | None = None
    at: dict[Name, Number] = Field(default={}, max_length=20)
    near: float = Field(default=1e-3, gt=0, lt=1)
    level: float = Field(default=0.95, ge=0.01, le=0.999)
    life: Life = Life()


class FrontierAsk(PlanAsk):
    """`kleiber frontier`."""

    over: Text = "loss,serving_cost"


class ChartAsk(PlanAsk):
    """`kleiber chart`."""

    kind: Name


class NextAsk(OfFit):
    """`kleiber next`."""

    target: Quantity
    budget: Quantity
    runs: int = Field(default=12, ge=1, le=100)
    tokens_per_param: Quantity = "1-500"
    serve_tokens: Quantity | None = None
    at: dict[Name, Number] = Field(default={}, max_length=20)


class ReportAsk(OfFit):
    """`kleiber report`."""

    flops: Quantity | None = None
    title: Text | None = None


class ClusterAsk(Ask):
    """The fields of a cluster file."""

    nodes: int = Field(default=1, ge=1, le=10_000)
    devices_per_node: int = Field(default=8, ge=1, le=1_024)
    slots_per_device: int = Field(ge=1, le=4_096)
    lost: list[Annotated[int, Field(ge=0, le=10_000_000)]] = Field(default=[], max_length=1_000)


class PlaceAsk(Ask):
    """`kleiber experts place`."""

    trace: Id
    cluster: ClusterAsk
    policy: Name = "window-fill"
    hierarchical: bool = False
    groups: int | None = Field(default=None, ge=1, le=4_096)


class SimulateAsk(Ask):
    """`kleiber experts simulate`; `placed`: with the experts where `policy` puts them."""

    model: Name
    cluster: ClusterAsk
    trace: Id | None = None
    placed: bool = False
    policy: Name = "window-fill"
    hardware: Name = "h100"
    layout: dict[
        Literal["pipeline", "groups", "virtual", "micro_batch", "zero"], Annotated[int, Field(ge=0, le=4_096)]
    ] = {}
    schedule: Name = "1f1b"
    batch_tokens: Quantity | None = None
    context: Quantity = "4096"
    node_limit: int | None = Field(default=None, ge=1, le=10_000)
    recompute: Literal["none", "selective", "full"] = "none"
    capacity: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    hide: bool = False


class ArrayAsk(Ask):
    """Where an array is: an upload, and its column where it has several."""

    upload: Id
    column: Name | None = None


class DiagnoseAsk(Ask):
    """One diagnostic of uploaded arrays."""

    name: Name
    arrays: dict[Name, ArrayAsk] = Field(max_length=12)
    numbers: dict[Name, Number] = Field(default={}, max_length=12)


class OpenAsk(Ask):
    """The key of a shared link."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class ColumnsAsk(Ask):
    """Whose columns."""

    table: Id
