"""PostgreSQL's own statements, where they differ from what a small database would show."""

from tests.office import answers_of, opened


def test_a_transaction_larger_than_any_socket_buffer_is_sent_whole(postgresql_url: str) -> None:
    story = "Every dose was found in time. " * 260
    with opened(postgresql_url) as room:
        jobs = [room.submission(narrative=story, person_ref=f"person-{n}" * 10) for n in range(256)]

        answers = answers_of(room.house.try_all(jobs, patience=20.0))

    assert [one.status for one in answers] == [201] * 256
