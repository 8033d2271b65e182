"""A 9P2000 client of a few words, made of pyroute2's.

    plan9.py PORT UNAME ls PATH        the names in a directory, one a line
    plan9.py PORT UNAME cat PATH       a file's content
    plan9.py PORT UNAME ask PATH LINE  writes the line, and shows what a read through the same fid then says

The ticket is in $TICKET. pyroute2 encodes and decodes every message. Its client attaches only as the local user without
an aname, walks no empty path and has no words for open and clunk: these go out as its messages.
A refusal ends this program with the server's text.
"""

import asyncio
import json
import os
import sys

from pyroute2 import Plan9ClientSocket
from pyroute2.plan9 import Stat, msg_tattach, msg_tclunk, msg_topen, msg_twalk

NOFID, OREAD, ORDWR = 0xFFFFFFFF, 0, 2
ROOT, FILE = 0, 1


async def send(client, message, **fields):
    message.update(fields)
    return await client.request(message)


async def attach(client, uname):
    version = (await client.version())['version']
    if version != '9P2000':
        sys.exit(f'the server speaks {version!r}, wanted 9P2000')
    await send(client, msg_tattach(), fid=ROOT, afid=NOFID, uname=uname, aname=os.environ['TICKET'])


async def open_file(client, path, mode):
    names = [name for name in path.split('/') if name]
    walked = (await send(client, msg_twalk(), fid=ROOT, newfid=FILE, wname=names))['wqid']
    if len(walked) < len(names):
        sys.exit(f'nothing is called {names[len(walked)]!r} on the way to {path}')
    await send(client, msg_topen(), fid=FILE, mode=mode)


async def content(client):
    """All of the open file or directory, up to the read that gives nothing."""
    whole = bytearray()
    while data := (await client.read(FILE, offset=len(whole), count=4096))['data']:
        whole += data
    return whole


def names_in(directory):
    at = 0
    while at < len(directory):
        stat, at = Stat.decode_from(directory, at)
        yield stat['name']


async def main(port, uname, verb, path, *lines):
    client = Plan9ClientSocket(address=('127.0.0.1', int(port)))
    await attach(client, uname)
    await open_file(client, path, ORDWR if verb == 'ask' else OREAD)
    for line in lines:
        await client.write(FILE, f'{line}\n')
    found = await content(client)
    await send(client, msg_tclunk(), fid=FILE)
    print('\n'.join(names_in(found)) if verb == 'ls' else found.decode().removesuffix('\n'))


try:
    asyncio.run(main(*sys.argv[1:]))
except json.JSONDecodeError as refused:
    # Between two pyroute2s the text of an Rerror is JSON; it gives up on anybody else's, and keeps it here.
    sys.exit(refused.doc)
