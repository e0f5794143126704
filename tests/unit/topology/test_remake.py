"""What is planned for each kind of difference between two topologies, and what is refused."""

import itertools

import pytest
import yaml
from remake_world import apply, assert_is, world_of
from topologies import TAKEN_AWAY, allocated, merged, pillar

from saltern import topology
from saltern.topology.remake import Kind, Span, remake

THREE = "nodes: {dom1: {address: 10.0.0.3, volume_group: XEN}}"


def clusters(before="", after=""):
    """Both topologies: the usual one with a third node and ``before`` over it, and that with ``after`` over it."""
    first = allocated(merged(pillar(THREE), pillar(before)))
    second = {"saltern": merged(first["saltern"], yaml.safe_load(after) or {})}
    return topology.compile_change(first, second)


def plan(after, destroy=(), before=""):
    return remake(*clusters(before, after), destroy)


def kinds(found, domain=None):
    assert found.refusals == ()
    return [str(step.kind) for step in found.steps if domain in (None, step.domain)]


def works(after, destroy=(), before=""):
    """The plan, after its steps were applied to nodes that are as the first topology says."""
    pair = clusters(before, after)
    found = remake(*pair, destroy)
    assert found.refusals == ()
    world = world_of(pair[0])
    for step in found.steps:
        apply(world, step)
    assert_is(world, pair[1], {(left.node, left.path) for left in found.leftovers})
    return found


def only(found):
    (refusal,) = found.refusals
    assert found.steps == ()
    return refusal


NEW = "domains: {c: {home: dom0, partner: dom1, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 8M}}}}"


def test_a_new_domain_is_built_on_both_nodes_and_started():
    assert kinds(works(NEW)) == [
        *("create-volumes", "create-volumes", "join", "join", "first-sync"),
        *("configure-domain", "configure-domain", "start"),
    ]


def test_a_domain_that_is_taken_out_is_refused_until_it_is_named():
    refusal = only(plan(f"domains: {{a: {TAKEN_AWAY!r}}}"))
    assert (refusal.place, refusal.name) == ("saltern:domains:a", "a")
    assert "dom0" in refusal.found and "`a`" in refusal.remedy
    found = works(f"domains: {{a: {TAKEN_AWAY!r}}}", ["a"])
    assert kinds(found) == ["stop", "remove-replica", "remove-replica", "remove-config", "remove-config", "record"]
    assert found.steps[0].stops_domain is Span.FOREVER
    assert [step.destroys for step in found.steps if step.destroys] == [("a",), ("a",)]
    assert "forget=a" in found.steps[-1].words


def test_home_and_partner_are_exchanged_while_the_domain_runs():
    found = works("domains: {a: {home: dom0m, partner: dom0}}")
    assert kinds(found) == ["adjust", "migrate"]
    assert found.steps[1].nodes == ("dom0", "dom0m")
    assert {step.stops_domain for step in found.steps} == {Span.NO, Span.MOMENT}


REPLACE = ["freeze", "disconnect", "connect", "join", "synchronise"]


def test_a_partner_is_replaced_while_the_domain_runs_and_its_copy_stays_until_the_new_one_is_complete():
    refusal = only(plan("domains: {a: {partner: dom1}}"))
    assert refusal.name == "a@dom0m"
    found = works("domains: {a: {partner: dom1}}", ["a@dom0m"])
    assert kinds(found) == [
        *("create-volumes", *REPLACE, "configure-domain"),
        *("remove-replica", "remove-config", "record"),
    ]
    freeze = found.steps[1]
    assert (freeze.nodes, freeze.single_copy) == (("dom0m",), Span.FULL)
    assert [step.nodes for step in found.steps if step.kind in (Kind.SYNCHRONISE, Kind.REMOVE_REPLICA)] == [
        ("dom1",),
        ("dom0m",),
    ]
    assert "moved=a" in found.steps[-1].words


def test_a_replica_keeps_its_numbers_where_they_are_free_and_its_node_keeps_its_node_id():
    before, after = clusters("", "domains: {a: {partner: dom1}}")
    was, now = before.domains["a"].disks[0], after.domains["a"].disks[0]
    assert (was.minor, was.port, was.resource) == (now.minor, now.port, now.resource)
    assert (was.node_ids, now.node_ids) == ((0, 1), (0, 2))


