"""Fault drills: one claim each, on any stack, with a ledger of every request and a control that must fail.

`drills.rows` has the claims by subject, `drills.matrix` all of them, `drills/scenarios` the drills; `make drills` runs
them and writes the report.
"""
