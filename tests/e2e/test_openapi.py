"""The API does what its description says, whatever it is asked (OpenAPI at `/openapi.json`).

`AIRY_SCHEMATHESIS_EXAMPLES` sets how many requests are made up for each operation.
"""

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from airy_ray.serve.api.app import ENDPOINTS
from airy_ray.serve.api.openapi import description
from tests.e2e.program import Running

EXAMPLES = int(os.environ.get("AIRY_SCHEMATHESIS_EXAMPLES", "5"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DESCRIBED = schemathesis.openapi.from_dict(description(ENDPOINTS.values()))
made_up = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=False,
)


@DESCRIBED.parametrize()
@made_up
def test_an_operation_does_what_it_says(case: Any, platform: Running) -> None:
    case.call_and_validate(base_url=platform.url, checks=CHECKS)


def test_operations_in_a_row_do_what_they_say(platform: Running) -> None:
    class Machine(DESCRIBED.as_state_machine()):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": platform.url}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Machine.run(settings=settings(made_up, stateful_step_count=6, max_examples=EXAMPLES * 4))
