# A node's DRBD has lost a partner: the guards of those who share domains with it look again. They decide by what they see; an event
# that is late, doubled or about another machine changes nothing.
{{ ('who could take over from ' ~ data['node']) | json }}:
  runner.cluster.wake:
    - args:
      - node: {{ data['node'] | json }}
