"""Pure domain: calls, numbers, facts, rules, decisions and their wire form. No clock, no environment, no I/O."""
