# The key by which this node sends domains; its public half goes to the partners by the mine, long before they need it.
{%- from "map.jinja" import domains with context %}
include:
  - share
{%- if domains %}
migration key is present:
  migration.key_present: []
{%- endif %}
