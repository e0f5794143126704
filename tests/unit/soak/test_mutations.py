"""Whether schedules check the rules: a rule that is switched off is missed."""

import json

from soak import mutations


def test_a_rule_that_is_switched_off_is_missed_by_some_schedule(capsys):
    rule = "what runs on several nodes is stopped"
    assert mutations.main(["-n", "200", "--rule", rule, "--jobs", "1", "--out", "json"]) == 0
    (missed,) = json.loads(capsys.readouterr().out)
    assert missed["rule"] == rule
    assert missed["broken"] == "what runs on several nodes goes on"
    assert missed["schedules"] == missed["seed"] + 1


def test_a_rule_that_no_schedule_misses_is_told(capsys):
    assert mutations.main(["-n", "1", "--rule", "the lease counts from the answer", "--jobs", "1"]) == 1
    assert "not missed: the lease counts from the answer" in capsys.readouterr().out
