"""Converging one node: look, plan a step, do it, look again; or, as a dry run, foresee instead of doing."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from saltern import operations
from saltern.act import perform, try_file
from saltern.errors import Refused, SalternError
from saltern.model.action import Action, Promote
from saltern.model.desired import NodeSlice
from saltern.model.observed import SshKeys
from saltern.model.operation import Standing
from saltern.model.places import operation_lock, stopped_file
from saltern.model.running import ConnectionState
from saltern.observe import AskKeys, Observation
from saltern.plan.activation import connection_state
from saltern.plan.items import Item, Kind, domains_of, items, items_of, on_request, step
from saltern.plan.project import RUNNING, XEN, Part, file_at, operation_on, project, remake_of, touched
from saltern.plan.step import Change, Step, Wait
from saltern.run import Host

DEFAULT_WAIT_S = 60.0
POLL_S = 0.5
_STEPS_AT_MOST = 10
# How long connections that were down may take, in a run, to show whether the sides accept each other.
_SETTLE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one item: ``result`` is ``None`` for a dry run that would change something.

    ``warnings`` are for a person: nothing is to be done here, but something is not well.
    """

    result: bool | None
    changes: dict[str, Change] = field(default_factory=dict)
    comment: str = ""
    actions: tuple[Action, ...] = ()
    warnings: tuple[str, ...] = ()


