"""Carrying out a remake from the master: the steps of the plan one after the other, each taken and proven by its nodes.

Killed anywhere, the same command again takes the same plan up: every node keeps with its entry how many steps are done, and a
step that was begun finds on its node how far it came. ``docs/design/remake.md`` argues it.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from saltern import controller, remake_entries
from saltern.bridge import plain
from saltern.controller import SILENT, AskEach, Fleet, Unanswered
from saltern.desired import compile_slices, part, slice_to_pillar
from saltern.errors import Refused, SalternError
from saltern.model.desired import DomainSpec, NodeSlice
from saltern.model.operation import Half, Operation, OperationKind
from saltern.model.remake import Kind, Remake, Remaking, Step
from saltern.model.survey import Survey
from saltern.model.topology import Cluster, Domain
from saltern.plan import migrate
from saltern.plan.selection import Selection
from saltern.secrets import masked
from saltern.topology.remake.match import match_domains
from saltern.travel import step_to_plain

_POLL_S: Final = 1.0
_RENEW_S: Final = 30.0
# A node that says nothing is asked again, as often and after so long.
_TRIES: Final = 3
_PAUSE_S: Final = 5.0
# Before these nothing of a domain is like AFTER yet.
_BEGINNINGS: Final = frozenset({Kind.CREATE_VOLUMES, Kind.MIGRATE, Kind.STOP, Kind.FREEZE, Kind.DISCONNECT, Kind.DOWN})

Record = Callable[[Mapping[str, Sequence[str]]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to carry a plan out: whose, since when, and how long a step may wait.

    ``record`` brings the allocation up: it is given the domains whose entries follow (``moved``) or are given up (``forget``),
    returns when AFTER is what the master compiles, and raises ``Refused`` with the command where it cannot.
    """

    fleet: Fleet
    record: Record
    run_id: str
    owner: str
    since: str
    timeout_s: float


