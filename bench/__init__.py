"""Measurements that compare, in one run on one machine, and print medians and ratios."""