def test_a_copy_is_replaced_while_the_domain_is_shut_down_when_its_minor_changes_too():
    found = works("domains: {b: {home: dom1, partner: dom0, disks: {xvda: {minor: 9}}}}", ["b@dom0m"])
    assert kinds(found, "b") == [
        *("create-volumes", "stop", "freeze", "down", "up", "join", "configure-domain", "start", "synchronise"),
        *("migrate", "remove-replica", "remove-config", "record"),
    ]


def test_a_home_is_replaced_from_the_partner():
    found = works("domains: {a: {home: dom1}}", ["a@dom0"])
    assert kinds(found) == [
        *("create-volumes", "migrate", *REPLACE, "configure-domain", "migrate"),
        *("remove-replica", "remove-config", "record"),
    ]
    assert [step.nodes for step in found.steps if step.kind is Kind.MIGRATE] == [("dom0", "dom0m"), ("dom0m", "dom1")]


def test_the_partner_that_becomes_the_home_is_not_left_again():
    found = works("domains: {a: {home: dom0m, partner: dom1}}", ["a@dom0"])
    assert [step.nodes for step in found.steps if step.kind is Kind.MIGRATE] == [("dom0", "dom0m")]


BOTH = "nodes: {dom2: {address: 10.0.0.4, volume_group: XEN}}\ndomains: {a: {home: dom1, partner: dom2}}"


def test_both_copies_are_not_replaced_at_once():
    refusal = only(plan(BOTH, ["a@dom0", "a@dom0m"]))
    assert (refusal.place, refusal.name) == ("saltern:domains:a", None)
    assert "`home: dom0` and `partner: dom1`" in refusal.remedy
    groups = "nodes: {dom0: {volume_group: NEW}, dom0m: {volume_group: NEW}}"
    refusal = plan(groups).refusals[0]
    assert (refusal.name, "the volume group NEW on dom0m only" in refusal.remedy) == (None, True)


def test_a_node_that_keeps_its_copy_keeps_its_node_id():
    found = plan("domains: {a: {disks: {xvda: {node_ids: [1, 0]}}}}")
    assert [refusal.found for refusal in found.refusals] == [
        "node-id 0 for dom0m, and 1 in BEFORE",
        "node-id 1 for dom0, and 0 in BEFORE",
    ]


# --- Nodes -------------------------------------------------------------------------------------------------------
def test_a_new_node_is_prepared_before_anything_is_done_there():
    found = works("nodes: {dom2: {address: 10.0.0.4, volume_group: XEN}}\ndomains: {a: {partner: dom2}}", ["a@dom0m"])
    assert (found.steps[0].kind, found.steps[0].nodes) == (Kind.PREPARE_NODE, ("dom2",))


def test_a_node_is_released_after_everything_has_left_it():
    after = f"nodes: {{dom0m: {TAKEN_AWAY!r}}}\ndomains: {{a: {{partner: dom1}}, b: {{home: dom1}}}}"
    found = works(after, ["a@dom0m", "b@dom0m"])
    assert (found.steps[-1].kind, found.steps[-1].nodes) == (Kind.RELEASE_NODE, ("dom0m",))


def test_another_address_is_taken_up_by_one_domain_after_the_other_while_they_run():
    found = works("nodes: {dom0: {address: 10.0.0.9}}")
    assert kinds(found) == ["prepare-node", *(2 * ["disconnect", "connect"]), "release-node"]
    assert [step.domain for step in found.steps] == [None, "a", "a", "b", "b", None]
    assert {step.single_copy for step in found.steps if step.kind is Kind.DISCONNECT} == {Span.CHANGES}


def test_another_volume_group_is_another_place_of_the_copies_of_a_node():
    found = works("nodes: {dom0: {volume_group: NEW}}", ["a@dom0", "b@dom0"])
    assert kinds(found, "a") == ["create-volumes", "migrate", *REPLACE, "migrate", "remove-replica", "record"]
    assert kinds(found, "b") == ["create-volumes", *REPLACE, "remove-replica", "record"]


