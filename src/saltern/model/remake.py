"""What a remake is: steps in the order in which they are done, what is refused, and what stays behind."""

from dataclasses import dataclass
from enum import StrEnum

from saltern.model.desired import DomainSpec, Resource, Volume
from saltern.model.operation import Operation, Standing


class Kind(StrEnum):
    """What a step does. ``docs/design/remake.md`` says of each kind what must be so before and after it."""

    PREPARE_NODE = "prepare-node"
    CREATE_VOLUMES = "create-volumes"
    MIGRATE = "migrate"
    STOP = "stop"
    FREEZE = "freeze"
    DOWN = "down"
    RENAME_VOLUMES = "rename-volumes"
    UP = "up"
    DISCONNECT = "disconnect"
    CONNECT = "connect"
    ADJUST = "adjust"
    JOIN = "join"
    FIRST_SYNC = "first-sync"
    SYNCHRONISE = "synchronise"
    CONFIGURE_DOMAIN = "configure-domain"
    REMOVE_CONFIG = "remove-config"
    START = "start"
    EXTEND_VOLUMES = "extend-volumes"
    GROW = "grow"
    REMOVE_REPLICA = "remove-replica"
    RECORD = "record"
    RELEASE_NODE = "release-node"


class Span(StrEnum):
    """How long something lasts from a step on, as a class: how many seconds that are, only the nodes know."""

    NO = "no"
    MOMENT = "a moment"
    RESTART = "from its shutdown to its start"
    CHANGES = "until what was written meanwhile is synchronised"
    FULL = "until a full synchronisation has ended"
    FOREVER = "for good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: on ``nodes``, about ``disk`` (a device, of AFTER where it is there) of ``domain``.

    ``volumes`` are those that the step creates, renames, extends or removes, as they are afterwards (removed ones as they
    were), ``former`` what renamed ones were called, in the same order. ``was`` is the resource before the step, ``resource`` what
    it is made; ``spec`` the domain as it is to be configured or started. ``MIGRATE`` names the source first, ``DISCONNECT`` the
    copy that follows.
    ``stops_domain`` and ``single_copy`` tell what begins with this step; ``destroys`` holds the names that allow it.
    """

    kind: Kind
    words: str
    nodes: tuple[str, ...] = ()
    domain: str | None = None
    disk: str | None = None
    stops_domain: Span = Span.NO
    single_copy: Span = Span.NO
    risk: str = ""
    undo: str = ""
    destroys: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    former: tuple[Volume, ...] = ()
    was: Resource | None = None
    resource: Resource | None = None
    spec: DomainSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that is not planned: where it is written, what was found there, what is allowed, and what to do.

    ``name`` is what has to be named in ``destroy``, where that is what lacks.
    """

    place: str
    found: str
    allowed: str
    remedy: str
    name: str | None = None

    def __str__(self) -> str:
        return f"  {self.place}: {self.found}; allowed: {self.allowed}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A volume that AFTER no longer uses, and that no step removes, because it holds no data of a domain."""

    node: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remake:
    """The whole plan. Where something is refused there are no steps."""

    steps: tuple[Step, ...]
    refusals: tuple[Refusal, ...]
    leftovers: tuple[Leftover, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaking:
    """What a node keeps of the remake of a domain: the entry by which nothing else is done with it, and how far it is.

    ``reached`` of the ``steps`` of its plan are done, on all nodes. With ``over`` it is no entry any more, but the note that this
    plan was carried out. The id of the operation is ``PLAN-RUN``: the same plan can be taken up by another run.
    """

    operation: Operation
    reached: int
    steps: int
    over: bool = False

    @property
    def plan(self) -> str:
        """The plan that is carried out: two with the same are one remake."""
        return plan_of(self.operation.id)


def plan_of(identifier: str) -> str:
    """The plan in the id ``PLAN-RUN``."""
    return identifier.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """A remake as a node has it, and whether somebody works on it now."""

    remaking: Remaking
    standing: Standing
