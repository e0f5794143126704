"""Fence agents of ClusterLabs, as the guard uses them (FenceAgentAPI.md): options on standard input, and what they say verified.

Each run is in a thread of its own, for beats and the watchdog wait for none. No option is ever told: only the agent knows which
of them is a secret.
"""

import re
import threading
from collections.abc import Callable, Collection, Mapping
from queue import SimpleQueue
from typing import Final, NamedTuple

from saltern.errors import CommandFailed, CommandMissing, CommandTimeout, Refused
from saltern.guarding.events import Event
from saltern.guarding.journal import Journal
from saltern.guarding.queues import drained
from saltern.model.topology import FenceAgent
from saltern.run import Host

_ON, _OFF = 0, 2  # what `status` ends with; 1 is that nobody could be asked
_AGAIN_S: Final = 3600.0  # until an agent that has worked is tried again
_SOON_S: Final = 300.0  # and one that has not
_SWITCHES: Final = frozenset({"0", "1", "yes", "no", "on", "off", "true", "false"})  # no secrets
_SHORT: Final = 4  # characters: such a value is looked for as a word, or hardly any line could be shown
_SHOWN: Final = 200


class Fenced(NamedTuple):
    """What has come of having a node switched off: it was seen to be ``off``, or not."""

    node: str
    off: bool


def switch_off(host: Host, node: str, agent: FenceAgent) -> None:
    """Have a node switched off, and see that it is. Raises ``Refused``: nothing is known of the node then."""
    _run(host, node, agent, "off", allowed=(0,))
    if _run(host, node, agent, "status", allowed=(_ON, _OFF)) == _ON:
        raise _refused(node, f"{agent.agent} says that it has switched it off, and then that it is on")


def try_out(host: Host, node: str, agent: FenceAgent) -> None:
    """See that an agent reaches what it speaks to. Raises ``Refused``."""
    _run(host, node, agent, "status", allowed=(_ON, _OFF))


def _run(host: Host, node: str, agent: FenceAgent, action: str, allowed: Collection[int]) -> int:
    given = {**agent.options, "nodename": node, "action": action}
    stdin = "".join(f"{name}={value}\n" for name, value in given.items())
    try:
        return host.run([agent.agent], stdin=stdin, allowed=allowed, timeout_s=agent.timeout_s).returncode
    # What the tools' own errors quote may have an option in it.
    except CommandMissing:
        reason = f"there is no {agent.agent} on this node; Debian has it in the package fence-agents"
    except CommandTimeout:
        reason = f"{agent.agent} has not ended `{action}` within {agent.timeout_s:g} s, and was killed"
    except CommandFailed as error:
        said = _without(agent.options.values(), error.stderr or error.stdout)
        reason = f"{agent.agent} has ended `{action}` with exit code {error.returncode}, and said: {said}"
    except OSError as error:
        reason = f"{agent.agent} cannot be run: {error.strerror}"
    raise _refused(node, reason)


def _refused(node: str, reason: str) -> Refused:
    return Refused(f"agent of {node}", reason, "Run it by hand with the same options, or correct them in the topology")


def _without(values: Collection[str], text: str) -> str:
    """The last line that shows none of these values, in words."""
    patterns = [_pattern(each) for each in values if each.lower() not in _SWITCHES]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    shown = [line for line in lines if not any(each.search(line) for each in patterns)]
    if not lines:
        return "nothing"
    return shown[-1][:_SHOWN] if shown else "what is not shown, as an option of it is in each line"


def _pattern(value: str) -> re.Pattern[str]:
    text = re.escape(value)
    return re.compile(text if len(value) >= _SHORT else rf"(?<!\w){text}(?!\w)")


class Agents:
    """The agents of a guard, by the node that each switches off. ``wake`` is called when one has come to its end."""

    def __init__(
        self, host: Host, agents: Mapping[str, FenceAgent], wake: Callable[[], None], journal: Journal
    ) -> None:
        self._host, self._agents, self._wake, self._journal = host, agents, wake, journal
        self._ended: SimpleQueue[Fenced] = SimpleQueue()
        self._trouble: dict[str, str | None] = dict.fromkeys(agents, "it was not tried out yet")

    def start(self) -> None:
        """Try each out, now and from time to time."""
        for node in self._agents:
            threading.Thread(target=self._watch, args=(node,), daemon=True).start()

    def fence(self, node: str) -> None:
        """Have a node switched off; ``ended`` tells what came of it."""
        threading.Thread(target=self._fence, args=(node,), daemon=True).start()

    def ended(self) -> list[Fenced]:
        """What has come to its end since this was asked last."""
        return drained(self._ended)

    @property
    def trouble(self) -> dict[str, str | None]:
        """Why the agent of a node does not work, by node, as it was tried last; ``None`` for one that does."""
        return dict(self._trouble)

    def _watch(self, node: str) -> None:
        pause = threading.Event()
        while True:
            reason = self._attempt(node, try_out)
            words = reason or f"{self._agents[node].agent} works: it reaches what it speaks to"
            self._journal.say(f"agent of {node}", words, Event.AGENT_FAILS if reason else None)
            pause.wait(_SOON_S if reason else _AGAIN_S)

    def _fence(self, node: str) -> None:
        # As long as nothing else is said of the node, a further attempt is no news, nor is a failure for the same reason.
        words = "its fence agent is asked to switch it off"
        is_first = self._journal.say(f"node {node}", words, Event.FENCING_BEGINS)
        reason = self._attempt(node, switch_off)
        if reason is None:
            words = f"{self._agents[node].agent} has switched it off, and says that it is off"
            self._journal.tell(f"fencing of {node}", words, Event.NODE_FENCED)
        else:
            tell = self._journal.tell if is_first else self._journal.say
            tell(f"fencing of {node}", reason, Event.FENCING_FAILED)
        self._ended.put(Fenced(node, reason is None))
        self._wake()

    def _attempt(self, node: str, do: Callable[[Host, str, FenceAgent], None]) -> str | None:
        """Why it has not succeeded, if so."""
        reason = None
        try:
            do(self._host, node, self._agents[node])
        except Refused as refused:
            reason = refused.reason
        self._trouble[node] = reason
        return reason
