# Grows a disk while its domain runs: salt-run state.orch grow pillar='{domain: dns, disk: xvda, size: 3G}'
# Nothing but this domain is touched. The size has to be in the topology, which is what the nodes are made of; `size` here is a check, and may be left out.
{%- from 'operation.jinja' import needs with context %}
{%- call needs('grow', {'domain': 'NAME', 'disk': 'DISK'}, ['size']) %}
{%- set domain, disk = pillar['domain'], pillar['disk'] %}
both sides can grow:
  orchestration.step:
    - name: operation.growth
    - domain: {{ domain | json }}
    - disk: {{ disk | json }}
    - size: {{ pillar.get('size') | json }}
volumes first, then what DRBD uses of them:
  salt.state:
    - tgt: {{ salt['saltutil.runner']('operation.nodes', domain=domain) | json }}
    - tgt_type: list
    - sls: [lvm, drbd]
    - pillar:
        saltern_domain: {{ domain | json }}
    - require:
      - orchestration: both sides can grow
both sides have grown:
  orchestration.step:
    - name: operation.grown
    - domain: {{ domain | json }}
    - disk: {{ disk | json }}
    - require:
      - salt: volumes first, then what DRBD uses of them
{%- endcall %}