def test_a_domain_goes_from_a_node_whose_volume_group_changes():
    found = works(f"nodes: {{dom0: {{volume_group: NEW}}}}\ndomains: {{b: {TAKEN_AWAY!r}}}", ["a@dom0", "b"])
    assert kinds(found, "b") == ["stop", *(2 * ["remove-replica"]), *(2 * ["remove-config"]), "record"]


def test_what_a_node_has_room_for_is_nothing_to_do():
    assert works("nodes: {dom0: {memory: 4G, volume_group_size: 10G, network: 10.0.0.0/24}}").steps == ()


# --- Disks -------------------------------------------------------------------------------------------------------
def test_a_new_disk_is_there_at_the_next_start():
    found = works("domains: {a: {disks: {xvdb: {size: 8M}}}}")
    assert kinds(found) == [*(2 * ["create-volumes"]), "join", "join", "first-sync", *(2 * ["configure-domain"])]
    assert "next start" in found.steps[-1].words


def test_a_disk_that_is_taken_out_is_refused_until_it_is_named():
    after = f"domains: {{a: {{disks: {{xvdb: {TAKEN_AWAY!r}}}}}}}"
    before = "domains: {a: {disks: {xvdb: {size: 8M}}}}"
    assert only(plan(after, before=before)).name == "a/xvdb"
    found = works(after, ["a/xvdb"], before)
    assert kinds(found) == [
        *("stop", "configure-domain", "configure-domain", "start", "remove-replica", "remove-replica", "record")
    ]
    assert found.steps[0].stops_domain is Span.RESTART


def test_a_disk_grows_while_the_domain_runs():
    found = works("domains: {a: {disks: {xvda: {size: 2G}}}}")
    assert kinds(found) == ["extend-volumes", "extend-volumes", "grow"]
    assert {step.stops_domain for step in found.steps} == {Span.NO}


def test_a_disk_that_would_be_smaller_is_refused():
    refusal = only(plan("domains: {a: {disks: {xvda: {size: 512M}}}}"))
    assert (refusal.place, refusal.found) == ("saltern:domains:a:disks:xvda:size", "512M, and 1G in BEFORE")
    assert refusal.name is None


def test_a_disk_that_is_named_is_made_anew_smaller_under_its_numbers():
    found = works("domains: {a: {disks: {xvda: {size: 512M}}}}", ["a/xvda"])
    assert kinds(found)[:4] == ["stop", "remove-replica", "remove-replica", "create-volumes"]


def test_a_disk_under_another_device_keeps_its_volume_and_is_found_at_the_next_start():
    after = f"domains: {{a: {{disks: {{xvda: {TAKEN_AWAY!r}, xvdb: {{size: 1G, resource: a, volume: a}}}}}}}}"
    assert kinds(works(after)) == ["configure-domain", "configure-domain", "record"]


def test_exchanged_devices_are_exchanged_in_the_configuration_only_and_no_data_move():
    before = "domains: {a: {disks: {xvdb: {size: 2G}}}}"
    after = (
        "domains: {a: {disks: {xvda: {size: 2G, resource: a-xvdb, volume: a-xvdb}, "
        "xvdb: {size: 1G, resource: a, volume: a}}}}"
    )
    assert kinds(works(after, before=before)) == ["configure-domain", "configure-domain", "record"]


def test_a_resource_and_its_volumes_are_renamed_while_the_domain_is_shut_down():
    found = works("domains: {a: {disks: {xvda: {resource: web}}}}")
    assert kinds(found) == [
        *("stop", "down", "down", "rename-volumes", "rename-volumes", "up", "up"),
        *("configure-domain", "configure-domain", "start", "record"),
    ]
    (rename,) = [step for step in found.steps if step.kind is Kind.RENAME_VOLUMES and step.nodes == ("dom0",)]
    assert [volume.path for volume in rename.former] == ["/dev/XEN/a", "/dev/XEN/a_meta"]
    assert [volume.path for volume in rename.volumes] == ["/dev/XEN/web", "/dev/XEN/web_meta"]


