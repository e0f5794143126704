"""What Saltern renders, read by the real drbdadm and by Saltern's own parser."""

import dataclasses
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from saltern.model.desired import Resource, ResourceHost, TieBreaker
from saltern.model.observed import ConfiguredHost, ConfiguredVolume
from saltern.model.running import Generation
from saltern.parse import drbdadm_adjust, drbdadm_dump_xml
from saltern.plan.project import configuration
from saltern.render.drbd_resource import render

pytestmark = pytest.mark.needs_tool("drbdadm")

MODULE = {Generation.V84: "8.4.11", Generation.V9: "9.2.5"}


@pytest.fixture(params=list(Generation), ids=lambda generation: f"drbd-{generation}")
def generation(request: pytest.FixtureRequest) -> Generation:
    generation: Generation = request.param
    if generation is Generation.V84 and not Path("/usr/lib/drbd/drbdadm-84").exists():
        if os.environ.get("SALTERN_REQUIRE_TOOLS"):
            pytest.fail("drbdadm has no part for 8.4, but SALTERN_REQUIRE_TOOLS is set", pytrace=False)
        pytest.skip("drbdadm has no part for 8.4")
    return generation


def drbdadm(
    generation: Generation, folder: Path, *resources: Resource, command: tuple[str, ...], node: str = "dom0"
) -> str:
    """What drbdadm on a node says to the rendered resources, as if the module of that generation were loaded."""
    # Addresses in a test are not those of this machine.
    texts = ["global { disable-ip-verification; usage-count no; }\n", *(render(r, generation) for r in resources)]
    file = folder / "all.res"
    file.write_text("".join(texts))
    environment = {**os.environ, "__DRBD_NODE__": node, "DRBD_DRIVER_VERSION_OVERRIDE": MODULE[generation]}
    done = subprocess.run(
        ["drbdadm", "-c", str(file), *command], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def side(node: str, node_id: int, number: int, **changes: object) -> ResourceHost:
    plain = ResourceHost(
        node=node,
        node_id=node_id,
        address=f"192.168.1.{190 + node_id}",
        port=7790 + number,
        minor=number,
        disk=f"/dev/XEN/disk{number}",
        meta_device="/dev/XEN/meta",
        meta_index=number,
    )
    return dataclasses.replace(plain, **changes)


def resource(name: str, number: int, sections: dict[str, dict[str, str]] | None = None, **changes: object) -> Resource:
    return Resource(
        name=name,
        domain=name,
        protocol="C",
        size_bytes=1024**3,
        hosts=(side("dom0", 0, number, **changes), side("dom0m", 1, number, **changes)),
        sections=sections or {},
    )


RESOURCES = (
    resource("dns", 1),
    resource("mail-data", 2, meta_device="/dev/XEN/mail-data_meta", meta_index=None),
    resource("vpn.x_1", 3, {"net": {"fencing": "resource-only"}, "handlers": {"fence-peer": "/x 'a' \"b\" \\c; }"}}),
    resource("disk", 4, {"disk": {"resync-rate": "10M", "fencing": "dont-care"}, "options": {"quorum": "off"}}),
    resource("10", 5, {"net": {"shared-secret": "no", "verify-alg": "sha1", "always-asbp": "yes"}}, disk="/dev/X Y/z"),
)


def expected(host: ResourceHost) -> ConfiguredHost:
    volume = ConfiguredVolume(
        minor=host.minor, disk=host.disk, meta_device=host.meta_device, meta_index=host.meta_index
    )
    return ConfiguredHost(node=host.node, address=host.address, port=host.port, volumes={0: volume})


def test_every_number_comes_back(generation: Generation, tmp_path: Path) -> None:
    found = drbdadm_dump_xml.parse(drbdadm(generation, tmp_path, *RESOURCES, command=("dump-xml",)))
    assert {name: item.hosts for name, item in found.items()} == {
        item.name: tuple(expected(host) for host in item.hosts) for item in RESOURCES
    }


def test_ipv6_comes_back(generation: Generation, tmp_path: Path) -> None:
    hosts = (side("dom0", 0, 1, address="fd00::1"), side("dom0m", 1, 1, address="fd00::2"))
    dns = dataclasses.replace(RESOURCES[0], hosts=hosts)
    found = drbdadm_dump_xml.parse(drbdadm(generation, tmp_path, dns, command=("dump-xml",)))
    assert found["dns"].hosts == tuple(expected(host) for host in hosts)


BROKEN_TIE = dataclasses.replace(
    RESOURCES[0], tie_breaker=TieBreaker(node="third", address="192.168.1.192", port=7791, minor=1)
)


def test_a_tie_breaker_is_configured_without_a_disk(tmp_path: Path) -> None:
    found = drbdadm_dump_xml.parse(drbdadm(Generation.V9, tmp_path, BROKEN_TIE, command=("dump-xml",)))
    volume = ConfiguredVolume(minor=1, disk="none", meta_device="none", meta_index=None)
    third = ConfiguredHost(node="third", address="192.168.1.192", port=7791, volumes={0: volume})
    assert found["dns"].hosts == (*map(expected, BROKEN_TIE.hosts), third)
    assert found["dns"].hosts == configuration(BROKEN_TIE).hosts


def test_a_side_connects_with_both_others_and_wants_quorum(tmp_path: Path) -> None:
    lines = drbdadm(Generation.V9, tmp_path, BROKEN_TIE, command=("-d", "up", "dns")).splitlines()
    assert {"drbdsetup connect dns 1", "drbdsetup connect dns 31"} <= set(lines)
    assert "drbdsetup peer-device-options dns 31 0 --bitmap=no" in lines
    (new,) = (line.split() for line in lines if line.startswith("drbdsetup new-resource"))
    assert {"--quorum=majority", "--on-no-quorum=suspend-io", "--on-no-data-accessible=suspend-io"} <= set(new)


def test_a_tie_breaker_is_brought_up_without_a_disk(tmp_path: Path) -> None:
    dry_run = drbdadm(Generation.V9, tmp_path, BROKEN_TIE, command=("-d", "adjust", "dns"), node="third")
    lines = dry_run.splitlines()
    assert "drbdsetup new-minor dns 1 0 --diskless" in lines
    assert {"drbdsetup connect dns 0", "drbdsetup connect dns 1"} <= set(lines)
    assert not [line for line in lines if "attach" in line or line.startswith("drbdmeta")]
    found = drbdadm_adjust.parse(dry_run, {"dns": configuration(BROKEN_TIE)}, "third")
    assert found == {"dns": tuple(lines)}


def test_what_would_be_run_is_attributed_to_the_resource_that_it_is_for(generation: Generation, tmp_path: Path) -> None:
    configured = drbdadm_dump_xml.parse(drbdadm(generation, tmp_path, *RESOURCES, command=("dump-xml",)))
    dry_run = drbdadm(generation, tmp_path, *RESOURCES, command=("-d", "adjust", "all"))
    found = drbdadm_adjust.parse(dry_run, configured, "dom0")
    assert found.keys() == {item.name for item in RESOURCES}
    assert sorted(line for lines in found.values() for line in lines) == sorted(dry_run.splitlines())
    for item in RESOURCES:
        assert any(f" attach {item.hosts[0].minor} " in line for line in found[item.name])


def options(generation: Generation, folder: Path, resource: Resource) -> dict[str | None, str | None]:
    """The options of a rendered resource as drbdadm reads them."""
    root = ElementTree.fromstring(drbdadm(generation, folder, resource, command=("dump-xml",)))  # noqa: S314
    return {option.get("name"): option.get("value") for option in root.iter("option")}


@pytest.mark.parametrize(
    "text",
    [
        "/usr/lib/drbd/notify.sh",
        "/x 'single' \"double\" back\\slash",
        "} resource evil { on x { } }",
        "# not a comment; // nor this",
        "$(reboot) `reboot` & < > |",
        "Käse — 茶",
        "x" * 255,
        "disk",
        "no",
        "10",
    ],
)
def test_text_in_a_file_comes_back_as_it_was(text: str, generation: Generation, tmp_path: Path) -> None:
    dns = resource("dns", 1, {"handlers": {"split-brain": text}, "net": {"shared-secret": text[:63]}})
    found = options(generation, tmp_path, dns)
    assert found["split-brain"] == text
    assert found["shared-secret"] == text[:63]


def test_every_option_that_differs_between_the_generations_is_accepted(generation: Generation, tmp_path: Path) -> None:
    sections = {
        "net": {"fencing": "resource-and-stonith", "unplug-watermark": "128", "allow-remote-read": "yes"},
        "disk": {"max-bio-bvecs": "1", "resync-rate": "10M", "c-plan-ahead": "0", "al-extents": "1237"},
        "options": {
            "quorum": "majority",
            "on-no-quorum": "io-error",
            "quorum-minimum-redundancy": "1",
            "on-suspended-primary-outdated": "force-secondary",
            "auto-promote-timeout": "20",
            "max-io-depth": "8000",
            "peer-ack-delay": "100",
            "peer-ack-window": "4096s",
            "twopc-retry-timeout": "10",
            "twopc-timeout": "300",
            "cpu-mask": "3",
        },
        "handlers": {"quorum-lost": "/x", "disconnected": "/x", "fence-peer": "/x"},
    }
    found = options(generation, tmp_path, resource("dns", 1, sections))
    assert "fencing" in found
    assert ("quorum" in found) == (generation is Generation.V9)
    assert ("unplug-watermark" in found) == (generation is Generation.V84)
