"""The simulated drbdadm understands and refuses what the installed one does, in both generations, word for word."""

import os
import subprocess
from pathlib import Path

import pytest

from saltern.sim import drbd
from saltern.sim.world import NodeSpec, World

pytestmark = pytest.mark.needs_tool("drbdadm")

STATEMENTS = "device /dev/drbd11; disk /dev/XEN/aaa; meta-disk /dev/XEN/meta[2];"


def resource(
    name: str = "aaa",
    *,
    port: str = "7801",
    statements: str = STATEMENTS,
    inside: str = "",
    other: str | None = None,
    names: tuple[str, str] = ("h1", "h2"),
) -> str:
    """A resource between h1 and h2; ID0 and ID1 become node-ids on 9."""
    second = statements if other is None else other
    return (
        f"resource {name} {{ {inside}\n"
        f"  on {names[0]} {{ ID0 address 127.0.0.1:{port}; {statements} }}\n"
        f"  on {names[1]} {{ ID1 address 10.77.0.2:{port}; {second} }}\n}}\n"
    )


BBB = "device /dev/drbd12; disk /dev/XEN/bbb; meta-disk /dev/XEN/bbb_meta;"
COMMON = (
    "common { net { ping-int 3; ping-timeout 9; after-sb-0pri disconnect; } "
    'disk { al-extents 301; on-io-error detach; } handlers { split-brain "/bin/true x"; } }\n'
)
CONFIGURATIONS = {
    "two resources": resource() + resource("bbb", port="7802", statements=BBB),
    "options": COMMON
    + resource(
        inside='net { protocol A; ping-timeout 7; verify-alg sha1; shared-secret "a b"; allow-two-primaries; } '
        "disk { on-io-error pass_on; disk-flushes no; resync-rate 3M; c-max-rate 5M; } options { cpu-mask 1; }"
    ),
    "statements for both hosts": "resource r { net { protocol C; } device minor 13; disk /dev/XEN/r; meta-disk internal;\n"
    " on h1 { ID0 address ipv6 [::1]:7803; }\n on h2 { ID1 address ipv6 [fd01::2]:7803; }\n}\n",
    "volumes": "resource r { volume 0 { device minor 13; disk /dev/XEN/r; meta-disk /dev/XEN/r_meta; }\n"
    " volume 1 { device minor 14; disk /dev/XEN/s; meta-disk internal; disk { resync-rate 20M; } }\n"
    " on h1 { ID0 address 127.0.0.1:7803; }\n on h2 { ID1 address 10.77.0.2:7803; }\n}\n",
    "authentication": resource(inside='net { cram-hmac-alg sha256; shared-secret "a+b/c=="; }'),
    "longest secret": resource(inside=f"net {{ cram-hmac-alg sha256; shared-secret {'s' * 63}; }}"),
    "secret too long": resource(inside=f"net {{ cram-hmac-alg sha256; shared-secret {'s' * 64}; }}"),
    "algorithm too long": resource(inside=f"net {{ verify-alg {'a' * 64}; }}"),
    "mask too long": resource(inside=f"options {{ cpu-mask {'f' * 32}; }}"),
    "long unknown policy": resource(inside="net { after-sb-0pri discard-nothing-whatsoever; }"),
    "a comment and a quoted value": "# first\n" + resource(inside='handlers { fence-peer "/bin/x -y; z"; } # last'),
    "another host's resource": resource(names=("h7", "h8")) + resource("bbb", port="7802", statements=BBB),
    "not on this host": resource(names=("h7", "h8")),
    "nothing": "common { }\n",
    "backing disk used twice": resource() + resource("bbb", port="7802", statements=BBB.replace("/bbb;", "/aaa;")),
    "minor taken": resource() + resource("bbb", port="7802", statements=BBB.replace("12", "11")),
    "minor taken on the peer": resource() + resource("bbb", port="7802", statements=BBB, other=BBB.replace("12", "11")),
    "port taken": resource() + resource("bbb", statements=BBB),
    "slot taken": resource() + resource("bbb", port="7802", statements=BBB.replace("bbb_meta", "meta[2]")),
    "flexible metadata taken": resource(statements=BBB)
    + resource("bbb", port="7802", statements=BBB.replace("12", "13")),
    "name taken": resource() + resource(port="7802", statements=BBB),
    "minor, port and slot taken": resource() + resource("bbb", statements=STATEMENTS.replace("aaa", "bbb")),
    "host twice": resource(names=("h1", "h1")),
    "section twice": resource(inside="net { ping-int 3; } net { ping-timeout 4; }"),
    "statement twice": resource(statements=STATEMENTS + " device /dev/drbd13;"),
    "unknown option": resource(inside="net { allow-two-primary; }"),
    "unknown handler": resource(inside="handlers { frob x; }"),
    "unknown statement": resource(statements=STATEMENTS + " frob x;"),
    "unknown section": resource(inside="frob { }"),
    "unknown at the top": resource() + "frob;\n",
    "not a number": resource(inside="net { ping-int abc; }"),
    "out of range": resource(inside="net { ping-int 100000; }"),
    "not yes or no": resource(inside="net { allow-two-primaries maybe; }"),
    "unknown protocol": resource(inside="protocol D;"),
    "unknown policy": resource(inside="net { after-sb-0pri discard-nothing; }"),
    "no semicolon": resource(statements=STATEMENTS.replace("; disk", " disk", 1)),
    "no brace": resource().replace("resource aaa {", "resource aaa net {"),
    "no disk": resource(statements=STATEMENTS.replace("disk /dev/XEN/aaa;", "")),
    "no metadata": resource(statements=STATEMENTS.replace("meta-disk /dev/XEN/meta[2];", "")),
    "port out of range": resource(port="77801"),
    "fencing in the net section": resource(inside="net { fencing resource-only; }"),
    "fencing in the disk section": resource(inside="disk { fencing resource-only; }"),
    "auto-promote": resource(inside="options { auto-promote no; quorum off; }"),
    "end of file in a host": resource() + "resource bad {\n on h1 {",
}
COMMANDS = (
    ("-d", "adjust", "all"),
    ("-d", "up", "all"),
    ("-d", "create-md", "all"),
    ("-d", "get-gi", "all"),
    ("-d", "primary", "all"),
    ("-d", "resize", "all"),
    ("dump",),
    ("dump-xml",),
    ("sh-dev", "all"),
    ("sh-md-idx", "all"),
)


