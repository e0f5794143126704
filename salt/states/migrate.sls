# Moves a running domain to its partner: salt-run state.orch migrate pillar='{domain: dns}'
# An interruption of whatever is finished or undone by the next run of this, by `cluster.recover`, or by `state.apply`.
{%- set domain = pillar['domain'] | json %}
{%- set target = pillar.get('target') | json %}
{%- set id = salt['random.get_str'](16, chars='0123456789abcdef') | json %}
nothing else is done with the domain:
  salt.runner:
    - name: migration.begin
    - domain: {{ domain }}
    - identifier: {{ id }}
    - target: {{ target }}
every disk is UpToDate on both nodes:
  salt.runner:
    - name: migration.synchronise
    - domain: {{ domain }}
    - identifier: {{ id }}
    - target: {{ target }}
    - require:
      - salt: nothing else is done with the domain
the domain has moved:
  salt.runner:
    - name: migration.move
    - domain: {{ domain }}
    - identifier: {{ id }}
    - target: {{ target }}
    - require:
      - salt: every disk is UpToDate on both nodes
