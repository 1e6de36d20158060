import contextlib
import contextvars
from typing import NamedTuple


class ExecutionContext(NamedTuple):
    prompt_id: str
    node_id: str
    list_index: int | None


_current = contextvars.ContextVar("current", default=None)


def get_executing_context():
    return _current.get()


@contextlib.contextmanager
def executing(prompt_id, node_id):
    token = _current.set(ExecutionContext(prompt_id, node_id, None))
    try:
        yield
    finally:
        _current.reset(token)
