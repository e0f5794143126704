# What `salt '*' state.apply` applies, in the order in which a node is built.
base:
  '*':
    - share
  # Only minions that the ext_pillar has given a share of the topology.
  'I@saltern:slice_version:*':
    - match: compound
    - core
    - migration.key
    - guard.key
    - lvm
    - guard
    - drbd
    - guard.fencing
    - xen
    - migration
    - guard.gone
  # The one that is the third vote.
  'I@saltern:witness:*':
    - match: compound
    - core
    - guard.witness
