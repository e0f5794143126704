"""Configurations are written whole, never over somebody else's file, never with a number that is in use here."""

from dataclasses import replace

import pytest
from nodes import BLANK, lvm, pair_slice, running, view

from saltern.errors import CommandFailed, Refused
from saltern.model.action import WriteFile
from saltern.model.observed import ConfiguredHost, ConfiguredResource, ConfiguredVolume
from saltern.model.places import BLOCK_SCRIPT
from saltern.model.running import Generation
from saltern.plan.configuration import domain_step, resource_step, script_step
from saltern.plan.project import CONFIGURED, configuration
from saltern.plan.volume import BLANK_TAG
from saltern.render import block_script, drbd_resource
from saltern.render.header import HEADER
from saltern.units import GIB, MIB

SLICE = pair_slice()
DNS = SLICE.resources["dns"]
PATH = "/etc/drbd.d/dns.res"
TEXT = drbd_resource.render(DNS, Generation.V84)


def fresh(**parts):
    """A view of a node whose volumes were just created."""
    blank = lvm({"dns": (GIB, {BLANK_TAG}), "dns_meta": (4 * MIB, {BLANK_TAG})})
    return view(volumes=blank, metadata=BLANK, **parts)


def test_what_may_be_data_is_not_even_configured() -> None:
    with pytest.raises(Refused, match="it may hold data"):
        resource_step(
            DNS,
            SLICE,
            view(volumes=lvm({"dns": (GIB, set()), "dns_meta": (4 * MIB, set())}), metadata=BLANK, files={PATH: None}),
        )


def stranger(node: str = "dom0", **fields) -> dict[str, ConfiguredResource]:
    volume = {"minor": 40, "disk": "/dev/XEN/theirs", "meta_device": "/dev/XEN/theirs_meta", "meta_index": None}
    place = {"address": "192.168.1.190", "port": 9000}
    host = ConfiguredHost(
        node=node,
        volumes={0: ConfiguredVolume(**{**volume, **{k: v for k, v in fields.items() if k in volume}})},
        **{**place, **{k: v for k, v in fields.items() if k in place}},
    )
    return {"theirs": ConfiguredResource(name="theirs", file="/etc/drbd.d/theirs.res", hosts=(host,))}


def test_a_missing_configuration_is_written_for_root_alone() -> None:
    found = resource_step(DNS, SLICE, fresh(files={PATH: None}))
    assert found.actions == (WriteFile(path=PATH, text=TEXT, mode=0o600),)


def test_a_configuration_as_it_should_be_is_left_alone() -> None:
    assert resource_step(DNS, SLICE, view(files={PATH: TEXT})).actions == ()


def test_an_edited_configuration_of_ours_is_rewritten_and_the_difference_told() -> None:
    edited = TEXT.replace("7792", "7793", 1)
    found = resource_step(DNS, SLICE, view(files={PATH: edited}))
    assert found.actions == (WriteFile(path=PATH, text=TEXT, mode=0o600),)
    assert "+        address 192.168.1.190:7792;" in found.changes[f"file {PATH}"]["new"]


def test_a_secret_is_not_told_in_the_difference() -> None:
    secret = replace(DNS, sections={"net": {"shared-secret": "hunter2", "cram-hmac-alg": "sha256"}})
    found = resource_step(secret, SLICE, view(files={PATH: TEXT}))
    assert "hunter2" not in str(found.changes)
    assert "cram-hmac-alg" in str(found.changes)


def test_a_file_of_somebody_else_is_not_touched() -> None:
    with pytest.raises(Refused, match="was not written by Saltern"):
        resource_step(DNS, SLICE, view(files={PATH: TEXT.removeprefix(HEADER)}))


@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        (stranger(minor=1), "minor 1 on dom0"),
        (stranger(port=7792), "port 7792"),
        (stranger(disk="/dev/XEN/dns"), "disk /dev/XEN/dns"),
        (stranger(disk="/dev/XEN/dns_meta"), "meta-disk /dev/XEN/dns_meta"),
        (stranger(meta_device="/dev/XEN/dns_meta"), "meta-disk /dev/XEN/dns_meta"),
        (stranger(meta_device="/dev/XEN/dns"), "disk /dev/XEN/dns"),
        (stranger("dom0m", minor=1), "minor 1 on dom0m"),
    ],
)
def test_a_number_that_something_else_uses_here_is_refused(theirs, what) -> None:
    with pytest.raises(Refused, match=f"{what}.* belongs to resource theirs"):
        resource_step(DNS, SLICE, fresh(files={PATH: None}, configured=theirs))


def test_a_neighbour_with_numbers_of_its_own_is_no_conflict() -> None:
    assert resource_step(DNS, SLICE, fresh(files={PATH: None}, configured=stranger())).actions


def test_the_minor_of_a_running_resource_without_a_configuration_is_in_use() -> None:
    leftover = {"theirs": running()["dns"]._replace(name="theirs")}
    with pytest.raises(Refused, match="minor 1 is in use here by the running resource theirs"):
        resource_step(DNS, SLICE, fresh(files={PATH: None}, resources=leftover))


def test_a_resource_of_the_same_name_in_another_file_is_refused() -> None:
    same = {"dns": replace(stranger()["theirs"], name="dns")}
    with pytest.raises(Refused, match=r"theirs\.res defines a resource of the same name"):
        resource_step(DNS, SLICE, fresh(files={PATH: None}, configured=same))


def test_a_resource_does_not_change_its_partner() -> None:
    moved = {
        "dns": replace(configuration(DNS), hosts=(configuration(DNS).hosts[0], stranger("dom1")["theirs"].hosts[0]))
    }
    with pytest.raises(Refused, match=r"its file says minor 40 .* on dom1"):
        resource_step(DNS, SLICE, view(files={PATH: TEXT + "# edited"}, configured=moved))