@pytest.mark.parametrize(
    ("before", "after", "move"),
    [
        ("{}", "{meta_disk: 'meta[1]'}", "from /dev/XEN/a_meta to /dev/XEN/meta[1]"),
        ("{meta_disk: 'meta[1]'}", "{meta_disk: 'meta[2]'}", "from /dev/XEN/meta[1] to /dev/XEN/meta[2]"),
        ("{meta_disk: 'meta[1]'}", f"{{meta_disk: {TAKEN_AWAY!r}}}", "from /dev/XEN/meta[1] to /dev/XEN/a_meta"),
        ("{meta_disk: 'meta[1]'}", "{meta_disk: 'other[1]'}", "from /dev/XEN/meta[1] to /dev/XEN/other[1]"),
    ],
)
def test_metadata_stay_in_the_place_where_they_are(before, after, move):
    found = plan(
        f"domains: {{a: {{disks: {{xvda: {after}}}}}}}",
        before=f"domains: {{a: {{disks: {{xvda: {before}}}}}}}",
    )
    refusal = only(found)
    assert refusal.place == "saltern:domains:a:disks:xvda:meta_disk"
    assert refusal.found == f"metadata that would move, {move} on dom0 and {move} on dom0m"
    assert "metadata-in-another-place" in refusal.remedy


def test_the_metadata_of_a_copy_that_stays_do_not_move_while_the_other_one_is_replaced():
    moved = "domains: {a: {partner: dom1, disks: {xvda: {meta_disk: 'meta[1]'}}}}"
    assert only(plan(moved, ["a@dom0m"])).found == (
        "metadata that would move, from /dev/XEN/a_meta to /dev/XEN/meta[1] on dom0"
    )


def test_a_shared_meta_disk_that_nothing_uses_any_more_is_told_and_stays():
    found = works(
        f"domains: {{a: {TAKEN_AWAY!r}}}", ["a"], before="domains: {a: {disks: {xvda: {meta_disk: 'meta[1]'}}}}"
    )
    assert {(left.node, left.path) for left in found.leftovers} == {
        ("dom0", "/dev/XEN/meta"),
        ("dom0m", "/dev/XEN/meta"),
    }


def test_another_minor_stops_the_domain_and_another_port_does_not():
    assert "stop" in kinds(works("domains: {a: {disks: {xvda: {minor: 77}}}}"))
    assert kinds(works("domains: {a: {disks: {xvda: {port: 9999}}}}")) == ["disconnect", "connect", "record"]


def test_options_are_taken_up_by_what_runs_unless_drbd_cannot():
    assert kinds(works("domains: {a: {drbd: {protocol: A, net: {ping-int: 3}}}}")) == ["adjust"]
    found = works("domains: {a: {drbd: {disk: {max-bio-bvecs: 1}}}}")
    assert "max-bio-bvecs" in found.steps[0].words
    assert kinds(found) == ["stop", "down", "down", "up", "up", "start"]


# --- Domains -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["memory: 512M", "vcpus: 2", "xl: {type: pvh}", "interfaces: [{bridge: xenbr1}]"])
def test_what_a_start_takes_up_waits_for_the_next_one(what):
    found = works(f"domains: {{a: {{{what}}}}}")
    assert kinds(found) == ["configure-domain", "configure-domain"]
    assert all("next start" in step.words for step in found.steps)


def test_the_order_of_starting_is_nothing_to_do():
    assert works("domains: {a: {order: 3, depends_on: [b]}}").steps == ()


UUID = "11111111-2222-4333-8444-555555555555"


def test_another_uuid_is_a_stop_and_a_start():
    found = works(f"domains: {{a: {{uuid: {UUID}}}}}")
    assert kinds(found) == ["stop", "adjust", "configure-domain", "configure-domain", "start", "record"]


