"""The master's view of simulated nodes: what the execution modules do, without Salt between."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saltern import operations, survey, work
from saltern.bridge import PILLAR_KEY, current_slice, plain
from saltern.controller import Fleet, Unanswered
from saltern.desired import slice_to_pillar
from saltern.errors import SalternError
from saltern.model.desired import NodeSlice
from saltern.model.places import HOTPLUG_LOG, operation_log
from saltern.observe import Observation, read_running, read_version, read_xen
from saltern.parse import hotplug_log
from saltern.sim.host import SimHost
from saltern.sim.world import World


class SimFleet:
    """The nodes of a world.

    ``told`` holds what the user was told, ``shown`` how far it was; ``silent`` names the nodes whose minion does not answer.
    """

    def __init__(self, world: World, shares: Mapping[str, NodeSlice]) -> None:
        self.world = world
        self.shares = shares
        self.told: list[str] = []
        self.shown: list[str] = []
        self.silent: set[str] = set()
        self.asked: list[str] = []

    @property
    def fleet(self) -> Fleet:
        return Fleet(
            shares=self.shares,
            ask_each=self._ask_each,
            tell=self.told.append,
            show=self.shown.append,
            now=lambda: self.world.time_s,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.world.advance(seconds)

    def _ask_each(self, function: str, args: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        answers, trouble = {}, {}
        for node, these in args.items():
            try:
                answers |= self._ask([node], function, *these)
            except Unanswered as unanswered:
                trouble |= unanswered.trouble
        if trouble:
            raise Unanswered(trouble)
        return answers

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
        if function == "look":
            return _look(host, self.shares, *args)
        return _FUNCTIONS[function](host, *args)


def _look(
    host: SimHost, shares: Mapping[str, NodeSlice], domains: Sequence[str], expected: Mapping[str, Any]
) -> object:
    pillar = {PILLAR_KEY: slice_to_pillar(shares[host.name])}
    return survey.look(domains, current_slice(pillar, expected, lambda: pillar), Observation(host, host.name))


def _each(function: Callable[[SimHost, str, str], object]) -> Callable[[SimHost, Sequence[str], str], object]:
    return lambda host, domains, identifier: [function(host, domain, identifier) for domain in domains]


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "begin": lambda host, entries: operations.begin_all(host, [survey.operation_from_plain(each) for each in entries]),
    "renew": operations.renew_all,
    "withdraw": operations.withdraw_all,
    "give_up": operations.give_up,
    "begin_maintenance": operations.begin_maintenance,
    "end_maintenance": operations.end_maintenance,
    "finish": _each(operations.finish),
    "carry_out": work.begin,
    "settle": operations.settle_left,
    "log": lambda host, domain: host.read_text(operation_log(domain)) or "",
    "two_primaries": lambda host, names: hotplug_log.two_primaries_s(host.read_text(HOTPLUG_LOG) or "", names),
    "xen.domains": lambda host: read_xen(host).domains,
    "drbd.status": lambda host: read_running(host, read_version(host)),
}
