# What others know this node by, long before they need it; what DRBD will call when it has lost its partner; and the packages that
# the guard works with, and switches partners off with.
{%- from "map.jinja" import guard, root with context %}
include:
  - share
{%- if guard %}
guard script is installed:
  guard.script_installed: []
guard key is present:
  guard.key_present: []
{%- if not root %}
what the guard needs is installed:
  pkg.installed:
    - pkgs: {{ ['python3-zmq'] + (['fence-agents'] if guard.fencing else []) }}
{%- endif %}
{%- endif %}
