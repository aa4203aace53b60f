"""A mail server that keeps what it gets: one JSON object per message, appended to a file.

    $(deploy/dev/python.sh) deploy/dev/mail_sink.py --out mails.ndjson [--listen 127.0.0.1:0] [--fail RATE]
                            [--user NAME --password-env VARIABLE] [--certificate PEM --key PEM]

The first line on stdout is {"address": "127.0.0.1:PORT"}. With a certificate it insists on STARTTLS, with a user on a login. --fail is the
share of messages that it turns away with 451, so that retries show. It ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import ssl
import sys
from datetime import datetime, timezone
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


class Sink:
    def __init__(self, out, fail_rate):
        self.out = out
        self.fail_rate = fail_rate

    async def handle_DATA(self, _server, session, envelope):
        if random.random() < self.fail_rate:
            return "451 told to fail"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        record = {
            "received_at": datetime.now(timezone.utc).isoformat(),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["subject"],
            "headers": {name: str(value) for name, value in mail.items()},
            "text": text.get_content() if text else None,
            "html": html.get_content() if html else None,
            "tls": session.ssl is not None,
            "login": session.authenticated or False,
        }
        self.out.write(json.dumps(record) + "\n")
        self.out.flush()
        return "250 kept"


def tls_context(arguments):
    if not arguments.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(arguments.certificate, arguments.key)
    return context


def authenticator(arguments):
    if not arguments.user:
        return None
    expected = (arguments.user.encode(), os.environ[arguments.password_env].encode())

    def check(_server, _session, _envelope, _mechanism, login):
        return AuthResult(success=(login.login, login.password) == expected, handled=False)

    return check


async def serve(arguments):
    context = tls_context(arguments)
    check = authenticator(arguments)
    loop = asyncio.get_running_loop()
    with open(arguments.out, "a", encoding="utf-8") as out:
        sink = Sink(out, arguments.fail)

        def session():
            return SMTP(
                sink,
                hostname="localhost",
                tls_context=context,
                require_starttls=context is not None,
                authenticator=check,
                auth_required=check is not None,
                auth_require_tls=context is not None,
            )

        host, port = arguments.listen.rsplit(":", 1)
        server = await loop.create_server(session, host, int(port))
        address = server.sockets[0].getsockname()
        print(json.dumps({"address": f"{address[0]}:{address[1]}"}), flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--out", required=True)
    parser.add_argument("--fail", type=float, default=0.0)
    parser.add_argument("--user")
    parser.add_argument("--password-env", default="MAIL_PASSWORD")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
