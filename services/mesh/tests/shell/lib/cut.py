"""Stands between a client and a server of loopback and cuts every connection short; it reads nothing it passes on.

`cut.py PORT BYTES` passes connections on to PORT and resets each after BYTES bytes of answers. It says `ready: PORT` with
its own port, and `cut` for each connection it has cut.
"""

import asyncio
import sys


async def main():
    target, most = map(int, sys.argv[1:])

    async def passed(reader, writer, limit):
        """Whether all bytes that were passed on were fewer than the limit."""
        total = 0
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
            total += len(data)
            if limit is not None and total >= limit:
                return False
        writer.close()
        return True

    async def connected(reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        asking = asyncio.create_task(passed(reader, up_writer, None))
        try:
            if not await passed(up_reader, writer, most):
                print("cut", flush=True)
                # A reset, and not the end that a server would announce.
                writer.transport.abort()
                up_writer.transport.abort()
        except OSError:
            pass
        finally:
            asking.cancel()
            writer.close()
            up_writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(f"ready: {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
