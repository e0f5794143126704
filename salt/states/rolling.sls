# Maintenance of one node after the other: salt-run state.orch rolling pillar='{hook: maintenance.reboot}'
# `hook` is an orchestration of your own, run for each node when it is empty, with `node` in its pillar; `nodes` names some
# nodes in the place of all. What fails stops everything after it.
{%- from 'operation.jinja' import needs, operation, reason, refused, several with context %}
{%- call needs('rolling', {'hook': 'STATES'}) %}
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
{%- set nodes = pillar.get('nodes') or (shares | list) %}
{%- if nodes is string or nodes | reject('in', shares) | list %}
{{ refused('`nodes` of the pillar of the command is ' ~ (nodes | json) ~ '; allowed: a list of ' ~ shares | join(', ')) }}
{%- else %}
{%- for node in nodes %}
{{ operation({'evacuate': node}, title=node ~ ' is left: ', options=options, after=before.step) }}
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
