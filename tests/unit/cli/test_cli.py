"""The command line: exit codes, what goes where, and JSON for programs."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from saltern.cli import main

EXAMPLE = Path(__file__).parents[3] / "pillar" / "saltern"


@pytest.fixture
def example(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "saltern"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_valid_topology_exits_0_and_says_what_it_is(capsys) -> None:
    assert main(["validate", str(EXAMPLE)]) == 0
    assert "example: 2 nodes, 4 domains: valid" in capsys.readouterr().out


def test_a_file_is_as_good_as_its_directory(capsys) -> None:
    assert main(["validate", str(EXAMPLE / "init.sls")]) == 0


def test_an_invalid_topology_exits_1_and_tells_every_violation(example, capsys) -> None:
    edit(example / "init.sls", "partner: dom0m", "partner: dom1")
    edit(example / "init.sls", "minor: 1", "minor: 2")
    assert main(["validate", str(example)]) == 1
    said = capsys.readouterr().err
    assert "saltern:domains:router:partner" in said
    assert "saltern:domains:dns:disks:xvda:minor" in said


def test_violations_are_told_to_programs_as_json(example, capsys) -> None:
    edit(example / "init.sls", "memory: 128M", "memroy: 128M")
    assert main(["validate", "--json", str(example)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["valid"] is False
    assert any("memory" in each["remedy"] for each in said["violations"])


@pytest.mark.parametrize("command", [["validate"], ["show"], ["graph"], ["allocate"]])
def test_a_path_without_a_topology_exits_2_and_changes_nothing(command, tmp_path, capsys) -> None:
    assert main([*command, str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "code"), [("{{ jinja }}", 2), ("- a list", 1), ("saltern: [", 1), ("\0", 1)])
def test_a_file_that_is_no_yaml_mapping_is_an_invalid_topology_and_one_for_salt_alone_is_wrong_usage(
    text, code, tmp_path, capsys
) -> None:
    path = tmp_path / "init.sls"
    path.write_text(text)
    assert main(["validate", str(path)]) == code
    assert str(path) in capsys.readouterr().err


def test_allocate_writes_what_is_missing_once(example, capsys) -> None:
    allocation = example / "allocation.sls"
    complete = allocation.read_text()
    allocation.unlink()
    assert main(["validate", str(example)]) == 1
    assert main(["allocate", "--check", str(example)]) == 1
    assert not allocation.exists()
    assert main(["allocate", str(example)]) == 0
    assert allocation.read_text() == complete
    assert main(["allocate", str(example)]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert main(["validate", str(example)]) == 0


def without_mail(example: Path) -> None:
    path = example / "init.sls"
    path.write_text(path.read_text().partition("    # Two disks")[0])


def test_a_domain_that_is_gone_keeps_its_entry_until_it_is_forgotten(example) -> None:
    allocation = example / "allocation.sls"
    before = allocation.read_text()
    without_mail(example)
    assert main(["allocate", str(example)]) == 0
    assert allocation.read_text() == before
    assert main(["allocate", "--check", "--forget", "mail", str(example)]) == 1
    assert allocation.read_text() == before
    assert main(["allocate", "--forget", "mail", str(example)]) == 0
    assert "      mail:\n" not in allocation.read_text()
    assert "      vpn:\n" in allocation.read_text()


def test_several_domains_are_forgotten_at_once_and_allocated_anew_where_they_are_in_the_topology(example) -> None:
    without_mail(example)
    assert main(["allocate", "--forget", "mail", "--forget", "vpn", str(example)]) == 0
    text = (example / "allocation.sls").read_text()
    # vpn is still there and has its numbers again; those of mail are kept from everything else.
    assert "xvda: {meta_disk: vpn_meta, minor: 5, port: 7791, resource: vpn, volume: vpn}" in text
    assert text.count("minors: {2: mail/xvda, 3: mail/xvdb}") == 2  # on both nodes


def test_a_single_disk_is_forgotten(example) -> None:
    edit(example / "init.sls", "        xvdb:\n          size: 4G\n", "        xvdc:\n          size: 4G\n")
    assert main(["allocate", str(example)]) == 1
    assert main(["allocate", "--forget", "mail/xvdb", str(example)]) == 0
    text = (example / "allocation.sls").read_text()
    assert "xvdc: {meta_disk: mail-xvdc_meta, minor: 6, port: 7793, resource: mail-xvdc, volume: mail-xvdc}" in text
    assert "          xvdb: " not in text


def test_a_moved_domain_exits_1_with_the_commands_that_forget_it(example, capsys) -> None:
    edit(example / "init.sls", "  domains:\n", "    dom1: {address: 192.168.1.192, volume_group: XEN}\n  domains:\n")
    edit(example / "init.sls", "partner: dom0m", "partner: dom1")
    before = (example / "allocation.sls").read_text()
    for command in ("validate", "allocate"):
        assert main([command, str(example)]) == 1
        assert "`saltern allocate --forget router PATH`" in capsys.readouterr().err
    assert (example / "allocation.sls").read_text() == before
    assert main(["allocate", "--forget", "router", str(example)]) == 0
    assert main(["validate", str(example)]) == 0


def test_forgetting_what_has_no_entry_exits_2_with_the_known_ones_and_changes_nothing(example, capsys) -> None:
    before = (example / "allocation.sls").read_text()
    assert main(["allocate", "--forget", "mial", str(example)]) == 2
    assert "mial; it has dns, mail, router, vpn" in capsys.readouterr().err
    assert (example / "allocation.sls").read_text() == before


def test_show_gives_one_node_its_share(capsys) -> None:
    assert main(["show", str(EXAMPLE), "dom0m"]) == 0
    said = capsys.readouterr().out
    assert "192.168.1.191:7792" in said
    assert "/dev/XEN/meta[1]" in said


def test_show_in_json_is_what_the_node_is_given(capsys) -> None:
    assert main(["show", "--json", str(EXAMPLE), "dom0"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"dom0"}


def test_an_unknown_node_is_told_with_the_known_ones(capsys) -> None:
    assert main(["show", str(EXAMPLE), "dom9"]) == 2
    assert "dom0, dom0m" in capsys.readouterr().err


def test_the_script_is_valid_bash_and_never_forces_without_waiting_for_both_new_sides(capsys, tmp_path) -> None:
    assert main(["script", "dom0", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    path = tmp_path / "build.sh"
    path.write_text(text)
    subprocess.run(["bash", "-n", str(path)], check=True)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if "--force" in line:
            name = line.split()[-1]
            assert f'until [ "$(drbdadm dstate {name})" = Inconsistent/Inconsistent ]' in lines[number - 1]


def test_the_script_refuses_where_anything_it_makes_is_there_before_its_first_change(capsys) -> None:
    assert main(["script", "dom0", str(EXAMPLE)]) == 0
    guards, _, changes = capsys.readouterr().out.partition("# --- The DRBD module")
    for made in ("/dev/XEN/dns", "/dev/XEN/meta", "/etc/drbd.d/dns.res", "/etc/xen/dns.cfg"):
        assert f"[ ! -e {made} ] || refuse {made}" in guards
    assert "lvcreate" not in guards
    assert "lvcreate" in changes


def test_the_script_brings_the_block_script_before_any_domain_and_asks_for_the_core_that_it_needs(capsys) -> None:
    assert main(["script", "dom0", str(EXAMPLE)]) == 0
    guards, _, changes = capsys.readouterr().out.partition("# --- The DRBD module")
    assert "/usr/lib/saltern" in guards
    before, _, after = changes.partition("chmod 755 /etc/xen/scripts/block-saltern\n")
    assert "cat > /etc/xen/scripts/block-saltern" in before
    assert "xl create" not in before
    assert "xl create" in after


def test_the_partner_starts_neither_synchronisation_nor_domain_of_others(capsys) -> None:
    assert main(["script", "dom0m", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "primary --force dns" not in text
    assert "xl create /etc/xen/dns.cfg" not in text
    assert "primary --force vpn" in text


THREE_NODES = """
saltern:
  tie_breaker: third
  nodes:
    dom0: {address: 10.0.0.1, volume_group: XEN}
    dom0m: {address: 10.0.0.2, volume_group: XEN}
    third: {address: 10.0.0.3, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}}
