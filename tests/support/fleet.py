"""The master's view of simulated nodes: what the execution modules do, without Salt between."""

from collections.abc import Mapping, Sequence
from typing import Any

from saltern import operations, survey, work
from saltern.bridge import plain
from saltern.controller import Fleet, Unanswered
from saltern.errors import SalternError
from saltern.model.desired import NodeSlice
from saltern.model.places import HOTPLUG_LOG, operation_log
from saltern.observe import Observation, read_running, read_version
from saltern.parse import hotplug_log
from saltern.sim.host import SimHost
from saltern.sim.world import World


class SimFleet:
    """The nodes of a world; ``told`` holds what the user was told, ``silent`` names the nodes whose minion does not answer."""

    def __init__(self, world: World, shares: Mapping[str, NodeSlice]) -> None:
        self.world = world
        self.shares = shares
        self.told: list[str] = []
        self.silent: set[str] = set()
        self.asked: list[str] = []

    @property
    def fleet(self) -> Fleet:
        return Fleet(
            shares=self.shares,
            ask=self._ask,
            tell=self.told.append,
            now=lambda: self.world.time_s,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.world.advance(seconds)

    def _ask(self, nodes: Sequence[str], function: str, *args: Any) -> dict[str, Any]:
        self.asked.append(function)
        answers, trouble = {}, {}
        for node in nodes:
            if node in self.silent or not self.world.nodes[node].powered:
                trouble[node] = "the minion does not answer"
                continue
            try:
                answers[node] = plain(self._answer(self.world.host(node), function.removeprefix("operation."), args))
            except SalternError as error:
                trouble[node] = str(error)
        if trouble:
            raise Unanswered(trouble)
        return answers

    def _answer(self, host: SimHost, function: str, args: tuple[Any, ...]) -> object:
        match function:
            case "look":
                return survey.look(args[0], self.shares[host.name], Observation(host, host.name))
            case "begin":
                return operations.begin_all(host, [survey.operation_from_plain(each) for each in args[0]])
            case "renew" | "withdraw" | "finish":
                return [getattr(operations, function)(host, domain, args[1]) for domain in args[0]]
            case "carry_out":
                command = work.command(operations.require(host, *args))
                return host.detach(command) if command else None
            case "two_primaries":
                resources = [disk.resource for name in args[0] for disk in self.shares[host.name].domains[name].disks]
                return hotplug_log.two_primaries_s(host.read_text(HOTPLUG_LOG) or "", resources)
            case "drbd.status":
                return read_running(host, read_version(host))
            case "settle":
                return operations.settle_left(host, *args)
            case "log":
                return host.read_text(operation_log(*args)) or ""
        raise NotImplementedError(function)
