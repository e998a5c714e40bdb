"""The client of a Kubeflow Pipelines server: submit, schedule, status, wait, logs.

Example:
    >>> from pipelines.kubeflow.trigger import cron_of_six
    >>> cron_of_six("30 3 * * *")
    '0 30 3 * * *'
"""