def test_home_and_partner_may_be_exchanged() -> None:
    exchanged = {"dns": replace(configuration(DNS), hosts=configuration(DNS).hosts[::-1])}
    assert resource_step(DNS, SLICE, view(files={PATH: TEXT + "# edited"}, configured=exchanged)).actions


def test_a_running_resource_keeps_its_minor() -> None:
    moved = {"dns": running()["dns"]._replace(devices={0: running()["dns"].devices[0]._replace(minor=5)})}
    with pytest.raises(Refused, match="runs with minor 5"):
        resource_step(DNS, SLICE, fresh(files={PATH: None}, resources=moved))


class _UnreadableConfiguration:
    def run(self, argv, **_):
        raise CommandFailed(argv, 10, "", "Parse error")


def broken(files):
    found = view(files=files, host=_UnreadableConfiguration())
    found.forget([CONFIGURED])
    return found


def test_a_broken_file_of_ours_is_rewritten_although_drbdadm_cannot_read_it() -> None:
    assert resource_step(DNS, SLICE, broken({PATH: HEADER + "\nresource dns {"})).actions


def test_nothing_new_is_written_while_drbdadm_cannot_read_its_configuration() -> None:
    with pytest.raises(CommandFailed):
        resource_step(DNS, SLICE, broken({PATH: None}))


def test_the_configuration_of_a_domain_names_the_block_script_and_its_resource() -> None:
    found = domain_step(SLICE.domains["dns"], SLICE, view(files={"/etc/xen/dns.cfg": None}))
    assert "vdev=xvda,access=rw,script=block-saltern,target=dns" in found.actions[0].text


def test_the_block_script_is_written_for_xen_to_run() -> None:
    (action,) = script_step(BLOCK_SCRIPT, view(files={BLOCK_SCRIPT: None})).actions
    assert (action.path, action.mode) == ("/etc/xen/scripts/block-saltern", 0o755)
    assert script_step(BLOCK_SCRIPT, view(files={BLOCK_SCRIPT: action.text})).actions == ()


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o777])
def test_a_block_script_with_another_mode_is_written_again_and_that_is_told(mode) -> None:
    found = script_step(BLOCK_SCRIPT, view(modes={BLOCK_SCRIPT: mode}))
    assert found.actions == (WriteFile(path=BLOCK_SCRIPT, text=block_script.render(), mode=0o755),)
    assert found.changes == {f"file {BLOCK_SCRIPT}": {"old": f"mode {mode:04o}", "new": "mode 0755"}}


def test_a_stranger_s_block_script_is_left_alone_whatever_its_mode() -> None:
    with pytest.raises(Refused, match="was not written by Saltern"):
        script_step(BLOCK_SCRIPT, view(files={BLOCK_SCRIPT: "#!/bin/sh\n"}, modes={BLOCK_SCRIPT: 0o644}))


def test_a_block_script_of_ours_is_brought_up_to_date_and_that_of_a_stranger_left_alone() -> None:
    assert script_step(BLOCK_SCRIPT, view(files={BLOCK_SCRIPT: f"#!/usr/bin/python3\n{HEADER}\nold\n"})).actions
    for text in ("#!/bin/sh\n", "", f"#!/bin/sh\n\n{HEADER}\n"):
        with pytest.raises(Refused, match="was not written by Saltern"):
            script_step(BLOCK_SCRIPT, view(files={BLOCK_SCRIPT: text}))


def test_a_resource_does_not_change_its_disk_or_its_metadata() -> None:
    for change in ({"disk": "/dev/XEN/photos"}, {"meta_device": "/dev/XEN/meta", "meta_index": 2}):
        host = configuration(DNS).hosts[0]
        other = replace(host, volumes={0: replace(host.volumes[0], **change)})
        edited = {"dns": replace(configuration(DNS), hosts=(other, configuration(DNS).hosts[1]))}
        with pytest.raises(Refused, match="its data are where it was made"):
            resource_step(DNS, SLICE, view(files={PATH: TEXT + "# edited"}, configured=edited))


def test_a_number_that_another_resource_of_the_cluster_still_has_is_not_taken_yet() -> None:
    other = replace(DNS, name="theirs", hosts=tuple(replace(host, minor=40, port=9000) for host in DNS.hosts))
    both = replace(SLICE, resources={"dns": DNS, "theirs": other})
    with pytest.raises(Refused, match="belongs to resource theirs"):
        resource_step(DNS, both, fresh(files={PATH: None}, configured=stranger(minor=1)))


class _WouldSever:
    def run(self, argv, stdin="", **_):
        line = "drbdsetup-84 disconnect ipv4:192.168.1.190:7792 ipv4:192.168.1.191:7792\n"
        return type("Completed", (), {"stdout": line})()


def test_nothing_is_written_that_would_take_a_running_resource_apart() -> None:
    edited = {PATH: TEXT.replace("7792", "7793")}
    found = view(files=edited, configured={"dns": configuration(DNS)}, resources=running(), host=_WouldSever())
    with pytest.raises(Refused, match="taken apart"):
        resource_step(DNS, SLICE, found)


@pytest.mark.parametrize(
    "parts",
    [
        {"files": {PATH: None}},
        {"files": {PATH: TEXT.replace("drbd1", "drbd2")}},
        {"resources": {"dns": running()["dns"]._replace(devices={0: running()["dns"].devices[0]._replace(minor=9)})}},
    ],
)
def test_a_domain_is_not_configured_for_a_device_that_is_not_its_own(parts) -> None:
    files = {"/etc/xen/dns.cfg": None, **parts.pop("files", {})}
    with pytest.raises(Refused):
        domain_step(SLICE.domains["dns"], SLICE, view(files=files, **parts))