"""


def test_the_script_of_a_tie_breaker_is_about_resources_without_a_disk_and_nothing_else(capsys, tmp_path) -> None:
    (tmp_path / "init.sls").write_text(THREE_NODES)
    assert main(["allocate", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["script", "--drbd", "9", "third", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.endswith("drbdadm adjust dns\n")
    assert not any(tool in told for tool in ("lvcreate", "create-md", "xl create", "/etc/xen"))
    assert main(["show", str(tmp_path), "third"]) == 0
    assert "dns             dom0 and dom0m" in capsys.readouterr().out


@pytest.mark.parametrize("node", ["dom0", "third"])
def test_a_script_that_would_leave_something_out_is_not_told_but_why(capsys, tmp_path, node) -> None:
    (tmp_path / "init.sls").write_text(THREE_NODES)
    assert main(["allocate", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["script", "--drbd", "8.4", node, str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "DRBD 8.4 has no quorum" in told.err


def test_the_script_for_drbd_9_names_node_ids_and_room_for_peers(capsys) -> None:
    assert main(["script", "dom0", str(EXAMPLE), "--drbd", "9"]) == 0
    text = capsys.readouterr().out
    assert "node-id 0;" in text
    assert "create-md --max-peers=3 dns" in text


@pytest.mark.needs_tool("dot")
def test_graph_draws_svg_where_graphviz_is_installed(capsys) -> None:
    assert main(["graph", str(EXAMPLE), "--format", "svg"]) == 0
    assert "<svg" in capsys.readouterr().out


def test_graph_draws_mermaid(capsys) -> None:
    assert main(["graph", str(EXAMPLE), "--format", "mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart")


def test_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "saltern validate pillar/saltern" in capsys.readouterr().out


# --- remake ------------------------------------------------------------------------------------------------------
@pytest.fixture
def after(example, tmp_path):
    """The example with a third node, and dns with its copy there."""
    changed = Path(shutil.copytree(example, tmp_path / "after"))
    dom1 = "    dom1: {address: 192.168.1.192, network: 192.168.1.0/24, volume_group: XEN}\n"
    edit(changed / "init.sls", "  domains:\n", f"{dom1}  domains:\n")
    text = (changed / "init.sls").read_text()
    first, name, rest = text.partition("    dns:\n")
    (changed / "init.sls").write_text(first + name + rest.replace("partner: dom0m", "partner: dom1", 1))
    return changed


def test_a_remake_is_a_numbered_plan_with_a_summary(example, after, capsys) -> None:
    files = [path.read_text() for path in sorted([*example.iterdir(), *after.iterdir()])]
    assert main(["remake", str(example), str(after), "--destroy", "dns@dom0m"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("  1. dom1 is set up")
    assert told[-1] == "11 steps, no domain stops, dns@dom0m is destroyed"
    assert "       destroys what was named: dns@dom0m" in told
    assert sum(line.startswith("       risk:") for line in told) == 11
    assert [path.read_text() for path in sorted([*example.iterdir(), *after.iterdir()])] == files


def test_a_remake_that_destroys_what_is_not_named_exits_1_and_plans_nothing(example, after, capsys) -> None:
    assert main(["remake", str(example), str(after)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("refused: 1 reason; nothing is planned\n  saltern:domains:dns: the copy of dns on dom0m")


def test_a_remake_as_json_has_what_a_program_needs_and_no_secrets(example, after, capsys) -> None:
    assert main(["remake", str(example), str(after), "--destroy", "dns@dom0m", "--json"]) == 0
    text = capsys.readouterr().out
    said = json.loads(text)
    assert said["possible"] is True
    (joined,) = [step for step in said["steps"] if step["kind"] == "join"]
    assert (joined["nodes"], joined["resource"]["name"]) == (["dom1"], "dns")
    assert joined["resource"]["sections"]["net"]["shared-secret"] == "(hidden)"
    assert main(["remake", str(example), str(after), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refusals"][0]["name"] == "dns@dom0m"


def test_a_remake_to_the_same_is_nothing_to_do(example, capsys) -> None:
    assert main(["remake", str(example), str(example)]) == 0
    assert capsys.readouterr().out == "nothing is to be done on the nodes\n"


def test_a_remake_to_an_invalid_topology_exits_1_with_the_violations(example, after, capsys) -> None:
    edit(after / "init.sls", "memory: 128M", "memory: lots")
    assert main(["remake", str(example), str(after)]) == 1
    assert "saltern:domains:router:memory" in capsys.readouterr().err


def test_the_allocation_of_before_may_stand_elsewhere_and_after_takes_it_from_there(example, after, capsys) -> None:
    (example / "allocation.sls").rename(example.parent / "kept.sls")
    (after / "allocation.sls").unlink()
    arguments = ["remake", str(example), str(after), "--destroy", "dns@dom0m"]
    assert main(arguments) == 1
    assert main([*arguments, "--allocation", str(example.parent / "kept.sls")]) == 0
    assert "11 steps" in capsys.readouterr().out


def test_the_allocation_follows_a_domain_that_was_moved(example, after) -> None:
    assert main(["allocate", str(after)]) == 1
    assert main(["allocate", "--moved", "dns", str(after)]) == 0
    assert main(["validate", str(after)]) == 0
    assert "volume_groups: {dom0: XEN, dom1: XEN}" in (after / "allocation.sls").read_text()
    assert main(["remake", str(after), str(after)]) == 0