# drbdadm 9 prints volumes that count for all hosts where they stand, and no metadata where none are placed.
UNLIKE = {(case, "9", ("dump",)) for case in ("statements for both hosts", "volumes", "no metadata")}


def text_for(case: str, generation: str) -> str:
    ids = ("node-id 0;", "node-id 1;") if generation == "9" else ("", "")
    return "global { usage-count no; }\n" + CONFIGURATIONS[case].replace("ID0", ids[0]).replace("ID1", ids[1])


def real(path: Path, generation: str, arguments: tuple[str, ...]) -> tuple[int, list[str], list[str]]:
    kernel = {"8.4": "8.4.11", "9": "9.2.12"}[generation]
    environment = os.environ | {"__DRBD_NODE__": "h1", "DRBD_DRIVER_VERSION_OVERRIDE": kernel, "LC_ALL": "C"}
    done = subprocess.run(
        ["drbdadm", "-c", str(path), *arguments], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, lines(done.stdout), lines(done.stderr)


def lines(text: str) -> list[str]:
    """Without what it says about pretending, and without the places of its helpers."""
    text = text.replace("/usr/lib/drbd/", "").replace("drbdadm-84", "drbdadm")
    noise = ("PRETENDING", "__DRBD_NODE__", "modinfo: not found")
    return [line for line in text.splitlines() if line.strip() and not any(word in line for word in noise)]


@pytest.mark.parametrize("generation", ["8.4", "9"])
@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_configuration_means_what_it_means_to_drbdadm(tmp_path: Path, case: str, generation: str) -> None:
    path = tmp_path / "drbd.conf"
    path.write_text(text_for(case, generation))
    world = World.create([NodeSpec(name="h1", address="127.0.0.1", drbd=generation)])
    world.nodes["h1"].files[str(path)] = (path.read_text(), 0o644)
    for arguments in COMMANDS:
        if (case, generation, arguments) in UNLIKE:
            continue
        answer = drbd.run(world, "h1", ["drbdadm", "-c", str(path), *arguments])
        assert (answer.returncode, lines(answer.stdout), lines(answer.stderr)) == real(path, generation, arguments), (
            arguments
        )
