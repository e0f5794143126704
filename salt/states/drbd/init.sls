# DRBD resources: all configured before any is brought up, since one bad file blocks drbdadm for all of them. At the end
# a Primary that no domain here uses is demoted, so that its domain can be started on either node. A tie-breaker has resources
# without a disk, and nothing else.
{%- from "map.jinja" import resources, tie_breaks with context %}
include:
  - share
{%- if resources or tie_breaks %}
drbd kernel module is loaded:
  drbd.module_loaded: []
{%- endif %}
{%- for step in ('resource_configured', 'metadata_present', 'resource_running', 'first_synchronised',
                'size_used', 'role_held') %}
{%- for name in resources %}
{{ name }} {{ step }}:
  drbd.{{ step }}:
    - name: {{ name | json }}
{%- endfor %}
{%- endfor %}
{%- for name in tie_breaks %}
{{ name }} tie_breaker_running:
  drbd.tie_breaker_running:
    - name: {{ name | json }}
{%- endfor %}
