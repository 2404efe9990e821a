"""Routing policies: one file each, with `ORDER` and `policies(outcomes)`, which yields `Policy`; found by folder.

A policy says which models it asks for each trial, from what is known at that moment: the request, and once a
model has answered, what production can see of the answer. It never sees a grade but on the items it is fitted on.
"""
