"""Simulated phones, a fictional duty station and stand-ins for providers.

Demo, tests and load tests share it. Everything listens on 127.0.0.1 only.
"""
