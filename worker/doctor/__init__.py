"""What is wrong with a deployment: checks of its settings and services, with the remedy for what they find.

A check is a coroutine function that takes a ``Context`` and returns what it found; its name is the check's
id (``lock_duration`` is ``lock-duration``). A module of checks ends in a plain tuple, ``CHECKS``,
of ``Check`` in the order in which they are made; ``worker.doctor.checks`` lists the modules.
"""
