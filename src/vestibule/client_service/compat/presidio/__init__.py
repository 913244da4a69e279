"""Presidio's HTTP interface: its names, its requests and its errors.

Source: microsoft/presidio at commit 0aa9f8e44275 (July 2026), above all presidio-analyzer/app.py,
presidio-anonymizer/app.py, docs/api-docs/api-docs.yml and e2e-tests/.
"""
