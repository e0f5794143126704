# Moves a domain to its partner: salt-run state.orch migrate pillar='{domain: dns}'
# `target` names the node; with `offline: True` it is shut down here and started there.
{%- from 'operation.jinja' import operation with context %}
{{ operation(
  {'domain': pillar['domain'], 'target': pillar.get('target')},
  kind='offline migrate' if pillar.get('offline') else 'migrate',
) }}
