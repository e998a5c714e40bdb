"""Ask a Kubeflow Pipelines server: time-outs, retries, and errors that a person understands.

The protocol is that of `kfp_server_api`. `kfp.Client` is passed by: it asks the server when it is
made, for half a minute if there is none, writes into the user's home, prints, and has no time-outs.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import kfp_server_api
import urllib3

from pipelines.kubeflow.access import Access
from pipelines.kubeflow.refusals import KubeflowError, explain

AGAIN = (429, 500, 502, 503, 504)
"""Answers after which a question that changes nothing is asked again."""

_PATIENCE = 60  # s; a server that asks for a longer pause is not waited for
_PAGE = 100


class Kubeflow:
    """One server, and who asks it.

    Args:
        access: where it is.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._client = kfp_server_api.ApiClient(_configuration(access))
        self.pipelines = kfp_server_api.PipelineServiceApi(self._client)
        self.uploads = kfp_server_api.PipelineUploadServiceApi(self._client)
        self.experiments = kfp_server_api.ExperimentServiceApi(self._client)
        self.runs = kfp_server_api.RunServiceApi(self._client)
        self.recurring = kfp_server_api.RecurringRunServiceApi(self._client)

    def ask(self, doing: str, method: Callable[..., Any], *values: object, **more: object) -> Any:  # noqa: ANN401 - kfp_server_api's models
        """Call one method of the API.

        Args:
            doing: what for, in words that follow "cannot".
            method: bound method of one of the services.
            values: its arguments.
            more: its arguments by name; those that are None are left out.

        Raises:
            KubeflowError: the server refused, broke, or does not answer.
        """
        given = {name: value for name, value in more.items() if value is not None}
        waits = (self.access.connect_seconds, self.access.read_seconds)
        self._client.cookie = _cookie(self.access)  # it may have been renewed
        try:
            answer = method(*values, **given, _request_timeout=waits)
        except (
            kfp_server_api.ApiException,
            urllib3.exceptions.HTTPError,
            UnicodeDecodeError,
        ) as error:
            raise explain(error, self.access, doing) from None
        self._refuse_pages(doing)
        return answer

    def listed(
        self, doing: str, method: Callable[..., Any], field: str, **more: object
    ) -> Iterator[Any]:
        """Yield the entries of a list, page after page, in the server's order.

        Args:
            doing: what for.
            method: that lists.
            field: of its answer that holds the entries.
            more: its arguments by name.
        """
        token: str | None = None
        seen: set[str] = set()
        while True:
            page = self.ask(doing, method, page_token=token, page_size=_PAGE, **more)
            yield from getattr(page, field) or []
            token = page.next_page_token
            if not token or token in seen:  # a server that turns in circles ends too
                return
            seen.add(token)

    def named(
        self, doing: str, method: Callable[..., Any], field: str, name: str, **more: object
    ) -> list[Any]:
        """Return the entries of a list whose display name is exactly this."""
        only = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        asked = json.dumps({"predicates": [only]})
        found = self.listed(doing, method, field, filter=asked, **more)
        return [entry for entry in found if entry.display_name == name]

    def text(self, doing: str, path: str) -> str:
        """Return what stands at a path that is not part of the described API, as text."""
        headers = {"Accept": "text/plain"}
        waits = (self.access.connect_seconds, self.access.read_seconds)
        self._client.update_params_for_auth(headers, [], ["Bearer"])
        cookie = _cookie(self.access)
        if cookie is not None:
            headers["Cookie"] = cookie
        try:
            answer = self._client.request(
                "GET", self.access.host + path, headers=headers, _request_timeout=waits
            )
        except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError) as error:
            raise explain(error, self.access, doing) from None
        return bytes(answer.data).decode("utf-8", "replace")

    def page_of(self, run_id: str) -> str:
        """Return the address of a run's page."""
        return f"{self.access.host}/#/runs/details/{run_id}"

    def _refuse_pages(self, doing: str) -> None:
        """The generated client takes a web page for an empty answer."""
        answer = self._client.last_response
        try:
            json.loads(answer.data)
        except ValueError:
            raise KubeflowError(
                self.access.host,
                f"cannot {doing}: it answers with a web page, not with the API",
                "It may be a login page: give KFP_TOKEN or KFP_COOKIE; "
                "behind Kubeflow's dashboard the API is at HOST/pipeline",
            ) from None


def _configuration(access: Access) -> Any:  # noqa: ANN401 - kfp_server_api ships no types
    settings = kfp_server_api.Configuration(host=access.host)
    settings.ssl_ca_cert = None if access.ca_file is None else str(access.ca_file)
    settings.retries = urllib3.Retry(
        total=access.retries,
        other=0,  # a certificate does not get better
        redirect=False,  # to a login page, with the token
        allowed_methods={"GET"},
        status_forcelist=AGAIN,
        raise_on_status=False,
        backoff_factor=access.backoff,
        backoff_max=_PATIENCE,
        backoff_jitter=access.backoff / 2,
        retry_after_max=_PATIENCE,
    )
    token = access.token
    if token is not None:
        settings.api_key["authorization"] = "read below, each time"
        settings.api_key_prefix["authorization"] = "Bearer"

        def renewed(configuration: Any) -> None:  # noqa: ANN401
            configuration.api_key["authorization"] = token.read()

        settings.refresh_api_key_hook = renewed
    return settings


def _cookie(access: Access) -> str | None:
    return None if access.cookie is None else access.cookie.read()
