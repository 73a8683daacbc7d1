"""`airy-ray verify --sample`: the history of some conversations gives their rows, or says which."""

from contextlib import closing

import msgspec
import pytest
from msgspec.structs import replace

from airy_ray.model.ids import format_id
from airy_ray.model.message import Message
from airy_ray.state.state import State
from airy_ray.state.tables import decoded, sealed
from tests.unit.cli.directories import Directory, run, told
from tests.unit.cli.test_verify import state_file

SECRET = b'{"text":"nobody wrote this"}'


def rewrite_a_message(directory: Directory) -> Message:
    """Have one message of the first partition say something else, as a sound row."""
    with closing(State(state_file(directory).parent)) as state:
        table = state.environment.tables["messages"]
        with state.environment.write() as transaction:
            key, value = next(iter(transaction.cursor(table)))
            message: Message = decoded("messages", key, value)
            row = msgspec.msgpack.encode(replace(message, content=SECRET))
            transaction.put(key, sealed(key, row), db=table)
    return message


def test_a_whole_data_directory_passes_running_too(directory: Directory) -> None:
    assert told(directory, "verify", "--sample", "9")["whole"]
    with directory.running():
        found = told(directory, "verify", "--sample", "2", "--seed", "7")

    assert (found["whole"], found["sample"], found["seed"]) == (True, 2, 7)


def test_a_row_that_history_does_not_give_is_named_and_what_is_in_it_is_not(
    directory: Directory,
) -> None:
    message = rewrite_a_message(directory)
    shown = run(directory, "verify", "--sample", "99")

    assert shown.exit_code == 1
    assert f"table messages, {format_id(message.id)}: folding its history again" in shown.stdout
    assert "in content" in shown.stdout
    assert "nobody wrote" not in shown.stdout
    assert "text of" not in shown.stdout
    assert run(directory, "verify").exit_code == 0


def test_the_same_seed_draws_the_same(directory: Directory) -> None:
    rewrite_a_message(directory)
    found = [
        told(directory, "verify", "--sample", "1", "--seed", seed)["damages"] for seed in "1212"
    ]

    assert found[:2] == found[2:]


@pytest.mark.parametrize("wrong", [["--sample", "-1"], ["--sample", "x"], ["--seed", "x"]])
def test_what_cannot_be_drawn_is_wrong_use(directory: Directory, wrong: list[str]) -> None:
    assert run(directory, "verify", *wrong).exit_code == 2
