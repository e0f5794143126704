# Maintenance of one node after the other: salt-run state.orch rolling pillar='{hook: maintenance.reboot}'
# `hook` is an orchestration of your own, run for each node when it is empty, with `node` in its pillar; `nodes` names some
# nodes in the place of all. What fails stops everything after it.
{%- from 'operation.jinja' import needs, operation, reason, refused, several with context %}
{%- call needs('rolling', {'hook': 'STATES'}, ['nodes', 'parallel']) %}
{%- set hook = 'salt://' ~ pillar['hook'] | replace('.', '/') %}
{%- if not (salt['cp.hash_file'](hook ~ '.sls') or salt['cp.hash_file'](hook ~ '/init.sls')) %}
{{ refused('there is no orchestration ' ~ pillar['hook'] ~ '; write it as ' ~ hook ~ '.sls, or name one that is there') }}
{%- else %}
{%- call(options) several() %}
{%- set before = namespace(step=none) %}
{%- set shares = salt['saltutil.runner']('topology.shares') %}
{%- if 'retcode' in shares %}
{{ refused(reason(shares)) }}
{%- else %}
{%- set nodes = pillar.get('nodes', shares | list) %}
{%- set nodes = [nodes] if nodes is string else nodes %}
{%- set unknown = (nodes or []) | reject('in', shares) | list %}
{%- if not nodes %}
{{ refused('no node is named in `nodes`; name some, or leave it out for all') }}
{%- elif unknown %}
{{ refused('the topology has no node ' ~ unknown | join(', ') ~ '; it has ' ~ shares | join(', ')) }}
{%- else %}
{%- for node in nodes %}
{{ ('no partner of ' ~ node ~ ' is in maintenance') | json }}:
  orchestration.step:
    - name: operation.partners
    - node: {{ node | json }}
{%- if before.step %}
    - require:
      - orchestration: {{ before.step | json }}
{%- endif %}
{{ operation({'evacuate': node}, title=node ~ ' is left: ', options=options, after='no partner of ' ~ node ~ ' is in maintenance') }}
{{ (node ~ ' is empty') | json }}:
  orchestration.step:
    - name: operation.empty
    - node: {{ node | json }}
    - require:
      - orchestration: {{ (node ~ ' is left: it is done') | json }}
{{ (node ~ ' is maintained') | json }}:
  salt.runner:
    - name: state.orchestrate
    - mods: {{ pillar['hook'] | json }}
    - pillar:
        node: {{ node | json }}
    - require:
      - orchestration: {{ (node ~ ' is empty') | json }}
{{ (node ~ ' is back') | json }}:
  orchestration.step:
    - name: operation.ready
    - node: {{ node | json }}
    - require:
      - salt: {{ (node ~ ' is maintained') | json }}
{{ operation({'home': node}, title=node ~ ' has its own again: ', options=options, after=node ~ ' is back') }}
{%- set before.step = node ~ ' has its own again: it is done' %}
{%- endfor %}
{%- endif %}
{%- endif %}
{%- endcall %}
{%- endif %}
{%- endcall %}
