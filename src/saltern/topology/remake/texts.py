"""What is told of each kind of step beside what it does: its risk, its way back, and what carries it out today."""

from typing import Final, NamedTuple

from saltern.model.remake import Kind


class Text(NamedTuple):
    """Sentences for people."""

    risk: str
    undo: str
    today: str


_REMAKE: Final = "`salt-run state.orch remake`"
_APPLY: Final = f"{_REMAKE}; else `state.apply` on the node, with AFTER in force"
_HAND: Final = f"{_REMAKE}; else by hand"
_NOTHING_LOST: Final = "none: nothing is in use yet"

TEXTS: Final[dict[Kind, Text]] = {
    Kind.PREPARE_NODE: Text("none for what runs", "nothing to undo", "you, by hand: docs/howto/real-nodes.md"),
    Kind.CREATE_VOLUMES: Text(
        "the volume group may be full: then nothing was changed", "`lvremove` of these new volumes", _APPLY
    ),
    Kind.MIGRATE: Text(
        "it stays where it was when it cannot move; an interruption in the last moment costs its memory, as a power cut does",
        "migrate it back",
        f"{_REMAKE}; else `salt-run state.orch migrate`",
    ),
    Kind.STOP: Text("its services are away until it is started", "start it again", f"{_HAND}: `xl shutdown`"),
    Kind.FREEZE: Text(
        "from here on this copy no longer follows; when the other one is lost before the new one is complete, what was "
        "written since is lost with it",
        "bring it up and connect it again: it is Outdated until it follows, after a synchronisation, a full one when another "
        "replica was joined",
        f"{_HAND}: `drbdadm down`, `drbdadm outdate`, and its file taken away",
    ),
    Kind.DOWN: Text(
        "none while the domain is shut down", "put the file back and bring it up", f"{_HAND}: `drbdadm down`"
    ),
    Kind.RENAME_VOLUMES: Text("none while the resource is down", "rename them back", f"{_HAND}: `lvrename`"),
    Kind.UP: Text("none: both sides are as they were taken down", "take it down again", _APPLY),
    Kind.DISCONNECT: Text(
        "while it is disconnected, the loss of the node where the domain runs loses what is written meanwhile",
        "connect it again as it was",
        f"{_HAND}: `drbdadm disconnect`, `drbdadm outdate` where it was connected to a Primary (with DRBD 9 `drbdsetup del-peer` "
        "as well), and its file moved away",
    ),
    Kind.CONNECT: Text(
        "it does not connect when the other side is configured otherwise; the domain runs on all the same",
        "disconnect, write the former configuration, connect",
        _APPLY,
    ),
    Kind.ADJUST: Text("an option can make replication slower or stop it", "write the former options", _APPLY),
    Kind.JOIN: Text(
        _NOTHING_LOST, "take it down, wipe its metadata and remove its volumes: they hold nothing else", _APPLY
    ),
    Kind.FIRST_SYNC: Text(_NOTHING_LOST, "nothing to undo", _APPLY),
    Kind.SYNCHRONISE: Text(
        "it takes bandwidth from replication; until it has ended the new copy cannot be used",
        "stop it by disconnecting; the former copy is still there as it was frozen",
        f"DRBD, by itself; {_REMAKE} waits for it, and `salt-run cluster.status` shows how far",
    ),
    Kind.CONFIGURE_DOMAIN: Text("none: a running domain keeps what it has", "write the former file", _APPLY),
    Kind.REMOVE_CONFIG: Text("none: nothing is started from it", "write it again", f"{_HAND}: `rm`"),
    Kind.START: Text("its guest may not start with what was changed", "shut it down and go back step by step", _APPLY),
    Kind.EXTEND_VOLUMES: Text(
        "the volume group may be full: then nothing was changed", "none needed: DRBD does not use the room yet", _APPLY
    ),
    Kind.GROW: Text("what is new is synchronised, which takes bandwidth", "none: a disk is never made smaller", _APPLY),
    Kind.REMOVE_REPLICA: Text("this copy is gone", "none", f"{_HAND}: docs/howto/change-a-size.md#gone"),
    Kind.RECORD: Text(
        "none for what runs; numbers that were left are kept from everything else until their lines under `retired` are deleted",
        "put the former allocation file back",
        f"{_REMAKE}; else on the master",
    ),
    Kind.RELEASE_NODE: Text("nothing of this topology is left there", "prepare it again", "you, by hand"),
}
