"""The guard and the witness as services, around the decisions of ``saltern.guard``: clocks, sockets, files and processes.

They live without Salt: a node needs Python, Debian's python3-zmq, and this package. ``docs/design/survive.md`` tells why.
"""
