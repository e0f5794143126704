# The block script, without which no disk is attached. Domains: configured on both of their nodes, started on their home, in start order.
{%- from "map.jinja" import domains with context %}
include:
  - share
{%- if domains %}
block script is installed:
  xen.block_script_installed: []
{%- endif %}
{%- for step in ('domain_configured', 'domain_running') %}
{%- for domain in domains %}
{{ domain.name }} {{ step }}:
  xen.{{ step }}:
    - name: {{ domain.name | json }}
{%- endfor %}
{%- endfor %}
