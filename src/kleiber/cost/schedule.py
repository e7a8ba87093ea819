"""How long a pipeline stands idle in one step, by schedule: every schedule is a row of numbers, the formula is one.

bubble = (share x p - 1) x (f F + b B + w W + fb F&B) / v   and never below 0,
with p stages, F one micro-batch forward through a stage, B its whole backward pass, W the part of B that only yields the
gradient of the weights, F&B one forward and one backward that overlap each other, v chunks of layers per stage.

Two papers mean different things by B. Here it is the whole backward pass, as in DualPipe's table; the zero-bubble paper's T_B
is B - W, so that its (p - 1)(T_F + T_B - T_W) is (p - 1)(F + B - 2 W) here.

Sources: Narayanan et al. 2021, arXiv 2104.04473, section 2.2 (1F1B, interleaved); Qi et al. 2023, arXiv 2401.10241, table 2
(zb-h1, zb-h2); github.com/deepseek-ai/DualPipe, README (dualpipe). Micro-batches under way in an interleaved schedule:
Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from kleiber.cost.checks import whole
from kleiber.errors import InputError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A row of the table: `slots` idle = share x p - 1, each worth f F + b B + w W + fb F&B.

    `chunked`: whether v chunks per stage divide the bubble; `copies` of the weights on each device.
    """

    name: str
    source: str
    share: float = 1.0
    f: float = 1.0
    b: float = 1.0
    w: float = 0.0
    fb: float = 0.0
    chunked: bool = False
    copies: int = 1

    def bubble(
        self,
        stages: int,
        forward: float,
        backward: float,
        weight: float = 0.0,
        paired: float | None = None,
        virtual: int = 1,
    ) -> float:
        """Seconds that a stage stands idle in one step.

        `paired`: F&B where it is not forward + backward.

        >>> [find_schedule(name).bubble(8, 1, 2, 1, paired=3) for name in ("1f1b", "zb-h1", "zb-h2", "dualpipe")]
        [21.0, 7.0, 0.0, 6.0]
        """
        both = forward + backward if paired is None else paired
        slot = self.f * forward + self.b * backward + self.w * weight + self.fb * both
        idle = max(0.0, self.share * stages - 1.0) * max(0.0, slot)
        return idle / virtual if self.chunked else idle

    def under_way(self, stages: int, stage: int, virtual: int = 1) -> float:
        """Micro-batches whose activations `stage` (from 0) holds at once at most.

        >>> find_schedule("1f1b").under_way(8, 0), find_schedule("interleaved").under_way(8, 0, 2)
        (8.0, 11.5)
        """
        left = stages - stage
        if self.name == "interleaved" and virtual > 1:
            return (2 * left - 1 + (virtual - 1) * stages) / virtual
        return float({"zb-h2": 2 * left - 1, "dualpipe": stages + 1}.get(self.name, left))


SCHEDULES: tuple[Schedule, ...] = (
    Schedule(name="1f1b", source="arXiv 2104.04473, section 2.2.1"),
    Schedule(name="interleaved", chunked=True, source="arXiv 2104.04473, section 2.2.2"),
    Schedule(name="zb-h1", w=-2.0, source="arXiv 2401.10241, table 2"),
    Schedule(name="zb-h2", w=-3.0, source="arXiv 2401.10241, table 2"),
    Schedule(name="dualpipe", share=0.5, f=0.0, w=-3.0, fb=1.0, copies=2, source="DualPipe, README"),
)
NAMES = tuple(schedule.name for schedule in SCHEDULES)


def find_schedule(name: str) -> Schedule:
    """The schedule called `name`; raises `InputError` with a suggestion."""
    for schedule in SCHEDULES:
        if schedule.name == name:
            return schedule
    raise InputError("no such pipeline schedule", found=repr(name), remedy=did_you_mean(name, NAMES))


def check_schedule(name: str, stages: int, virtual: int) -> None:
    """Raise `InputError` where the schedule cannot run with so many chunks or stages."""
    schedule = find_schedule(name)
    whole("a layout", "virtual", virtual)
    if virtual > 1 and not schedule.chunked:
        raise InputError(
            f"the schedule {name} keeps its layers in one chunk",
            found=f"virtual = {virtual}",
            remedy="schedule='interleaved'",
        )
    if name == "dualpipe" and stages > 1 and stages % 2:
        raise InputError("dualpipe pairs its stages", found=f"{stages} stages", expected="an even number")
