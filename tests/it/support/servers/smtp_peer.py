"""A real SMTP server (aiosmtpd) that keeps what it is given, and misbehaves where the recipient asks for it.

reject@  refused for good        later@  refused for now (once for each folder)
slow@    takes the mail, keeps it, and never answers
Arguments: port folder [certificate key [user password]]
"""

import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
mails = folder / "mails"
mails.mkdir(exist_ok=True)
number = itertools.count(1)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local == "reject":
            return "550 5.1.1 no such user here"
        if local == "later" and not (folder / "was-later").exists():
            (folder / "was-later").touch()
            return "450 4.7.1 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        head = f"X-Rcpt: {','.join(envelope.rcpt_tos)}\r\nX-From: {envelope.mail_from}\r\nX-TLS: {bool(session.ssl)}\r\n"
        name = mails / f"{next(number):03}"
        part = name.with_suffix(".part")
        part.write_bytes(head.encode() + envelope.content)
        part.rename(name.with_suffix(".eml"))
        if envelope.rcpt_tos[0].startswith("slow"):
            await asyncio.sleep(3600)
        return "250 2.0.0 kept"


def make():
    options = {"hostname": "mx.example.test"}
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        options.update(tls_context=context, require_starttls=True)
    if len(sys.argv) > 6:
        known = (sys.argv[5].encode(), sys.argv[6].encode())

        def check(server, session, envelope, mechanism, data):
            good = (data.login, data.password) == known
            return AuthResult(success=good, handled=True if good else False)

        options.update(authenticator=check, auth_required=True)
    return SMTP(Handler(), **options)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, host="127.0.0.1", port=port)
    async with server:
        await server.serve_forever()


asyncio.run(main())
