# Logical volumes: created when missing, grown when too small, never shrunk, never removed.
{%- from "map.jinja" import volumes with context %}
include:
  - share
{%- for volume in volumes %}
{%- set device = '/dev/' ~ volume.volume_group ~ '/' ~ volume.name %}
volume {{ device }}:
  volume.present:
    - name: {{ device }}
{%- endfor %}