class Converge:
    """One run over one node. Every tool is read once, and again after a change that touches what it tells.

    ``wait_s`` bounds, for the run as a whole, the time spent waiting for the partner; ``known`` describes a node that is
    only imagined: nothing is read or tried. ``ask_keys`` tells what a partner has told of its keys. ``ours`` is the id of the
    remake that this run is part of; what is in another one is left alone.
    """

    def __init__(
        self,
        host: Host,
        node_slice: NodeSlice,
        *,
        test: bool = False,
        wait_s: float = DEFAULT_WAIT_S,
        known: Mapping[Part, object] | None = None,
        ask_keys: AskKeys | None = None,
        ours: str | None = None,
    ) -> None:
        self._host = host
        self._ours = ours
        self._slice = node_slice
        self._items = frozenset([*items(node_slice), *on_request(node_slice)])
        self._test = test
        self._wait_left_s = wait_s
        keys = _foreseeing(ask_keys) if test else ask_keys
        self._view = Observation(host, node_slice.node, keys, ours=ours)
        self._view.assume(known or {})
        self._imagined = known is not None
        self._settle_left_s = _SETTLE_S

    def all(self) -> dict[Item, Outcome]:
        """Every item of the node, in order."""
        return {item: self.item(item) for item in items(self._slice)}

    def domain(self, domain: str) -> dict[Item, Outcome]:
        """Every item that a domain needs on the node, in order; raises ``Refused`` for one that it has no share in."""
        return {item: self.item(item) for item in items_of(domain, self._slice)}

    def item(self, item: Item) -> Outcome:
        """Bring one item to what it should be, or tell why that cannot be done now."""
        run = _Run()
        try:
            if item not in self._items:
                raise Refused(str(item), "the topology gives this node no such thing", "Correct the name")
            comment = self._steps(item, run)
        except (SalternError, OSError) as error:
            run.end()
            trouble = self._give_roles_back(run)
            return Outcome(result=False, changes=run.changes, comment="; ".join([*run.comments, str(error), *trouble]))
        result = None if self._test and (run.actions or run.waits) else True
        return Outcome(
            result=result,
            changes=run.changes,
            comment=comment,
            actions=tuple(run.actions),
            warnings=tuple(run.warnings),
        )

    def _steps(self, item: Item, run: "_Run") -> str:
        """Take steps until none is left; returns what is to be said."""
        taken = 0
        while True:
            found = self._next(item, run)
            if run.repeats(found):
                self._wait_for_effect(item, found, run)
                found = self._next(item, run)
            if run.waits:
                return "; ".join([*run.comments, f"{found.comment}: this would be waited for"])
            if not run.repeats(found):
                run.end(effective=True)
                taken += 1
            if not found.actions:
                run.warnings = [] if found.warning is None or run.comments else [found.warning]
                return "; ".join(run.comments) or found.comment
            if taken > _STEPS_AT_MOST:
                raise Refused(str(item), "it does not settle: what is done is undone again", "See what else acts here")
            self._take(item, found, run)

    def _next(self, item: Item, run: "_Run") -> Step:
        """The next step, after all that it waits for; a dry run waits for nothing and says so."""
        found = step(item, self._slice, self._view)
        while isinstance(found, Wait):
            if self._test:
                run.waits = True
                return Step(comment=found.reason)
            self._wait(str(item), found.reason, found.remedy)
            found = step(item, self._slice, self._view)
        return found

    def _wait_for_effect(self, item: Item, found: Step, run: "_Run") -> None:
        """Give what was done a while to have an effect: only then is it known whether it is to be done again."""
        if found.waits_for is None:
            run.taken = None  # so it has changed nothing
            raise Refused(str(item), "what was done had no effect", "Look at the logs of this node")
        self._wait(str(item), found.waits_for, "Apply again when that has happened")

    def _take(self, item: Item, found: Step, run: "_Run") -> None:
        standalone = self._standalone(item)
        left = self._view.operation(item.name) if item.kind is Kind.OPERATION else None
        with self._undisturbed(item) as undisturbed:
            if not undisturbed:
                return
            for action in found.actions:
                run.actions.append(action)
                self._do(action, left)
        if standalone and not self._test:
            self._settle(item)
        run.taken = found

    @contextmanager
    def _undisturbed(self, item: Item) -> Iterator[bool]:
        """Keep off whoever would enter something else for the domains of an item; not so when that has been done meanwhile.

        What this run has seen may be minutes old: the step is decided anew then. A remake that this run is part of, and whoever
        carries an operation out, hold the domain already.
        """
        if self._test or self._ours is not None:
            yield True
            return
        domains = sorted(domains_of(item, self._slice))
        with ExitStack() as stack:
            # While they are held, it looks as if somebody worked on them.
            stack.callback(self._forget_entries, domains)
            for domain in domains:
                with suppress(BlockingIOError):
                    stack.enter_context(self._host.hold(operation_lock(domain)))
            seen = self._entered(item, domains)
            self._forget_entries(domains)
            yield seen == self._entered(item, domains)

    def _entered(self, item: Item, domains: Iterable[str]) -> list[str | None]:
        look = self._view.operation if item.kind is Kind.DOMAIN else self._view.remade
        found = [look(domain) for domain in domains]
        return [None if each is None else each.operation.id for each in found]

    def _forget_entries(self, domains: Iterable[str]) -> None:
        self._view.forget(part for domain in domains for part in (operation_on(domain), remake_of(domain)))

    def _do(self, action: Action, left: Standing | None) -> None:
        """Perform an action, or foresee it; what settles an operation that was ``left`` is done while that is held."""
        self._view.note(action)
        if self._test:
            if not self._imagined:
                try_file(self._host, action)
            self._view.assume(project(action, self._slice, self._view))
            return
        try:
            if left is None:
                perform(self._host, action)
            else:
                operations.settle_step(self._host, left.operation, action)
        finally:
            # Also after a failure: what the command did until then is unknown until it is read, and so is what others did.
            self._view.forget(touched(action))
            if left is not None:
                domain = left.operation.domain
                self._view.forget({XEN, operation_on(domain), file_at(stopped_file(domain))})

    def _wait(self, subject: str, reason: str, remedy: str) -> None:
        if self._wait_left_s <= 0:
            raise Refused(subject, reason, remedy)
        pause_s = min(POLL_S, self._wait_left_s)
        self._wait_left_s -= pause_s
        self._host.sleep(pause_s)
        self._view.forget_all()

    def _standalone(self, item: Item) -> bool:
        return item.kind is Kind.ACTIVATION and self._state(item) is ConnectionState.STANDALONE

    def _state(self, item: Item) -> ConnectionState | None:
        return connection_state(self._view.running.get(item.name))

    def _settle(self, item: Item) -> None:
        """After a reconnection: see whether the sides accept each other, or part again as in a split-brain."""
        while self._state(item) is not ConnectionState.CONNECTED:
            if self._state(item) in (None, ConnectionState.STANDALONE):
                raise Refused(
                    f"resource {item.name}",
                    "it was told to connect and is StandAlone again: a split-brain, or the partner is configured differently",
                    "Look at `dmesg` on both nodes; in a split-brain decide which side's changes to give up. "
                    "Saltern never discards data by itself",
                )
            if self._settle_left_s <= 0:
                return
            self._settle_left_s -= POLL_S
            self._host.sleep(POLL_S)
            self._view.forget({RUNNING})

    def _give_roles_back(self, run: "_Run") -> list[str]:
        """After a failure: a side that was promoted and serves no domain becomes Secondary again, as far as it can."""
        trouble = []
        for name in {action.resource: None for action in run.actions if isinstance(action, Promote)}:
            try:
                self._view.forget_all()
                self._steps(Item(Kind.ROLE, name), _Run())
            except (SalternError, OSError) as error:
                trouble.append(f"giving back the role of {name} failed: {error}")
        return trouble


def _foreseeing(ask_keys: AskKeys | None) -> AskKeys | None:
    """For a dry run, which assumes that the partner is applied at the same time: it will have told its keys by then."""
    if ask_keys is None:
        return None
    return lambda node: ask_keys(node) or SshKeys(migration="ssh-ed25519 AAAA", host=())


class _Run:
    """What was done so far for one item. ``taken`` is the step whose effect has not been seen yet."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.changes: dict[str, Change] = {}
        self.comments: list[str] = []
        self.warnings: list[str] = []
        self.taken: Step | None = None
        self.waits = False

    def repeats(self, found: Step) -> bool:
        """Whether a step is the one that was taken, so that nothing has come of it yet."""
        return self.taken is not None and found.actions == self.taken.actions

    def end(self, *, effective: bool = False) -> None:
        """The last step is over: its changes are told, unless it is one that may have had no effect and had none."""
        if self.taken is not None and (effective or self.taken.waits_for is None):
            self.changes |= self.taken.changes
            self.comments.append(self.taken.comment)
        self.taken = None
