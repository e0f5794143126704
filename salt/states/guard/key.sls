# What others know this node by, long before they need it; and what DRBD will call when it has lost its partner.
{%- from "map.jinja" import guard with context %}
include:
  - share
{%- if guard %}
guard script is installed:
  guard.script_installed: []
guard key is present:
  guard.key_present: []
{%- endif %}