@dataclass(frozen=True)
class Part:
    """The steps of one domain, or of those that share a name: what is entered, noted and taken up as one.

    ``names`` are what they are called before and after, ``nodes`` all that have anything of them.
    """

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    old: tuple[Domain, ...]
    new: tuple[Domain, ...]
    steps: tuple[Step, ...]

    @cached_property
    def plan(self) -> str:
        """The same for the same steps."""
        steps = [{**step_to_plain(step), "words": ""} for step in self.steps]
        told = json.dumps(steps, sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def carry_out(run: Run, before: Cluster, after: Cluster, plan: Remake, destroy: Collection[str]) -> list[str]:
    """Carry a plan out; returns in words what was done. Raises ``Refused`` and ``Unanswered``: then the same again goes on.

    ``plan`` is that of ``before``, ``after`` and ``destroy``, without refusals.
    """
    parts = list(parts_of(plan, before, after, destroy))
    refuse_what_is_left_to_people(parts)
    patient = replace(run, fleet=replace(run.fleet, ask_each=_patient(run.fleet)))
    return _Remaker(patient, before, after, plan, parts).all()


def _patient(fleet: Fleet) -> AskEach:
    """Ask again who said nothing: every question of a remake can be asked twice, and does nothing the second time.

    A wait is not asked again: it takes a minute each time, in which nothing is renewed, and whoever waits looks afterwards.
    """

    def ask(function: str, args: Mapping[str, Sequence[object]]) -> Mapping[str, Any]:
        for _ in range(0 if function == "operation.wait" else _TRIES - 1):
            try:
                return fleet.ask_each(function, args)
            except Unanswered as error:
                if set(error.trouble.values()) != {SILENT}:
                    raise
                fleet.show(str(error))
                fleet.sleep(_PAUSE_S)
        return fleet.ask_each(function, args)

    return ask


def refuse_what_is_left_to_people(parts: Iterable[Part]) -> None:
    """Raises ``Refused`` with every step that is not carried out by a program, before anything is done."""
    against = [each for part in parts for each in _against(part)]
    if against:
        raise Refused(
            "remake",
            "; ".join(against),
            "Nothing was done. Follow the plan of `salt-run topology.remake` by hand, or make two remakes of it "
            "(docs/howto/remake.md)",
        )


def _against(part: Part) -> Iterator[str]:
    kinds = [step.kind for step in part.steps]
    if Kind.FIRST_SYNC in kinds and Kind.MIGRATE in kinds[kinds.index(Kind.FIRST_SYNC) :]:
        yield f"{part.names[0]}: it gets a disk that it has only after its next start, and would have to move before that"


_REPLACING: Final = frozenset(
    {
        Kind.PREPARE_NODE,
        Kind.CREATE_VOLUMES,
        Kind.MIGRATE,
        Kind.FREEZE,
        Kind.DISCONNECT,
        Kind.CONNECT,
        Kind.JOIN,
        Kind.SYNCHRONISE,
        Kind.CONFIGURE_DOMAIN,
        Kind.REMOVE_REPLICA,
        Kind.REMOVE_CONFIG,
        Kind.RECORD,
        Kind.RELEASE_NODE,
    }
)


def require_moved(before: Cluster, after: Cluster, domain: str, source: str, target: str) -> None:
    """Raises ``Refused`` unless the present topology has on ``target`` the copy of ``domain`` that BEFORE has on ``source``."""
    for topology, cluster in (("BEFORE", before), ("the present topology", after)):
        if domain not in cluster.domains:
            names = ", ".join(sorted(cluster.domains)) or "none"
            raise Refused(f"domain {domain}", f"it is not in {topology}, which has {names}", "Correct the name")
    was, now = ((each.home, each.partner) for each in (before.domains[domain], after.domains[domain]))
    if source not in was or {*was} - {source} | {target} != {*now}:
        raise Refused(
            f"domain {domain}",
            f"its copies are on {' and '.join(was)} in BEFORE, and on {' and '.join(now)} in the present topology, "
            f"which is no move from {source} to {target}",
            f"Write {target} in the place of {source} at saltern:domains:{domain}; BEFORE is the topology until then",
        )


def require_replacement(plan: Remake, domain: str, source: str, target: str) -> None:
    """Raises ``Refused`` unless the plan moves the copy of ``domain`` on ``source`` to ``target``, and does nothing else."""
    wrong = [step.words for step in plan.steps if step.kind not in _REPLACING or step.domain not in (domain, None)]
    left, came = (
        {node for step in plan.steps if step.kind is kind for node in step.nodes} for kind in (Kind.FREEZE, Kind.JOIN)
    )
    if (left, came) != ({source}, {target}):
        wrong.append(f"{domain} does not go from {source} to {target}")
    wrong += [step.words for step in plan.steps if step.kind is Kind.CONFIGURE_DOMAIN and step.nodes != (target,)]
    wrong += [f"{name} gets other options" for name in _otherwise(plan)]
    if wrong:
        raise Refused(
            f"domain {domain}",
            f"between BEFORE and the present topology is another difference: {'; '.join(wrong)}",
            f"Write {target} in the place of {source} at saltern:domains:{domain} and change nothing else; or use "
            "`salt-run state.orch remake`, which carries out every difference",
        )


def _otherwise(plan: Remake) -> Iterator[str]:
    """The resources that are not the same on another node only."""
    was = {step.disk: step.was for step in plan.steps if step.kind is Kind.FREEZE}
    now = {step.disk: step.resource for step in plan.steps if step.kind is Kind.JOIN}
    for disk, old in was.items():
        new = now.get(disk)
        if old is not None and new is not None and (old.protocol, old.sections) != (new.protocol, new.sections):
            yield new.name


# --- Parts -------------------------------------------------------------------------------------------------------
def parts_of(plan: Remake, before: Cluster, after: Cluster, destroy: Collection[str]) -> Iterator[Part]:
    """The plan by domains, in the order of their first steps. Where a name changes hands, all who have it are one part."""
    groups: list[tuple[set[str], list[Domain], list[Domain]]] = []
    for old, new in match_domains(before, after, destroy):
        names = {each.name for each in (old, new) if each is not None}
        mine = (names, [old] if old else [], [new] if new else [])
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            mine = (mine[0] | group[0], group[1] + mine[1], group[2] + mine[2])
        groups.append(mine)
    found = [_part(names, old, new, plan) for names, old, new in groups]
    order = {id(step): position for position, step in enumerate(plan.steps)}
    yield from sorted((part for part in found if part.steps), key=lambda each: order[id(each.steps[0])])


def _part(names: set[str], old: list[Domain], new: list[Domain], plan: Remake) -> Part:
    nodes = {node: None for each in (*old, *new) for node in (each.home, each.partner)}
    steps = tuple(step for step in plan.steps if step.domain in names)
    return Part(tuple(sorted(names)), tuple(nodes), tuple(old), tuple(new), steps)


# --- The whole ---------------------------------------------------------------------------------------------------
@dataclass
class _Remaker:
    """A plan that is being carried out. ``reached`` is how many steps of each part are done, by the plan of the part."""

    run: Run
    before: Cluster
    after: Cluster
    plan: Remake
    parts: list[Part]
    reached: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    renewed_s: float = 0.0

    def __post_init__(self) -> None:
        self.shares = compile_slices(self.before), compile_slices(self.after)
        self._by_step = {id(step): part for part in self.parts for step in part.steps}
        self._over: set[str] = set()

    def all(self) -> list[str]:
        """Everything: nodes that come, entries, the record, steps, nodes that go."""
        total = len(self.plan.steps)
        self._prepare()
        self._enter()
        moved = [each.name for part in self._open() for each in part.new if _recorded(part, each.name)]
        self.run.record({"moved": moved, "forget": []})
        for number, step in enumerate(self.plan.steps, 1):
            if step.domain is not None:
                self._domain_step(number, total, step)
            elif step.kind is Kind.RELEASE_NODE:
                self.run.fleet.tell(f"step {number} of {total} is for you: {step.words}")
        return self.done

    def _open(self) -> list[Part]:
        return [part for part in self.parts if part.plan not in self._over]

    def _prepare(self) -> None:
        fleet = self.run.fleet
        for step in self.plan.steps:
            if step.kind is Kind.PREPARE_NODE:
                (node,) = step.nodes
                try:
                    told = fleet.ask([node], "remake.prepared", self.after.nodes[node].volume_group)[node]
                except SalternError as error:
                    raise Refused(
                        f"node {node}",
                        str(error),
                        f"Nothing was done. {step.words}; see docs/howto/real-nodes.md. Put a new node into the topology "
                        "alone first, and apply it: that brings it what it needs",
                    ) from error
                fleet.tell(f"{node} is there: {'; '.join(told['done'])}")

    # --- Entries ---
    def _enter(self) -> None:
        """Enter everything, so that nothing else is done with these domains; or find out how far an earlier run came."""
        fresh, run = [], self.run
        self.renewed_s = run.fleet.now()
        for each in self.parts:
            seen = _entries(self.run.fleet, each)
            ours = [entry for entry in seen if entry.plan == each.plan]
            open_ = [entry for entry in ours if not entry.over]  # what is over may be from long before
            self.reached[each.plan] = max((entry.reached for entry in open_), default=0)
            if not open_ and len(ours) == len(each.names) * len(each.nodes) and not self._was_undone(each):
                self._over.add(each.plan)
                run.fleet.tell(f"{' and '.join(each.names)}: done, by the {ours[0].operation}")
            elif not open_:
                fresh.append(each)
                self._require_beginning(each)
        try:
            for each in self._open():
                self._enter_part(each)
            for each in fresh:  # what was begun and ended since the first look; from now on nothing is
                self._require_beginning(each)
        except SalternError:
            for each in fresh:
                self._withdraw(each)
            raise
        self.renewed_s = self.run.fleet.now()

    def _was_undone(self, each: Part) -> bool:
        """Whether what was carried out once is as it was before, by an apply perhaps, which needs no remake for much of it."""
        was = {domain.uuid: self._misfits(self.shares[0], domain.name, each) for domain in each.old}
        now = {domain.uuid: self._misfits(self.shares[1], domain.name, each) for domain in each.new}
        return _holds(was, now) and not _holds(now, was)

    def _misfits(self, shares: Mapping[str, NodeSlice], name: str, each: Part) -> list[bool]:
        """Of each node of a domain, whether it has that otherwise."""
        return [bool(survey.obstacles) for survey in self._look(shares, name, self._id(each)).values()]

    def _enter_part(self, each: Part) -> None:
        entries = [plain(entry) for entry in self._entered(each)]
        for node in each.nodes:
            self.run.fleet.ask([node], "remake.enter", entries)

    def _withdraw(self, each: Part) -> None:
        for node in each.nodes:
            with suppress(SalternError):
                self.run.fleet.ask([node], "remake.withdraw", list(each.names), self._id(each))

    def _entered(self, each: Part) -> Iterator[Remaking]:
        first = (*each.old, *each.new)[0]
        for name in each.names:
            yield Remaking(
                operation=Operation(
                    id=self._id(each),
                    kind=OperationKind.REMAKE,
                    domain=name,
                    uuid=first.uuid or "",
                    half=Half.SOURCE,
                    source=first.home,
                    target=(*each.new, *each.old)[0].home,
                    address="",
                    resources=(),
                    owner=self.run.owner,
                    since=self.run.since,
                    renewed_s=0.0,
                    taken=True,
                ),
                reached=self.reached[each.plan],
                steps=len(each.steps),
            )

    def _id(self, each: Part) -> str:
        return f"{each.plan}-{self.run.run_id}"

    def _require_beginning(self, each: Part) -> None:
        """The plan assumes what BEFORE says, and a domain that runs runs at its home."""
        restarts = any(step.kind is Kind.START for step in each.steps)
        for domain in each.old:
            name = domain.name
            surveys = self._look(self.shares[0], name, self._id(each))
            found = {node: survey.condition for node, survey in surveys.items() if survey.condition is not None}
            comes_back = restarts and any(new.uuid == domain.uuid or new.name == name for new in each.new)
            wrong = list(_not_as_before(domain, found, comes_back))
            wrong += [f"{node}: {reason}" for node, survey in surveys.items() for reason in _unsound(survey)]
            wrong += list(migrate.others(*surveys.values()))
            if wrong:
                raise Refused(
                    f"domain {name}",
                    f"it is not as BEFORE says: {'; '.join(wrong)}",
                    "Nothing was done. See to that first, with BEFORE as the topology in force",
                )

    def _beat(self) -> None:
        """All entries are alive. One missed answer is no harm: it is done again."""
        if self.run.fleet.now() - self.renewed_s >= _RENEW_S:
            with suppress(SalternError):
                for each in self._open():
                    self._note(each)
                self.renewed_s = self.run.fleet.now()

    def _note(self, each: Part) -> None:
        names, identifier, reached = list(each.names), self._id(each), self.reached[each.plan]
        for node in each.nodes:
            self.run.fleet.ask([node], "remake.note", names, identifier, reached)

    # --- Steps ---
    def _domain_step(self, number: int, total: int, step: Step) -> None:
        each = self._by_step[id(step)]
        if each.plan in self._over:
            return
        mine = next(index for index, other in enumerate(each.steps) if other is step) + 1
        title = f"step {number} of {total}: {step.domain}: {step.words}"
        if mine > self.reached[each.plan]:
            self.run.fleet.show(f"step {number} of {total}, of {step.domain}, is under way")
            self._take(each, step)
            self.reached[each.plan] = mine
            self._note(each)
            self.run.fleet.tell(title)
            self.done.append(f"{step.domain}: {step.words}")
        else:
            self.run.fleet.tell(f"{title} (done before)")
        if mine == len(each.steps):
            self._end(each)

    def _take(self, each: Part, step: Step) -> None:
        match step.kind:
            case Kind.MIGRATE:
                self._migrate(each, step)
            case Kind.STOP:
                self._stop(each, step)
            case Kind.START:
                self._start(each, step)
            case Kind.RECORD:
                self._record(each, step)
            case _:
                if step.kind is Kind.REMOVE_REPLICA and any("@" in name for name in step.destroys):
                    self._require_whole(each, step)
                self._take_on_nodes(each, step)

    def _take_on_nodes(self, each: Part, step: Step) -> None:
        """Every node takes the step; then it is asked for again until it waits for nothing more."""
        nodes = _where(step)
        deadline_s = self.run.fleet.now() + self.run.timeout_s
        while True:
            waits = list(self._ask_nodes(each, step, nodes))
            if not waits:
                return
            if self.run.fleet.now() >= deadline_s:
                raise Refused(
                    f"{step.domain}: {step.words}",
                    f"after {self.run.timeout_s:g} s still: {'; '.join(waits)}",
                    "See to that; the same command again goes on from here",
                )
            self.run.fleet.show(f"{step.domain}: {'; '.join(dict.fromkeys(waits))}")
            self.run.fleet.sleep(_POLL_S)
            self._beat()

    def _ask_nodes(self, each: Part, step: Step, nodes: Iterable[str]) -> Iterator[str]:
        """What they wait for. Two copies part one after the other: the one that follows has to see the other one for that."""
        for node in nodes:
            waits = self._ask_step(each, step, node)
            yield from waits
            if waits and step.kind is Kind.DISCONNECT:
                return

    def _ask_step(self, each: Part, step: Step, node: str) -> list[str]:
        name = step.domain or ""
        told = self.run.fleet.ask(
            [node],
            "remake.take",
            step_to_plain(step),
            self.reached[each.plan] + 1,
            self._expected(node, name),
            self._uuid(name),
            self._id(each),
        )[node]
        return list(told["waits"])

    def _expected(self, node: str, name: str) -> dict[str, Any] | None:
        """What AFTER gives a node of a domain, without secrets; ``None`` where nothing."""
        share = self.shares[1].get(node)
        if share is None or name not in share.domains:
            return None
        told: dict[str, Any] = masked(slice_to_pillar(part(share, [name])))
        return told

    def _uuid(self, name: str) -> str:
        found = self.before.domains.get(name) or self.after.domains[name]
        return found.uuid or ""

    def _require_whole(self, each: Part, step: Step) -> None:
        """A copy is destroyed only while both others are seen to be complete, by the nodes that have them, in this moment."""
        name = step.domain or ""
        surveys = self._look(self.shares[1], name, self._id(each))
        wrong = [f"{node}: {reason}" for node, survey in surveys.items() for reason in _unsound(survey)]
        if wrong:
            raise Refused(
                f"domain {name}",
                f"the copy on {' and '.join(step.nodes)} is kept: {'; '.join(wrong)}",
                "It is removed when both other copies are connected and UpToDate; the same command again goes on from here",
            )

    def _record(self, each: Part, step: Step) -> None:
        name = step.domain or ""
        moved = any(domain.name == name for domain in each.new)
        self.run.record({"moved": [name] if moved else [], "forget": [] if moved else [name]})

    # --- Operations ---
    def _migrate(self, each: Part, step: Step) -> None:
        name, (_, target) = step.domain or "", step.nodes
        shares = self._shares_at(each, step)
        self._until_idle(shares, name, self._id(each))
        found = {node: survey.condition for node, survey in self._look(shares, name, self._id(each)).items()}
        if all(condition is None for condition in found.values()):
            self.run.fleet.tell(f"{name} runs nowhere, so that it need not move; it is started at the end")
            return
        self._trust(each, shares, name)
        selection = Selection(kind=OperationKind.MIGRATE, domain=name, target=target)
        self._operate(shares, selection, self._id(each), synchronised=True)

    def _stop(self, each: Part, step: Step) -> None:
        name = step.domain or ""
        self._until_idle(self.shares[0], name, self._id(each))
        selection = Selection(kind=OperationKind.STOP, domain=name)
        self._operate(self.shares[0], selection, self._id(each), synchronised=False)

    def _start(self, each: Part, step: Step) -> None:
        """It starts where a complete copy is; another one may be copied from there meanwhile."""
        name, (target,) = step.domain or "", step.nodes
        self._until_idle(self.shares[1], name, self._id(each))
        self._until(
            f"{name} starts on {target}",
            lambda: list(migrate.waits_to_start(self._look(self.shares[1], name, self._id(each))[target])),
        )
        selection = Selection(kind=OperationKind.START, domain=name, target=target)
        self._operate(self.shares[1], selection, self._id(each), synchronised=False)

    def _shares_at(self, each: Part, step: Step) -> Mapping[str, NodeSlice]:
        """What both nodes of a domain have of it at this step: as BEFORE says until something was made as AFTER says."""
        earlier = each.steps[: next(index for index, other in enumerate(each.steps) if other is step)]
        return self.shares[0] if all(other.kind in _BEGINNINGS for other in earlier) else self.shares[1]

    def _operate(
        self, shares: Mapping[str, NodeSlice], selection: Selection, identifier: str, *, synchronised: bool
    ) -> None:
        fleet = self._within(shares, identifier)
        controller.begin(fleet, selection, identifier=identifier, owner=self.run.owner, since=self.run.since)
        if synchronised:
            controller.synchronise(fleet, selection, identifier=identifier, timeout_s=self.run.timeout_s)
        controller.carry_out(fleet, selection, identifier=identifier, parallel=1, timeout_s=self.run.timeout_s)

    def _within(self, shares: Mapping[str, NodeSlice], identifier: str) -> Fleet:
        """The nodes for an operation within this remake: they look at what they are told, not at what their pillar says."""
        outer = self.run.fleet

        def ask(function: str, args: Mapping[str, Sequence[object]]) -> Mapping[str, Any]:
            self._beat()
            if function == "operation.look":
                asked: dict[str, list[object]] = {}
                for node, (domains, share, *preparing) in args.items():
                    asked[node] = [domains, share, identifier, bool(preparing)]
                return outer.ask_each("remake.look", asked)
            return outer.ask_each(function, args)

        return replace(outer, shares=shares, ask_each=ask)

    def _look(self, shares: Mapping[str, NodeSlice], name: str, identifier: str) -> dict[str, Survey]:
        return controller.look(self._within(shares, identifier), {name: _spec(shares, name)})[name]

    def _until_idle(self, shares: Mapping[str, NodeSlice], name: str, identifier: str) -> None:
        """What an earlier run has begun ends well by itself."""

        def waits() -> list[str]:
            standing = [survey.standing for survey in self._look(shares, name, identifier).values()]
            return [str(each.operation) for each in standing if each is not None and each.alive]

        self._until(f"{name} is free", waits)

    def _until(self, wanted: str, waits: Callable[[], list[str]]) -> None:
        deadline_s = self.run.fleet.now() + self.run.timeout_s
        while found := waits():
            if self.run.fleet.now() >= deadline_s:
                raise Refused(wanted, f"after {self.run.timeout_s:g} s still: {'; '.join(found)}", "See to that first")
            self.run.fleet.show("; ".join(dict.fromkeys(found)))
            self.run.fleet.sleep(_POLL_S)
            self._beat()

    def _trust(self, each: Part, shares: Mapping[str, NodeSlice], name: str) -> None:
        """Both nodes can send each other domains: what `state.apply` does for partners."""
        spec = _spec(shares, name)
        nodes = (spec.home, spec.partner)
        told = {node: masked(slice_to_pillar(part(shares[node], [name]))) for node in nodes}
        keys = {node: self.run.fleet.ask([node], "remake.keys", told[node])[node] for node in nodes}
        for node in nodes:
            self.run.fleet.ask([node], "remake.trust", told[node], keys)

    def _end(self, each: Part) -> None:
        """Everything is as AFTER says, which both nodes see to; then the entries go."""
        for domain in each.new:
            for node in (domain.home, domain.partner):
                self._settle_in(each, domain, node)
        names = [domain.name for domain in each.new]
        gone = [name for name in each.names if name not in names]
        for node in each.nodes:
            self.run.fleet.ask([node], "remake.end", list(each.names), self._id(each), gone)
        self._over.add(each.plan)
        self.run.fleet.tell(f"{' and '.join(each.names)}: as AFTER says")

    def _settle_in(self, each: Part, domain: Domain, node: str) -> None:
        self.run.fleet.ask([node], "remake.settle_in", domain.name, self._expected(node, domain.name), self._id(each))


def _entries(fleet: Fleet, each: Part) -> list[Remaking]:
    """The remakes of a part as all its nodes have them, also those that are over.

    Raises ``Refused`` where another one is entered, and where this one is being carried out.
    """
    found = []
    for node in each.nodes:
        for told in fleet.ask([node], "remake.entries", list(each.names))[node].values():
            entry = remake_entries.from_plain(told["remaking"])
            alive = bool(told["standing"]["alive"])
            found.append(entry)
            if entry.over:
                continue
            if alive:
                raise Refused(
                    f"domain {entry.operation.domain}",
                    f"{node} has the {entry.operation}, and somebody works on it, or did in the last two minutes",
                    "Wait for its end; when whoever did it is gone, give the same command again after two minutes",
                )
            if entry.plan != each.plan:
                raise Refused(
                    f"domain {entry.operation.domain}",
                    f"{node} has another {entry.operation}, with {entry.reached} of {entry.steps} steps done",
                    "Finish that one: the same BEFORE, AFTER and names again. "
                    f"`salt '*' operation.release {entry.operation.domain}` gives it up, and leaves all as it is",
                )
    return found


def _holds(mine: Mapping[str | None, list[bool]], others: Mapping[str | None, list[bool]]) -> bool:
    """Whether no node misfits these domains, by UUID, and every one those that only the others are."""
    absent = [misfits for uuid, misfits in others.items() if uuid not in mine]
    return not any(map(any, mine.values())) and all(map(all, absent))


def _recorded(part: Part, name: str) -> bool:
    return any(step.kind is Kind.RECORD and step.domain == name for step in part.steps)


def _where(step: Step) -> tuple[str, ...]:
    """The nodes that take a step: of a first synchronisation the partner as well, whose volume is no longer a new one."""
    if step.kind is Kind.FIRST_SYNC and step.resource is not None:
        return tuple(host.node for host in step.resource.hosts)
    return step.nodes


def _not_as_before(domain: Domain, found: Mapping[str, str], comes_back: bool) -> Iterator[str]:
    for node, condition in found.items():
        if node != domain.home or condition != "running":
            yield f"it is {condition} on {node}"
    if not found and comes_back:
        yield "it runs nowhere, and this remake would start it"


def _unsound(survey: Survey) -> Iterator[str]:
    """What is not as it should be of a domain's disks: each is connected and UpToDate on both sides."""
    yield from migrate.waits(survey)
    for name, side in survey.sides.items():
        if side.connection == "Connected" and side.synchronised_percent is None:
            yield from (
                f"{name} is {word}" for word in dict.fromkeys((side.disk, side.partner_disk)) if word != "UpToDate"
            )


def _spec(shares: Mapping[str, NodeSlice], name: str) -> DomainSpec:
    return next(share.domains[name] for share in shares.values() if name in share.domains)
