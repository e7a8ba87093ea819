"""What a tweak of the architecture or the cluster does to a plan: what holds, what must be redone, what it costs.

This is the contents page: `tweak` (the change), `holds` (one check per part of the plan), `loss` (what laws say of the loss,
or that they do not), `verdict` (the step before and after, and both effects joined per device-hour).
"""

from kleiber.experts.transfer.tweak import TWEAKS, Tweak
from kleiber.experts.transfer.verdict import Transfer, transfer

__all__ = ["TWEAKS", "Transfer", "Tweak", "transfer"]
