# Moves one copy of a domain's data to another node; the present topology says so already, and BEFORE is what it was:
#   salt-run state.orch replace pillar='{domain: vpn, from: dom0, to: dom1, before: /root/before}'
# It is a remake that is refused when it would do anything else; `from` is the consent to the end of the copy there.
{%- from 'operation.jinja' import needs with context %}
{%- call needs('replace', {'domain': 'NAME', 'from': 'NODE', 'to': 'NODE', 'before': 'FILE'}, ['allocation', 'timeout']) %}
the copy is moved:
  orchestration.step:
    - name: remake.replace
    - domain: {{ pillar['domain'] | json }}
    - source: {{ pillar['from'] | json }}
    - target: {{ pillar['to'] | json }}
    - before: {{ pillar['before'] | json }}
    - allocation: {{ pillar.get('allocation') | json }}
    - timeout: {{ pillar.get('timeout', 86400) | json }}
{%- endcall %}
