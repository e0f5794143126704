"""What the tools call the states of a connection."""

from saltern.sim.drbd.kernel import CONNECTING, ESTABLISHED, STANDALONE, Device, Disk, Resource


def connection_state(resource: Resource) -> str:
    """The state of the connection alone, as status and events2 print it."""
    return STANDALONE if resource.connection is None else resource.connection.state


def old_connection_state(resource: Resource, device: Device) -> str:
    """Connection and replication in one word, as ``cstate`` and /proc/drbd of 8.4 print it."""
    if resource.connected:
        return "Connected" if device.replication == ESTABLISHED else device.replication_word
    state = connection_state(resource)
    return "WFConnection" if state == CONNECTING else state


def peer_role(resource: Resource) -> str:
    """The role of the peer as far as it is known."""
    return "Unknown" if resource.connection is None else resource.connection.peer_role


def unconfigured(resource: Resource, device: Device) -> bool:
    """A device with neither disk nor connection, on a Secondary: 8.4 calls it "Unconfigured" (transcript 043)."""
    standalone = connection_state(resource) == STANDALONE
    return device.disk == Disk.DISKLESS and standalone and not resource.primary
