"""The keys by which domains are sent: made once, let in for one thing only, never mixed up with anybody else's lines."""

from types import SimpleNamespace

import pytest
from pair import slices

from saltern.errors import Refused, RenderError
from saltern.model.action import MakeMigrationKey, WriteFile
from saltern.model.desired import NodeSlice
from saltern.model.observed import SshKeys
from saltern.model.places import AUTHORIZED_KEYS, KNOWN_HOSTS
from saltern.plan import transport
from saltern.render import ssh_files

SHARE = slices()["dom0"]
KEYS = SshKeys(migration="ssh-ed25519 AAAAC3Nz= saltern", host=("ssh-ed25519 AAAAHost root@dom0m", "ssh-rsa AAAAB3 x"))
LINE = 'restrict,command="/usr/lib/saltern/operation receive" ssh-ed25519 AAAAC3Nz= saltern-migration-of-dom0m\n'


def view(files: dict[str, str] | None = None, mode: int | None = None, keys: SshKeys | None = KEYS) -> SimpleNamespace:
    found = files or {}
    return SimpleNamespace(file=found.get, mode=lambda path: mode, partner_keys={"dom0m": keys}.get)


def test_a_key_is_made_once() -> None:
    first = WriteFile(path=KNOWN_HOSTS, text=f"{ssh_files.HEADER}\n", mode=0o600)  # ssh-keygen makes no directory
    assert transport.key_step(SHARE, view()).actions == (first, MakeMigrationKey(node="dom0"))
    assert transport.key_step(SHARE, view({KNOWN_HOSTS: ""})).actions == (MakeMigrationKey(node="dom0"),)
    assert transport.key_step(SHARE, view(mode=0o600)).actions == ()


def test_a_key_that_others_can_read_is_not_used() -> None:
    with pytest.raises(Refused, match="0644"):
        transport.key_step(SHARE, view(mode=0o644))


def test_a_partner_that_has_told_nothing_is_not_waited_for() -> None:
    with pytest.raises(Refused, match="Apply dom0m"):
        transport.trust_step(SHARE, view(keys=None))


def three() -> NodeSlice:
    """dom0 with two partners, of which dom1 is new."""
    return slices("""
saltern:
  nodes:
    dom0: {address: 192.168.1.190, volume_group: XEN}
    dom0m: {address: 192.168.1.191, volume_group: XEN}
    dom1: {address: 192.168.1.192, volume_group: XEN}
  domains:
    dns: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}}}
    vpn: {home: dom0, partner: dom1, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 64M}}}
""")["dom0"]


def test_a_new_partner_without_keys_keeps_no_other_one_out_and_is_told() -> None:
    step = transport.trust_step(three(), view())
    done = {action.path: action.text for action in step.actions}
    assert done[AUTHORIZED_KEYS] == LINE
    with pytest.raises(Refused, match=r"node dom1: it has not told its keys yet.*Apply dom1, then this node again"):
        transport.trust_step(three(), view(done))
    new = SshKeys(migration="ssh-ed25519 AAAAnew", host=("ssh-ed25519 AAAAHost1",))
    both = SimpleNamespace(file=done.get, partner_keys={"dom0m": KEYS, "dom1": new}.get)
    assert "saltern-migration-of-dom1" in transport.trust_step(three(), both).actions[0].text


def test_a_partner_that_tells_nothing_any_more_is_not_shut_out() -> None:
    hosts = f"{ssh_files.HEADER}\ndom1 ssh-ed25519 AAAAHost1\ndom9 ssh-ed25519 AAAAHost9\n"
    lines = "".join(LINE.replace("dom0m", node) for node in ("dom1", "dom9"))
    step = transport.trust_step(three(), view({AUTHORIZED_KEYS: lines, KNOWN_HOSTS: hosts}))
    done = {action.path: action.text for action in step.actions}
    assert done[AUTHORIZED_KEYS] == LINE.replace("dom0m", "dom1") + LINE
    assert [line.split()[0] for line in done[KNOWN_HOSTS].splitlines()[1:]] == ["dom1", "dom0m", "dom0m"]


def test_a_partner_is_let_in_to_do_one_thing_and_known_by_its_host_keys() -> None:
    step = transport.trust_step(SHARE, view())
    hosts = "dom0m ssh-ed25519 AAAAHost\ndom0m ssh-rsa AAAAB3\n"
    assert step.actions == (
        WriteFile(path=AUTHORIZED_KEYS, text=LINE, mode=0o600),
        WriteFile(path=KNOWN_HOSTS, text=f"{ssh_files.HEADER}\n{hosts}", mode=0o600),
    )
    done = {action.path: action.text for action in step.actions}
    assert transport.trust_step(SHARE, view(done)).actions == ()


def test_other_lines_stay_and_an_old_key_of_the_partner_goes() -> None:
    own = "ssh-ed25519 AAAAadmin admin@home\n# a comment\n"
    old = LINE.replace("AAAAC3Nz", "AAAAold")
    assert ssh_files.authorized_keys(own + old, {"dom0m": KEYS}) == own + LINE
    assert ssh_files.authorized_keys(own.rstrip("\n"), {"dom0m": KEYS}) == own + LINE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-rsa AAAA",
        "ssh-ed25519 AAAA,command=x",
        'ssh-ed25519 AAAA"',
        "restrict ssh-ed25519 AAAA",
    ],
)
def test_what_is_no_key_is_let_in_by_no_line(text) -> None:
    with pytest.raises(RenderError):
        ssh_files.authorized_keys("", {"dom0m": SshKeys(migration=text, host=())})


def test_a_second_line_that_a_partner_tells_is_never_written() -> None:
    keys = SshKeys(migration="ssh-ed25519 AAAA x\nssh-ed25519 BBBB evil", host=("ssh-rsa AAAA x\n* ssh-rsa BBBB",))
    assert "BBBB" not in ssh_files.authorized_keys("", {"dom0m": keys}) + ssh_files.known_hosts({"dom0m": keys})


def test_a_line_of_somebody_else_stays_one_line() -> None:
    odd = "\n# mine\n\nssh-ed25519 AAAA bob\u2028ssh-ed25519 BBBB mallory\x0bx\x85y\n"
    assert ssh_files.authorized_keys(odd, {"dom0m": KEYS}) == odd + LINE
