"""A mail server that others wrote (aiosmtpd), on loopback: prints each mail as a line of JSON; it knows nothing of Atelier.

    server.py [--user NAME:PASSWORD] [--refuse ADDRESS] [--busy ADDRESS]

The first line it prints is its port. With --user nobody may send without that password. Mails to --refuse are refused
for ever (550), and the first one to --busy for now (450).
"""

import argparse
import asyncio
import email
import email.policy
import json

from aiosmtpd.smtp import SMTP, AuthResult


class Desk:
    def __init__(self, refuse, busy):
        self.refuse = refuse
        self.busy = {busy} if busy else set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == self.refuse:
            return "550 no such mailbox"
        if address in self.busy:
            self.busy.remove(address)
            return "450 come back later"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "signed_in": session.authenticated,
            "id": mail["Message-ID"],
            "header_from": str(mail["From"]),
            "header_to": str(mail["To"]),
            "subject": str(mail["Subject"]),
            "text": mail.get_content(),
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", default="")
    parser.add_argument("--refuse", default="")
    parser.add_argument("--busy", default="")
    wanted = parser.parse_args()

    def known(server, session, envelope, mechanism, data):
        fits = f"{data.login.decode()}:{data.password.decode()}" == wanted.user
        # `handled` False leaves the answer, 535 or 235, to the server.
        return AuthResult(success=fits, handled=False)

    async def serve():
        desk = Desk(wanted.refuse, wanted.busy)
        # On loopback a password may go without TLS.
        auth = {"authenticator": known, "auth_required": bool(wanted.user), "auth_require_tls": False}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(desk, **auth), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
