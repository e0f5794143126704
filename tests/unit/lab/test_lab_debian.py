"""The tree that is laid over Debian, and what is taken away from it."""

from pathlib import Path

import pytest

from lab import debian

HOW_TO = debian.HERE.parent / "docs/howto/real-nodes.md"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_modes_follow_from_what_a_file_is_and_not_from_the_checkout(tmp_path: Path) -> None:
    tree, root = tmp_path / "tree", tmp_path / "root"
    (tree / "root/.ssh").mkdir(parents=True)
    (tree / "etc").mkdir()
    (tree / "etc/hosts").touch(mode=0o600)
    (tree / "etc/run").touch(mode=0o700)
    (root / "etc").mkdir(parents=True)
    (root / "etc/hosts").symlink_to("/proc/hosts")  # replaced, not written through
    debian.lay(tree, root)
    assert (mode(root / "etc/hosts"), mode(root / "etc/run")) == (0o644, 0o755)
    assert (mode(root / "etc"), mode(root / "root/.ssh")) == (0o755, 0o700)
    assert not (root / "etc/hosts").is_symlink()


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/unit").symlink_to("/dev/null")
    debian.lay(tmp_path / "tree", tmp_path / "root")
    assert (tmp_path / "root/unit").readlink() == Path("/dev/null")


def test_nothing_of_the_archives_of_this_machine_stays_in_the_image(tmp_path: Path) -> None:
    left = (
        "etc/apt/sources.list.d/debian.sources",
        "etc/apt/auth.conf.d/mine.conf",
        "etc/resolv.conf",
        "var/log/apt/term.log",
    )
    for name in left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "var/log/xen").mkdir()
    debian.clean(tmp_path)
    assert not [name for name in left if (tmp_path / name).exists()]
    assert (tmp_path / "var/log/xen").is_dir()  # without it the daemon of xenstore does not start


@pytest.mark.parametrize("name", ["etc/drbd.d/global_common.conf", "etc/xen/xl.conf", "etc/modprobe.d/drbd.conf"])
def test_the_nodes_are_set_up_as_the_how_to_says(name: str) -> None:
    how_to = " ".join(HOW_TO.read_text().split())
    lines = [line for line in (debian.NODE / name).read_text().splitlines() if not line.startswith("#")]
    assert " ".join(" ".join(lines).split()) in how_to


def test_lvm_and_xendomains_are_told_what_the_how_to_says() -> None:
    how_to = HOW_TO.read_text()
    for line in (debian.NODE / "etc/lvm/lvm.conf").read_text().splitlines()[1:-1]:
        assert line.strip() in how_to
    for line in debian.XENDOMAINS.split():
        assert f"{line}\n" in how_to


def test_packages_of_the_nodes_are_those_of_the_how_to_and_what_the_lab_adds() -> None:
    first_line = next(line for line in HOW_TO.read_text().splitlines() if line.startswith("apt-get install xen"))
    assert set(first_line.split()[2:]) <= set(debian.listed(debian.PACKAGES))
