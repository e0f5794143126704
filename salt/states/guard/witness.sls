# The third vote, on a machine that is no node. The engine `saltern_witness` reads this; see docs/howto/survive-a-lost-node.md.
include:
  - share
{%- if 'guard.status' in salt or not opts.get('test') %}
guard key is present:
  guard.key_present: []
witness is configured:
  guard.witness_configured: []
{%- endif %}
