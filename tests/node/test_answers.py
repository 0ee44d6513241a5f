import asyncio
import json
import stat
from pathlib import Path

from hepto.node import answers


def test_who_connects_is_given_the_status_of_now_and_only_root_may(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "agent.sock"
        path.touch()  # of the agent before this one
        asked = 0

        def answer() -> dict[str, int]:
            nonlocal asked
            asked += 1
            return {"asked": asked}

        task = asyncio.create_task(answers.serve(answer, str(path)))
        while not path.is_socket():  # noqa: ASYNC110 - what is waited for is a file
            await asyncio.sleep(0)
        found = []
        for _ in range(2):
            reader, writer = await asyncio.open_unix_connection(str(path))
            found.append(json.loads(await reader.read()))
            writer.close()
            await writer.wait_closed()
        mode = stat.S_IMODE(path.stat().st_mode)  # from Python 3.13 on, the end of the server removes it
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert found == [{"asked": 1}, {"asked": 2}]
        assert mode & 0o077 == 0

    asyncio.run(story())
