"""DRBD on simulated nodes: a state machine for each kernel, a wire between them, and the tools on top.

Held to the recordings of drbd-utils 9.22 on DRBD 8.4.11; DRBD 9 is the same machine printed in the ways of 9.
"""

from saltern.sim.drbd.control import let_failed_go
from saltern.sim.drbd.io import close, holds_back, open_device, role, write
from saltern.sim.drbd.kernel import DrbdNode
from saltern.sim.drbd.proc import proc_drbd
from saltern.sim.drbd.programs import run, start_service
from saltern.sim.drbd.ties import advance
from saltern.sim.drbd.wire import power_cut

open = open_device  # noqa: A001 - the word that the rest of the simulator uses

__all__ = [
    "DrbdNode",
    "advance",
    "close",
    "holds_back",
    "let_failed_go",
    "open",
    "power_cut",
    "proc_drbd",
    "role",
    "run",
    "start_service",
    "write",
]
