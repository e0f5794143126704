# Moves a domain to its partner: salt-run state.orch migrate pillar='{domain: dns, target: dom0m}'
# Without `target` it goes to the other one of its two nodes, from wherever it runs; or where a migration leads of which an entry is
# still there. With `offline: True` it is shut down here and started there.
{%- from 'operation.jinja' import moving, needs, operation, reason, refused with context %}
{%- call needs('migrate', {'domain': 'NAME'}, ['target', 'offline']) %}
{%- set to = salt['saltutil.runner']('operation.destination', domain=pillar['domain'], target=pillar.get('target')) %}
{%- if 'retcode' in to %}
{{ refused(reason(to)) }}
{%- else %}
{{ operation(
  {'domain': pillar['domain'], 'target': to.target},
  kind=moving(),
) }}
{%- endif %}
{%- endcall %}
