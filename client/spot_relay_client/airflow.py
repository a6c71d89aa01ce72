"""Airflow: its AWS operators and sensors find runs where they look for training jobs.

Airflow makes each session of boto3 with the class that its setting names::

    AIRFLOW__AWS__SESSION_FACTORY=spot_relay_client.airflow.SessionFactory
"""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory

from spot_relay_client.sagemaker.hooks import install, install_async


class SessionFactory(BaseSessionFactory):  # type: ignore[misc]  # Airflow is not installed where types are checked
    """Makes sessions as Airflow does, with the hooks of `install`; deferrable operators have them, too.

    The stack is that of SPOT_RELAY_STACK, or else ``spot-relay``, as the credentials of the connection find it. The
    connection's extra may name another one, and a policy for all jobs: ``{"spot_relay": {"stack": …, "policy": …}}``.
    """

    def create_session(self, deferrable: bool = False) -> Any:
        """Return a session of boto3, or of aiobotocore for an operator that waits in the triggerer."""
        options = self.extra_config.get("spot_relay", {})
        session = install(super().create_session(), **options)
        if not deferrable:
            return session
        return install_async(super().create_session(deferrable=True), session, **options)
