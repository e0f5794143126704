"""The simulator as a target of the contract, behind as much of a shell as the recordings use."""

import re
import shlex
from collections.abc import Callable

from contract_target import Answer, Target

from saltern.errors import CommandFailed
from saltern.sim import drbd
from saltern.sim.world import NodeSpec, World

NODES = ("node1", "node2")
DONE = Answer(0, "", "")


class SimulatorTarget:
    """Two simulated nodes; time passes only with what is run."""

    def __init__(self) -> None:
        self.world = World.create(
            [
                NodeSpec(
                    name=name,
                    address=f"10.77.0.{number}",
                    volume_group="",
                    volume_group_size_bytes=2143289344,
                    memory_bytes=1124 * 1024**2,
                    shadow_paging=False,
                )
                for number, name in enumerate(NODES, 1)
            ]
        )
        for name in NODES:
            self.world.nodes[name].module_loaded = True

    def start(self, lead: Callable[[Target], None]) -> None:
        """See ``Target.start``."""
        lead(self)

    def write_file(self, node: str, path: str, text: str) -> None:
        """See ``Target.write_file``."""
        self.world.nodes[node].files[path] = (text, 0o644)

    def cut_link(self) -> None:
        """See ``Target.cut_link``."""
        self.world.cut_link(*NODES)

    def heal_link(self) -> None:
        """See ``Target.heal_link``."""
        self.world.heal_link(*NODES)

    def power_cut(self, node: str) -> None:
        """See ``Target.power_cut``."""
        self.world.power_cut(node)

    def power_on(self, node: str) -> None:
        """See ``Target.power_on``."""
        self.world.boot(node, drbd_service=False)
        self.world.nodes[node].module_loaded = True

    def run(self, node: str, command: str) -> Answer:
        """See ``Target.run``: lists with ``;`` and ``&&``, pipes, ``$?``, ``<`` and ``>``."""
        status, out, err = 0, "", ""
        for part in _split(command, ";"):
            for link in _split(part, "&&"):
                answer = self._pipe(node, link.replace("$?", str(status)))
                status, out, err = answer.returncode, out + answer.stdout, err + answer.stderr
                if status:
                    break
        return Answer(status, out, err)

    def _pipe(self, node: str, command: str) -> Answer:
        first, *filters = _split(command, "|")
        first, *into = _split(first, ">")
        first, *source = _split(first, "<")
        answer = self._simple(node, shlex.split(first), self._text(node, source[0]) if source else "")
        out = answer.stdout
        for text in filters:
            out = _filter(shlex.split(text), out)
        if into and into[0] != "/dev/null":
            self.write_file(node, into[0], out)
        return Answer(answer.returncode, "" if into else out, answer.stderr)

    def _text(self, node: str, path: str) -> str:
        text = self.world.read_file(node, path)
        assert text is not None, f"{node} has no {path}"
        return text

    def _simple(self, node: str, argv: list[str], stdin: str) -> Answer:
        while argv[0] in ("time", "timeout"):
            argv = argv[1 if argv[0] == "time" else 2 :]
        if argv[0] == "ssh":
            return self.run(argv[1], " ".join(argv[2:]))
        if argv[0] in _SILENT:
            return DONE
        if argv[0] == "mkfs.ext4":
            return self._mkfs(node, argv[-1])
        builtin = getattr(self, f"_{argv[0]}", None)
        if builtin is not None:
            answer: Answer = builtin(node, argv)
            return answer
        try:
            done = self.world.host(node).run(argv, stdin=stdin)
        except CommandFailed as failed:
            return Answer(failed.returncode, failed.stdout, failed.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    # --- Programs that are no part of the simulator ----------------------------------------------------------------
    def _echo(self, _node: str, argv: list[str]) -> Answer:
        return Answer(0, " ".join(argv[1:]) + "\n", "")

    def _sleep(self, _node: str, argv: list[str]) -> Answer:
        self.world.advance(float(argv[1]))
        return DONE

    def _cat(self, node: str, argv: list[str]) -> Answer:
        text = self.world.read_file(node, argv[1])
        missing = f"cat: {argv[1]}: No such file or directory\n"
        return Answer(1, "", missing) if text is None else Answer(0, text, "")

    def _tail(self, node: str, argv: list[str]) -> Answer:
        return Answer(0, _filter(argv[:2], self._text(node, argv[2])), "")

    def _rm(self, node: str, argv: list[str]) -> Answer:
        for path in argv[1:]:
            self.world.nodes[node].files.pop(path, None)
        return DONE

    def _sed(self, node: str, argv: list[str]) -> Answer:
        """``sed [-i] s/PATTERN/TEXT/ FILE``."""
        *_, script, path = argv
        _, pattern, replacement, _ = script.split("/")
        text = re.sub(pattern, replacement, self._text(node, path))
        if argv[1] != "-i":
            return Answer(0, text, "")
        self.write_file(node, path, text)
        return DONE

    def _lsmod(self, node: str, _argv: list[str]) -> Answer:
        """Three lines name DRBD: its own, and two of what it needs."""
        loaded = self.world.nodes[node].module_loaded
        return Answer(0, "drbd\nlru_cache 1 drbd\nlibcrc32c 1 drbd\n" if loaded else "", "")

    def _dd(self, node: str, argv: list[str]) -> Answer:
        words = dict(word.split("=") for word in argv[1:])
        minor = int(words["of"].removeprefix("/dev/drbd"))
        assert drbd.open(self.world, node, minor, "dd", True)
        answer = DONE
        for block in range(int(words["seek"]), int(words["seek"]) + int(words["count"])):
            self.world.writes += 1
            if not drbd.write(self.world, node, minor, block, self.world.writes):
                answer = Answer(1, "", f"dd: error writing '{words['of']}': Input/output error\n")
                break
        drbd.close(self.world, node, minor, "dd")
        return answer

    def _mount(self, node: str, argv: list[str]) -> Answer:
        if argv[1].startswith("/dev/drbd"):
            opened = drbd.open(self.world, node, int(argv[1].removeprefix("/dev/drbd")), "mount", True)
            return Answer(0 if opened else 32, "", "")
        self.world.nodes[node].devices[argv[1]].holders.append("mount")
        return DONE

    def _umount(self, node: str, _argv: list[str]) -> Answer:
        drbd.close(self.world, node, 1, "mount")
        for device in self.world.nodes[node].devices.values():
            device.holders = [holder for holder in device.holders if holder != "mount"]
        return DONE

    def _mkfs(self, node: str, path: str) -> Answer:
        """What stands at the start of a volume looks like a file system to LVM."""
        device = self.world.nodes[node].devices.get(path)
        if device is not None:
            device.records[0] = self.world.writes = self.world.writes + 1
        return DONE

    def _blockdev(self, node: str, argv: list[str]) -> Answer:
        found = self.world.nodes[node].drbd.by_minor(int(argv[2].removeprefix("/dev/drbd")))
        if found is None or not found[0].primary:
            return Answer(1, "", f"blockdev: cannot open {argv[2]}: Wrong medium type\n")
        return Answer(0, f"{found[1].size_sectors * 512}\n", "")


_SILENT = frozenset({"dmesg", "sync", "mkdir", "cp"})  # what they do is not simulated


def _split(command: str, mark: str) -> list[str]:
    """Split at a mark outside of quotes."""
    parts = re.split(rf"{re.escape(mark)}(?=(?:[^\"']|\"[^\"]*\"|'[^']*')*$)", command)
    return [part.strip() for part in parts if part.strip()]


def _filter(argv: list[str], text: str) -> str:
    lines = text.splitlines(keepends=True)
    if argv[0] == "head":
        return "".join(lines[: int(argv[-1].removeprefix("-"))])
    if argv[0] == "tail":
        return "".join(lines[-int(argv[-1].removeprefix("-")) :])
    found = [line for line in lines if re.search(argv[-1], line)]
    return f"{len(found)}\n" if "-c" in argv else "".join(found)
