# Carries out what brings the nodes from a former topology to the present one, and nothing that destroys what is not named:
#   salt-run state.orch remake pillar='{before: /root/before, destroy: [vpn@dom0]}'
# `allocation` names the allocation file of the former topology, where it is not beside it; `timeout` is how many seconds one step
# may wait. With test=True the plan is shown. Killed anywhere, the same command again goes on.
{%- from 'operation.jinja' import needs with context %}
{%- call needs('remake', {'before': 'FILE'}, ['allocation', 'destroy', 'timeout']) %}
every domain is as the topology says:
  orchestration.step:
    - name: remake.carry_out
    - before: {{ pillar['before'] | json }}
    - destroy: {{ pillar.get('destroy', []) | json }}
    - allocation: {{ pillar.get('allocation') | json }}
    - timeout: {{ pillar.get('timeout', 86400) | json }}
{%- endcall %}
