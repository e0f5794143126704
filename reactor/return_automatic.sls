# A minion has started: what belongs to this node and has `return: automatic` comes home. The function looks again before it does
# anything; an event that is late, doubled or about another machine changes nothing.
{{ ('what returns by itself to ' ~ data['id']) | json }}:
  runner.operation.return_automatic:
    - args:
      - node: {{ data['id'] | json }}
