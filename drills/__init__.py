"""Fault drills: one claim each, on any stack, with a ledger of every request and a control that must fail.

`drills.matrix` says what is claimed, `drills/scenarios` does it, `make drills` runs it and writes the report.
"""
