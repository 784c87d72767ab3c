// Each probe returns true, or a text, when the attack succeeds. Runs as one execution in a real session.
(() => {
  const { port, planted, environment } = TARGETS;
  const fs = require('fs');
  const net = require('net');
  const os = require('os');
  const { spawnSync } = require('child_process');
  const status = Object.fromEntries(
    fs.readFileSync('/proc/self/status', 'utf8').split('\n').map((line) => line.split(/:\s*/)));
  const others = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && +name !== process.pid);
  const beyond = (folder, expected) =>
    fs.readdirSync(folder).filter((name) => !expected.split(' ').includes(name)).join(' ');
  const opens = (path, flags) => { fs.closeSync(fs.openSync(path, flags)); return true; };
  const some = (values, test) => values.some((value) => { try { return test(value); } catch { return false; } });
  // What a child has open itself are polls, events and pipes; what it was given beside its streams is anything else.
  const given = `const fs = require('fs');
    const target = (fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
    const own = /^$|^anon_inode:|^pipe:|^.dev.null$/;
    const found = fs.readdirSync('/proc/self/fd').filter((fd) => fd > 2).map(target);
    console.log(found.filter((name) => !own.test(name)).join(' '));`;
  const connects = (host, to) => new Promise((resolve) => {
    const socket = net.connect({ host, port: to, timeout: 500 });
    const settle = (reached) => { socket.destroy(); resolve(reached); };
    socket.on('connect', () => settle(true)).on('error', () => settle(false)).on('timeout', () => settle(false));
  });
  const probes = {
    "connect to the host's loopback": () => connects('127.0.0.1', port),
    'connect to the cloud metadata service 169.254.169.254': () => connects('169.254.169.254', 80),
    'find a network interface besides loopback': () => beyond('/proc/sys/net/ipv4/conf', 'all default lo')
      || Object.keys(os.networkInterfaces()).some((name) => name !== 'lo'),
    'see processes outside the session': () => others().join(' '),
    "read other processes' environment": () => some(others(), (pid) => opens(`/proc/${pid}/environ`, 'r')),
    'signal the process that started the session': () => process.ppid !== 0 && process.kill(process.ppid, 0),
    "find the host's variables in the environment": () =>
      Object.keys(process.env).filter((name) => !environment.includes(name)).join(' '),
    'read /etc/shadow': () => opens('/etc/shadow', 'r'),
    "read a file in the host's temporary directory": () => opens(planted, 'r'),
    "see the host's file system": () => beyond('/', 'dev etc lib lib64 mnt opt proc tmp usr nix')
      || beyond('/etc', 'group hosts nsswitch.conf passwd') || beyond('/mnt', 'data') || beyond('/usr/bin', 'node'),
    "see the host's devices": () => beyond('/dev', 'fd full null random stderr stdin stdout urandom zero'),
    'write to the root file system': () => some(['/x', '/etc/x', '/usr/x', '/dev/x'], (path) => opens(path, 'w')),
    'write to /dev/shm': () => opens('/dev/shm/x', 'w'),
    'write to /proc/sys': () => some(['kernel/core_pattern', 'kernel/hostname', 'vm/drop_caches'],
      (name) => opens(`/proc/sys/${name}`, 'r+')),
    "change the memory of the session's kernel": () => opens('/proc/self/mem', 'r+'),
    'write to sysrq': () => opens('/proc/sysrq-trigger', 'w'),
    'run another program': () => some(['/bin/sh', '/bin/ls', '/usr/bin/env', '/usr/bin/python3'],
      (path) => spawnSync(path, ['-c', '']).error === undefined),
    "hold the kernel's descriptors in a program that it starts": () =>
      spawnSync(process.execPath, ['-e', given], { encoding: 'utf8' }).stdout.trim(),
    'hold a capability': () => ['CapEff', 'CapPrm', 'CapInh', 'CapAmb', 'CapBnd'].some((set) => /[^0]/.test(status[set])),
    'gain privileges by a program': () => status.NoNewPrivs !== '1',
    'make any system call': () => status.Seccomp !== '2',
    'be root': () => process.getuid() === 0 || process.geteuid() === 0,
    'keep a group of the host': () => process.getgroups().some((group) => group === 0),
  };
  $$.async();
  const run = async ([name, probe]) => {
    try { const found = await probe(); return found ? [`${name}${found === true ? '' : ` (${found})`}`] : []; } catch { return []; }
  };
  Promise.all(Object.entries(probes).map(run)).then((breaches) => {
    console.log(JSON.stringify(breaches.flat()));
    $$.done();
  });
})();
