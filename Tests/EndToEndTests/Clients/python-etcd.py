# One session of python-etcd over TLS with certificates and users: python-etcd.py PORT CERTIFICATES.
# It says what it sees, without what differs between any two servers: addresses, times, indexes.
import logging
import sys
import threading
import time

import etcd
from etcd import auth

logging.disable(logging.CRITICAL)
port, files = int(sys.argv[1]), sys.argv[2]
pair = lambda name: (files + '/' + name + '.pem', files + '/' + name + '-key.pem')

def client(user=None, shown='member', ca='ca', **more):
    name, password = user.split(':') if user else (None, None)
    return etcd.Client(host='127.0.0.1', port=port, protocol='https', ca_cert=files + '/' + ca + '.pem', cert=shown and pair(shown),
                       username=name, password=password, **more)

def say(name, action):
    try:
        seen = action()
    except etcd.EtcdException as failure:
        payload = {k: v for k, v in (failure.payload or {}).items() if k != 'index'}
        # What the TLS library says of a connection that did not come about is the library's own.
        seen = (type(failure).__name__, '' if isinstance(failure, etcd.EtcdConnectionFailed) or not payload else str(failure), sorted(payload.items()))
    print(name, '->', node(seen) if isinstance(seen, etcd.EtcdResult) else seen, flush=True)

def node(it):
    before = getattr(it, '_prev_node', None)
    return (it.action, it.key, it.value, it.dir, it.ttl is not None, it.newKey, before and before.value, it.modifiedIndex - it.createdIndex)

print(client().machines == ['https://127.0.0.1:%d' % port], len(client().members), client().leader['name'])
say('stats', lambda: sorted(client().stats)[:3])
anyone = client()
say('open', lambda: anyone.write('/app/open', 1))

root = auth.EtcdUser(anyone, 'root'); root.password = 'secret'
say('root', root.write)
boss = client('root:secret')
say('enabled', lambda: auth.Auth(boss).active)
say('enable', lambda: setattr(auth.Auth(boss), 'active', True))
say('enabled', lambda: auth.Auth(anyone).active)
role = auth.EtcdRole(boss, 'app'); role.acls = {'/app/*': 'RW', '/shared': 'R', '/_locks/*': 'RW'}
say('role', role.write)
user = auth.EtcdUser(boss, 'alice'); user.password = 'pw'; user.roles = ['app']
say('user', user.write)
say('role as read', lambda: (role.read(), sorted(role.acls.items())))
guest = auth.EtcdRole(boss, 'guest'); guest.read(); guest.acls = {}
say('guest', guest.write)
say('no such user', auth.EtcdUser(boss, 'nobody').read)
say('users as guest', auth.EtcdUser(anyone, 'root').read)

alice = client('alice:pw')
say('users as alice', auth.EtcdUser(alice, 'root').read)
for who, it in [('guest', anyone), ('alice', alice), ('wrong', client('alice:no')), ('unknown', client('bob:pw')), ('root', boss), ('by name', client(shown='alice'))]:
    for key in ['/app/a', '/shared', '/other']:
        say(who + ' writes ' + key, lambda: it.write(key, who))
        say(who + ' reads ' + key, lambda: it.read(key))
say('list', lambda: sorted(n.key for n in alice.read('/app/', recursive=True).leaves))
say('list without slash', lambda: alice.read('/app', recursive=True))
say('list root', lambda: alice.read('/', recursive=True))
say('again', lambda: alice.write('/app/a', 'x', prevExist=False))
say('swap', lambda: alice.test_and_set('/app/a', 'two', 'by name'))
say('swap wrong', lambda: alice.test_and_set('/app/a', 'three', 'one'))
say('ttl', lambda: alice.write('/app/t', 'short', ttl=100))
say('refresh', lambda: alice.refresh('/app/t', ttl=200))
say('append', lambda: len(alice.write('/app/queue', 'job', append=True).key))
say('directory', lambda: alice.write('/app/d', None, dir=True))
say('not a file', lambda: alice.write('/app/d', 'x'))
say('update', lambda: alice.update(alice.read('/app/a')))
say('delete', lambda: alice.delete('/app/t'))
say('gone', lambda: alice.read('/app/t'))
say('pop', lambda: alice.pop('/app/open'))

def behind(action):
    time.sleep(0.5)
    action()

threading.Thread(target=behind, args=(lambda: client('alice:pw').write('/app/w', 'seen'),)).start()
say('watch', lambda: alice.watch('/app/w', timeout=20))
first = alice.write('/app/w', 'one').modifiedIndex
alice.write('/app/w', 'two')
say('watch from', lambda: alice.watch('/app/w', index=first))
seen = []
for event in alice.eternal_watch('/app/', index=first, recursive=True):
    seen.append((event.key, event.value))
    if len(seen) == 2: break
print('eternal ->', seen)
say('watch as guest', lambda: anyone.watch('/app/w', timeout=5))
say('watch times out', lambda: alice.watch('/app/never', timeout=1))

lock = etcd.Lock(alice, 'one')
say('lock', lambda: lock.acquire(blocking=True, lock_ttl=30))
say('locked', lambda: (lock.is_acquired, etcd.Lock(client('alice:pw'), 'one').acquire(blocking=False)))
say('unlock', lock.release)

say('no right any more', lambda: (setattr(role, 'acls', {'/shared': 'R'}), role.write(), alice.read('/app/a')))
say('no certificate', lambda: client('alice:pw', shown=None).read('/shared'))
say('other authority', lambda: client('alice:pw', ca='other').read('/shared'))
say('disable as alice', lambda: setattr(auth.Auth(alice), 'active', False))
say('delete user', user.delete)
say('deleted', lambda: alice.read('/shared'))
say('disable', lambda: setattr(auth.Auth(boss), 'active', False))
say('open again', lambda: anyone.read('/shared'))
