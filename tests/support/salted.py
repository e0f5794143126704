"""Nodes of a simulated world as Salt's own loaders in this process see them."""

from pathlib import Path
from typing import Any

from saltfactories.utils.functional import Loaders

from saltern.sim.host import SimHost
from saltern.sim.tools import changes_something
from saltern.sim.world import World

LAYERS = ("lvm", "drbd", "xen")
NODES = ("dom0", "dom0m")
Returned = dict[str, dict[str, Any]]


class Node:
    """One node: its door to the simulator, and Salt's functions as they are called there."""

    def __init__(self, loaders: Loaders, world: World, name: str) -> None:
        self.loaders = loaders
        self.host: SimHost = world.host(name)

    def run(self, function: str, *arguments: Any, **named: Any) -> Any:
        """Call an execution function, such as ``drbd.status``."""
        return self.loaders.modules[function](*arguments, **named)

    def apply(self, *layers: str, test: bool = False, pillar: dict[str, Any] | None = None) -> Returned:
        """``state.apply`` of layers, all of them by default: what each state returned, by ``ID module.function``."""
        returned = self.run("state.sls", ",".join(layers or LAYERS), test=test, pillar=pillar).raw
        assert isinstance(returned, dict), returned
        found = {}
        for key, value in returned.items():
            module, identifier, _, function = key.split("_|-")
            found[f"{identifier} {module}.{function}"] = value
        return found

    def commands(self) -> list[tuple[str, ...]]:
        """The commands run on this node since this was last asked."""
        commands, self.host.commands[:] = list(self.host.commands), []
        return commands

    def changing_commands(self) -> list[tuple[str, ...]]:
        """Those of ``commands`` that may have changed something."""
        return [command for command in self.commands() if changes_something(command)]


class Cluster:
    """Nodes by name, on one world, with a pillar that can be edited."""

    def __init__(self, world: World, loaders: dict[str, Loaders], pillar: Path) -> None:
        self.pillar = pillar
        self._loaders = loaders
        self.use(world)

    def use(self, world: World) -> None:
        """Go on in another world."""
        self.world = world
        self.nodes = {name: Node(loaders, world, name) for name, loaders in self._loaders.items()}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def converge(self) -> Returned:
        """Apply both nodes in turns until nothing changes; where one waits for the other, it goes on at its next turn.

        Returns the changes of each state that changed something, by node and state.
        """
        changes: Returned = {name: {} for name in NODES}
        for _ in range(5):
            failed = {}
            changed = False
            for name in NODES:
                for state, returned in self[name].apply().items():
                    changed = changed or bool(returned["changes"])
                    changes[name].setdefault(state, {}).update(returned["changes"])
                    if not returned["result"]:
                        failed[f"{name} {state}"] = returned["comment"]
            if not changed and not failed:
                return {name: {state: each for state, each in found.items() if each} for name, found in changes.items()}
        raise AssertionError(f"the cluster does not converge: {failed}")

    def edit(self, old: str, new: str) -> None:
        """Replace what stands once in the topology."""
        path = self.pillar / "saltern" / "init.sls"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the topology"
        path.write_text(text.replace(old, new))
        for node in self.nodes.values():
            node.loaders.refresh_pillar()
