"""The master's view of simulated nodes: what the execution modules do, without Salt between."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saltern import operations, remake_entries, remake_step, survey, work
from saltern.bridge import PILLAR_KEY, current_slice, keys_from_plain, plain
from saltern.controller import Fleet, Unanswered
from saltern.desired import slice_from_pillar, slice_to_pillar
from saltern.errors import SalternError
from saltern.model.desired import NodeSlice
from saltern.model.places import HOTPLUG_LOG, operation_log
from saltern.observe import Observation, read_own_keys, read_running, read_version, read_xen
from saltern.parse import hotplug_log
from saltern.sim.host import SimHost
from saltern.sim.world import World
from saltern.travel import step_from_plain


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
                answers[node] = plain(self._answer(self._host(node), function.removeprefix("operation."), args))
            except SalternError as error:
                trouble[node] = str(error)
        if trouble:
            raise Unanswered(trouble)
        return answers

    def _host(self, node: str) -> SimHost:
        return self.world.host(node)

    def _answer(self, host: SimHost, function: str, args: tuple[Any, ...]) -> object:
        if function == "look":
            return _look(host, self.shares, *args)
        if function == "wait":
            return operations.wait(_Waiting(host, self.sleep), *args)
        if function.startswith("remake."):
            return _Remaking(host, self).answer(function.removeprefix("remake."), args)
        return _FUNCTIONS[function](host, *args)


def _look(
    host: SimHost,
    shares: Mapping[str, NodeSlice],
    domains: Sequence[str],
    expected: Mapping[str, Any],
    preparing: str | None = None,
) -> object:
    operations.keep_prepared(host, domains, preparing)
    pillar = {PILLAR_KEY: slice_to_pillar(shares[host.name])}
    return survey.look(domains, current_slice(pillar, expected, lambda: pillar), Observation(host, host.name))


class _Waiting:
    """A node on which time passes as it does for the master, for whoever waits there with it."""

    def __init__(self, host: SimHost, sleep: Callable[[float], None]) -> None:
        self._host = host
        self.sleep = sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


class _Remaking:
    """What the execution module ``remake`` does on a node, whose pillar is its share of the topology that is in force."""

    def __init__(self, host: SimHost, nodes: SimFleet) -> None:
        self._host = host
        self._nodes = nodes

    def answer(self, function: str, args: tuple[Any, ...]) -> object:
        own = getattr(self, f"_{function}", None)
        return own(*args) if own is not None else _REMAKES[function](self._host, *args)

    def _own(self, expected: Mapping[str, Any] | None) -> NodeSlice:
        share = self._nodes.shares.get(self._host.name)
        pillar = {} if share is None else {PILLAR_KEY: slice_to_pillar(share)}
        return current_slice(pillar, expected, lambda: pillar)

    def _look(
        self, domains: Sequence[str], share: Mapping[str, Any], identifier: str, preparing: bool = False
    ) -> object:
        operations.keep_prepared(self._host, domains, identifier if preparing else None)
        return survey.look(domains, slice_from_pillar(share), Observation(self._host, self._host.name, ours=identifier))

    def _take(self, told: Mapping[str, Any], number: int, expected: Any, uuid: str, identifier: str) -> object:
        return remake_step.take(
            self._host,
            self._host.name,
            step_from_plain(told),
            number=number,
            uuid=uuid,
            share=lambda: self._own(expected),
            identifier=identifier,
        )

    def _settle_in(self, domain: str, expected: Any, identifier: str) -> object:
        return remake_step.settle_in(self._host, domain, self._own(expected), identifier)

    def _prepared(self, volume_group: str) -> object:
        return remake_step.prepared(self._host, self._host.name, volume_group)

    def _keys(self, share: Mapping[str, Any]) -> object:
        return remake_step.own_keys(self._host, slice_from_pillar(share))

    def _trust(self, share: Mapping[str, Any], keys: Mapping[str, Any]) -> object:
        def ask(node: str) -> Any:
            return keys_from_plain(keys.get(node)) or read_own_keys(self._nodes.world.host(node))

        own = self._nodes.shares.get(self._host.name)
        return remake_step.trust(self._host, slice_from_pillar(share), own, ask)


_REMAKES: dict[str, Callable[..., object]] = {
    "entries": remake_entries.found,
    "enter": lambda host, entries: remake_entries.enter_all(
        host, [remake_entries.from_plain(each) for each in entries]
    ),
    "withdraw": remake_entries.withdraw,
    "note": remake_entries.note,
    "end": remake_entries.end,
}


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
