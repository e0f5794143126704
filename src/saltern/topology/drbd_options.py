"""The options of drbd.conf(5) that a topology may set, and those that it must not.

Source: drbd.conf-8.4(5), drbd.conf-9.0(5) and ``drbdsetup xml-help`` of drbd-utils 9.22; an option of either generation
is known here, and the renderer writes it for the generation that has it.
"""

from typing import Final, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN: Final = {
    "net": _words(
        """
        after-sb-0pri after-sb-1pri after-sb-2pri allow-remote-read always-asbp congestion-extents congestion-fill
        connect-int cram-hmac-alg csums-after-crash-only csums-alg data-integrity-alg fencing ko-count max-buffers
        max-epoch-size on-congestion ping-int ping-timeout rcvbuf-size rr-conflict shared-secret sndbuf-size
        socket-check-timeout tcp-cork timeout transport unplug-watermark use-rle verify-alg
        """
    ),
    "disk": _words(
        """
        al-extents al-updates c-delay-target c-fill-target c-max-rate c-min-rate c-plan-ahead disable-write-same
        discard-zeroes-if-aligned disk-barrier disk-drain disk-flushes disk-timeout max-bio-bvecs md-flushes
        on-io-error read-balancing resync-after resync-rate rs-discard-granularity
        """
    ),
    "handlers": _words(
        """
        after-resync-target before-resync-source before-resync-target disconnected fence-peer initial-split-brain
        local-io-error out-of-sync pri-lost pri-lost-after-sb pri-on-incon-degr quorum-lost split-brain unfence-peer
        """
    ),
    "options": _words(
        """
        auto-promote auto-promote-timeout cpu-mask max-io-depth on-no-data-accessible on-no-quorum
        on-suspended-primary-outdated peer-ack-delay peer-ack-window quorum quorum-minimum-redundancy twopc-retry-timeout
        twopc-timeout
        """
    ),
}

# Written elsewhere in the topology, or decided by Saltern: section, option -> what to do instead.
OWNED: Final = {
    ("net", "protocol"): "write it as `protocol` beside `net`",
    ("disk", "fencing"): "write it under `net`: it is written where each generation of DRBD looks for it",
    ("disk", "size"): "take it out: the size of a disk is `size` of the disk",
}


class Forced(NamedTuple):
    """The one value that may be written for an option, and why no other."""

    value: str
    reason: str


_SPLIT_BRAIN: Final = Forced("disconnect", "a split-brain is left to a person: data are never discarded by a policy")

FORCED: Final = {
    ("net", "allow-two-primaries"): Forced("no", "two primaries are allowed only for the moments of a live migration"),
    ("net", "after-sb-0pri"): _SPLIT_BRAIN,
    ("net", "after-sb-1pri"): _SPLIT_BRAIN,
    ("net", "after-sb-2pri"): _SPLIT_BRAIN,
    ("net", "rr-conflict"): _SPLIT_BRAIN,
    ("options", "auto-promote"): Forced("no", "roles are changed only where that is proven to be safe"),
}
