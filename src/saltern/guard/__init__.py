"""What decides whether a lost node's domains may be started here. Pure: no clock, no sockets, no processes.

``docs/design/survive.md`` argues why. Times are seconds of the clock of whoever is asked, since its boot, and are compared with
no other machine's.
"""