def test_a_domain_with_the_uuid_of_another_name_is_that_domain():
    before = f"domains: {{a: {{uuid: {UUID}}}}}"
    after = (
        f"domains: {{a: {TAKEN_AWAY!r}, web: {{uuid: {UUID}, home: dom0, partner: dom0m, "
        "memory: 256M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}, interfaces: [{bridge: xenbr0}]}}"
    )
    found = works(after, before=before)
    assert kinds(found)[:7] == ["stop", *(2 * ["down"]), *(2 * ["rename-volumes"]), *(2 * ["up"])]
    assert kinds(found)[7:] == [*(2 * ["remove-config"]), *(2 * ["configure-domain"]), "start", "record"]


# --- Names, order, room ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["a", "a/xvda", "a@dom0", "a@dom7", "typo"])
def test_a_name_of_what_is_not_destroyed_is_refused(name):
    refusal = only(plan("domains: {a: {partner: dom1}}", ["a@dom0m", name]))
    assert (refusal.place, refusal.allowed) == (f"destroy:{name}", "a@dom0m")


def test_everything_is_refused_at_once():
    after = f"domains: {{a: {{partner: dom1, disks: {{xvda: {{size: 4M}}}}}}, b: {TAKEN_AWAY!r}}}"
    found = plan(after, ["typo"])
    assert [refusal.place for refusal in found.refusals] == [
        "destroy:typo",
        "saltern:domains:a",
        "saltern:domains:a:disks:xvda:size",
        "saltern:domains:b",
    ]


def test_a_port_is_freed_by_one_domain_before_another_takes_it():
    before = "domains: {a: {disks: {xvda: {port: 7001}}}, b: {disks: {xvda: {port: 7002}}}}"
    found = works("domains: {a: {disks: {xvda: {port: 7002}}}, b: {disks: {xvda: {port: 7003}}}}", before=before)
    assert [(step.domain, str(step.kind)) for step in found.steps] == [
        *(("b", "disconnect"), ("b", "connect"), ("b", "record")),
        *(("a", "disconnect"), ("a", "connect"), ("a", "record")),
    ]


def test_two_domains_exchange_their_ports():
    before = "domains: {a: {disks: {xvda: {port: 7001}}}, b: {disks: {xvda: {port: 7002}}}}"
    found = works("domains: {a: {disks: {xvda: {port: 7002}}}, b: {disks: {xvda: {port: 7001}}}}", before=before)
    assert kinds(found)[:2] == ["disconnect", "disconnect"]


def test_what_waits_for_each_other_is_refused():
    before = "domains: {a: {disks: {xvda: {volume: one}}}, b: {disks: {xvda: {volume: two}}}}"
    after = "domains: {a: {disks: {xvda: {volume: two}}}, b: {disks: {xvda: {volume: one}}}}"
    refusal = only(plan(after, before=before))
    assert refusal.place == "saltern:domains:a and saltern:domains:b"
    assert "/dev/XEN/one" in refusal.found and "two remakes" in refusal.remedy


FULL = "nodes: {dom1: {volume_group_size: 1200M}}\n" + NEW.replace("8M", "1G")


def test_what_leaves_a_full_volume_group_makes_room_for_what_comes():
    after = "domains: {c: {partner: dom0m}, a: {partner: dom1}}"
    found = works(after, ["c@dom1", "a@dom0m"], FULL)
    removal = next(step for step in found.steps if step.destroys == ("c@dom1",))
    creation = next(step for step in found.steps if step.kind is Kind.CREATE_VOLUMES and step.domain == "a")
    assert found.steps.index(removal) < found.steps.index(creation)


def test_a_plan_for_many_domains_is_theirs_one_after_the_other():
    many = ", ".join(
        f"vm{number}: {{home: dom0, partner: dom0m, memory: 64M, xl: {{bootloader: pygrub}}, disks: {{xvda: {{size: 8M}}}}}}"
        for number in range(80)
    )
    found = plan(
        f"domains: {{{many.replace('partner: dom0m', 'partner: dom1')}}}",
        [f"vm{number}@dom0m" for number in range(80)],
        f"domains: {{{many}}}",
    )
    owners = [step.domain for step in found.steps]
    assert len(set(owners)) == 80
    assert len([1 for first, then in itertools.pairwise(owners) if first != then]) == 79
