"""A layer of experts over ranks: route, send every token to the seats of its experts, multiply, send back, sum.

Each rank routes its own tokens with the same router and holds the experts of its own slots. What a rank computes is what one
process computes on those tokens, but for the order of sums. `synchronise` makes the gradients those of the mean over ranks: for
what every rank holds their mean, for an expert the sum over all its replicas, divided by the ranks.

Shapes: N tokens of this rank, C chosen, S = N x C copies, E experts, L slots here, T rows that came, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kleiber.errors import InputError
from kleiber.lab.expert_parallel.clock import Clock
from kleiber.lab.expert_parallel.exchange import exchange, exchange_counts
from kleiber.lab.expert_parallel.seats import Seats
from kleiber.lab.models.experts import Experts, grouped
from kleiber.lab.models.feed_forward import bend

STACKS = ("up_EWU", "down_EHW")


class SpreadExperts(nn.Module):
    """A layer of experts of which this rank holds its seats; `came_L`: the rows that each slot here served last."""

    def __init__(self, layer: Experts, seats: Seats, *, clock: Clock | None = None) -> None:
        super().__init__()
        if layer.setting.balance == "expert-choice":
            raise InputError(
                "experts that choose their tokens are not spread over ranks", remedy="take another balance"
            )
        self.layer, self.seats, self.clock = layer, seats, clock
        own = torch.from_numpy(seats.of_device(dist.get_rank())).to(layer.up_EWU.device)
        self.expert_L = own
        self.up_LWU = nn.Parameter(layer.up_EWU.detach()[own].clone())
        self.down_LHW = nn.Parameter(layer.down_EHW.detach()[own].clone())
        # The other ranks' experts are let go: that is what spreading them is for.
        for name in STACKS:
            delattr(layer, name)
        layer.average = _mean
        self.came_L = torch.zeros(len(own), dtype=torch.int64)

    def forward(self, stream: Tensor) -> Tensor:
        stream_NW = stream.reshape(-1, stream.shape[-1])
        weight_NC, chosen_NC = self.layer.route(stream_NW)
        copies = chosen_NC.shape[1]
        copy_SW = stream_NW[:, None].expand(-1, copies, -1).reshape(-1, stream_NW.shape[1])
        out_NCW = self._served(copy_SW, chosen_NC.reshape(-1)).view(len(stream_NW), copies, -1)
        routed_NW = (out_NCW * weight_NC[..., None].to(out_NCW.dtype)).sum(dim=1)
        if self.layer.shared is not None:
            routed_NW = routed_NW + self.layer.shared(stream_NW)
        return routed_NW.view_as(stream)

    def _served(self, copy_SW: Tensor, expert_S: Tensor) -> Tensor:
        """Every copy through its expert, wherever that sits."""
        slot_S = self.seats.slot_of(expert_S)
        # Slots are numbered device by device, so that rows in their order are in the order of the ranks.
        order_S = slot_S.argsort(stable=True)
        slots_D = self.seats.slots_D.tolist()
        count_S = torch.bincount(slot_S, minlength=sum(slots_D))
        count_DL = exchange_counts(count_S, slots_D, len(self.expert_L))
        sent_D = [int(part.sum()) for part in count_S.split(slots_D)]
        received_D = count_DL.sum(dim=1).tolist()
        came_TW = exchange(copy_SW[order_S], sent_D, received_D, self.clock)
        back_SW = exchange(self._multiplied(came_TW, count_DL), received_D, sent_D, self.clock)
        return back_SW[order_S.argsort()]

    def _multiplied(self, came_TW: Tensor, count_DL: Tensor) -> Tensor:
        """The rows that came, from every rank in the order of the slots here, each by the expert in its slot."""
        self.came_L = count_DL.sum(dim=0)
        slots_DL = torch.arange(count_DL.shape[1], device=came_TW.device).expand_as(count_DL)
        order_T = slots_DL.reshape(-1).repeat_interleave(count_DL.reshape(-1)).argsort(stable=True)
        end_L = self.came_L.cumsum(0).to(torch.int32)
        inner_TH = bend(grouped(came_TW[order_T], self.up_LWU, end_L), gated=self.layer.gated)
        return grouped(inner_TH, self.down_LHW, end_L)[order_T.argsort()]

    def gather_gradients(self) -> dict[str, Tensor]:
        """The gradients of all experts, whole, by the names of one process; each replica here gets the sum over all replicas."""
        whole = {}
        for name, held in zip(STACKS, (self.up_LWU, self.down_LHW), strict=True):
            assert held.grad is not None
            total = held.new_zeros(self.seats.experts, *held.shape[1:])
            total.index_add_(0, self.expert_L, held.grad)
            whole[name] = _mean(total)
            held.grad.copy_(whole[name][self.expert_L])
        return whole


def spread(model: nn.Module, seats_of_layer: Sequence[Seats], *, clock: Clock | None = None) -> list[SpreadExperts]:
    """Spread every layer of experts of a model, in place, one placement a layer; every rank has the same model before."""
    holders = [part for part in model.modules() if isinstance(getattr(part, "feed_forward", None), Experts)]
    layers = []
    for holder, seats in zip(holders, seats_of_layer, strict=True):
        layers.append(SpreadExperts(holder.get_submodule("feed_forward"), seats, clock=clock))  # type: ignore[arg-type]
        holder.add_module("feed_forward", layers[-1])
    return layers


def synchronise(model: nn.Module) -> dict[str, Tensor]:
    """Make the gradients of all ranks those of the mean of their losses; returns them whole, by the names of one process."""
    whole: dict[str, Tensor] = {}
    for path, part in model.named_modules():
        if isinstance(part, SpreadExperts):
            whole |= {f"{path}.{name}": gradient for name, gradient in part.gather_gradients().items()}
    for name, weight in model.named_parameters():
        if not name.endswith(("up_LWU", "down_LHW")):
            assert weight.grad is not None
            weight.grad.copy_(_mean(weight.grad))
            whole[name.replace("feed_forward.layer.", "feed_forward.")] = weight.grad
    return whole


def _mean(tensor: Tensor) -> Tensor:
    total = tensor.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()
