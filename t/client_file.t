# The client's file: many tunnels in one process, what is wrong with it, who
# wins over it; and the systemd unit.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $web = $t->service('http');
my $six = $t->service('http', 'ipv6');
my $echo = $t->service('echo');

my $server = $t->file('server.yml', <<"EOS");
clients:
  - clientId: me
    clientSecret: of-me
  - clientId: you
    clientSecret: of-you
EOS
chmod 0644, $server;

$t->edge(tcp_ports => 4, http => "inlets_config $server;")->run();

my $edge = '127.0.0.1:' . $t->port(0);
my $port = $t->port('tcp');
my $program = "$Inlets::Test::BUILD/inlets";
my $path = "$t->{dir}/client.yml";
my $top = "server: ws://$edge\ntoken: " . $t->secret . "\n";


sub settings {
    my ($text) = @_;

    $t->file('client.yml', $text);
    chmod 0600, $path;
}


# Runs it to its end: exit code, standard output, standard error.

sub inlets {
    my $opt = ref $_[0] eq 'HASH' ? shift : {};
    my ($out, $err) = map { "$t->{dir}/run.$_" } qw(out err);
    my %env = ((map { $_ => undef } qw(TOKEN INLETS_TOKEN CREDENTIALS REMOTE)),
               %{$opt->{env} || {}});

    unlink $out, $err;

    my $pid = spawn('inlets', { stdout => $out, stderr => $err, env => \%env },
                    $program, @_);
    my $status = Inlets::Test::reap($pid, 10);

    if (!defined $status) {
        kill 'KILL', $pid;
        Inlets::Test::reap($pid, 5);
        return (-1, 'it did not end', '');
    }

    return ($status >> 8, $t->read_file('run.out'), $t->read_file('run.err'));
}


sub check { inlets('client', 'check', '-c', $path, @_) }


# Each fault, in this order, and no others.

sub faults {
    my ($name, $text, @faults) = @_;

    settings($text);

    my ($code, $out, $err) = check();
    my $expected = join '', map { /^Error/ ? "$_\n" : "Error: $path$_\n" }
                                @faults;

    is($code, 1, "$name: exit code");
    is($err, $expected, "$name: text");
    is($out, '', "$name: nothing on standard output");
}


sub body { $t->get('/', host => "$_[0].example.com", @_[1 .. $#_])->{body} }
sub status { $t->get('/', host => "$_[0].example.com", @_[1 .. $#_])->{status} }


# Many tunnels in one process, of all kinds.

settings(<<"EOS");
$top
tunnels:
  - name: web
    type: http
    upstream: ${\$web->port}
    subDomain: Web
  - name: six
    type: HTTP
    upstream: "${\$six->upstream}"
    subDomain: six
    basicAuth: ["ann:one", "bob:two"]
    denyIp: 192.0.2.0/24
    passAuth: yes
  - name: "a name: with more"
    type: tcp
    upstream: ${\$echo->upstream}
    remotePort: $port
    allowIp:
      - 127.0.0.0/8
      - ::1
EOS

is_deeply([check()], [0, "$path: 3 tunnels, ok\n", ''], 'check');
is_deeply([check('web', 'six', 'web')], [0, "$path: 2 tunnels, ok\n", ''],
          'check: some of them');

my $client = $t->client('client', '-c', $path);
ok($client->wait_up(3), 'three tunnels');

is(body('web'), "it works\n", 'the first');
is(status('six'), 401, 'the second asks for a password');
is(body('six', headers => [Authorization => 'Basic Ym9iOnR3bw==']),
   "it works\n", 'and takes it');

my $visitor = $t->connect(port => $port);
$visitor->send('hello');
is($visitor->read_exact(5), 'hello', 'the third');
$visitor->close();

unlike($client->output, qr/everyone on this machine/, 'nobody else can read it');
is($client->stop(), 0, 'exit code');

chmod 0644, $path;
$client = $t->client('client', 'six', '-c', $path);
ok($client->wait_up(), 'one that is named');
is(status('six'), 401, 'which works');
isnt(status('web'), 200, 'and not the others');
like($client->output, qr/warning: \Q$path\E holds secrets, and everyone/,
     'a file that others can read');
is($client->stop(), 0, 'exit code');

is_deeply([inlets('client', '-c', $path, 'web', 'nope')],
          [1, '', "Error: $path has no tunnel \"nope\", but web, six, a name: "
                  . "with more\n"], 'an unknown name');


# The example.

my $example = "$Inlets::Test::TOP/conf/client.yml";
is_deeply([inlets('client', 'check', '-c', $example)],
          [0, "$example: 2 tunnels, ok\n", ''], 'conf/client.yml');


# What is wrong with it.

for my $case (['nothing', '', ': the file holds no keys'],
              ['a comment', "# x\n", ': the file holds no keys'],
              ['a list', "- x\n", ':1: expected "key: value"'],
              ['not UTF-8', "token: \"\xff\"\n",
               ':1: invalid leading UTF-8 octet, at byte 8 of the file'],
              ['a zero byte', "token: a\0b\n",
               ':1: control characters are not allowed, at byte 8 of the file'],
              ['not YAML', "tunnels: [\n",
               ':2:1: did not find expected node content, while parsing a '
               . 'flow node'],
              ['no tunnels', "token: x\n",
               ': names no tunnels; those that the edge lists need '
               . 'credentials'],
              ['no tunnel', "tunnels: []\n", ':1: tunnels: names no tunnel'],
              ['all of them commented out',
               "credentials: a:b\ntunnels:\n#- name: x\n",
               ':2: tunnels: names no tunnel'])
{
    faults(@$case);
}

for my $case ([$t->{dir}, 'it is a folder'],
              ["$t->{dir}/none", 'No such file or directory'],
              ['/dev/null', 'it is no regular file'])
{
    is_deeply([inlets('client', 'check', '-c', $case->[0])],
              [1, '', "Error: cannot read \"$case->[0]\": $case->[1]\n"],
              $case->[1]);
}

settings("# x\n" x 300000);
is((check())[2], "Error: cannot read \"$path\": it is longer than 1 MiB\n",
   'a long file');

faults('keys', <<'EOS',
tokn: of-mine
token: [of-mine]
links: 17
insecure: maybe
grace: 2h
remote: "x"
server: ftp://me:of-mine@x
caFile: none.pem
tokenFile: none
reportURL: of-mine
legacy: true
logFormat: xml
tunnels: web
EOS
       ':1: unknown key "tokn", did you mean "token"?',
       ':2: token: expected a secret, 1 to 1024 bytes, found a list',
       ':3: links: expected a whole number, 0 to 16, found "17"',
       ':4: insecure: expected true or false, found "maybe"',
       ':5: grace: expected milliseconds, or a time such as 30s or 1m30s, of '
       . 'at most 1h, found "2h"',
       ":7: server: must be host:port or a URL, not \"\@x\": "
       . 'unsupported scheme in the URL',
       ":8: caFile: cannot load certificate authorities from "
       . "\"$t->{dir}/none.pem\": No such file or directory",
       ":9: tokenFile: cannot read token file \"$t->{dir}/none\": No such "
       . 'file or directory',
       ':10: reportURL: must be an http:// or https:// URL',
       ':11: legacy: protocol version 1 is not in this release, it comes '
       . 'later',
       ':12: logFormat: expected one of text, json, found "xml"',
       ':13: tunnels: expected a list of maps, found "web"');

faults('tunnels', <<'EOS',
token: of-mine
tunnels:
  - name: web
    type: http
    upstream: 3000
    subDomain: a_b
    port: 5
    upstreamInsecure: true
    basicAuth: [of-mine, "a:b"]
    hostHeader: "a b"
    proxyProtocol: v3
    connectTimeout: 0
  - name: web
    type: tcp
    upstream: x
    subDomain: foo
    upstreamAuth: a:of-mine
    allowIp: 10.0.0.0/99
    denyIp: []
  - type: udp
    subdomain: x
  - x
EOS
       ":6: tunnels[0].subDomain: \"a_b\": invalid character in a name",
       ':9: tunnels[0].basicAuth: must be user:password, of at most 512 bytes',
       ':10: tunnels[0].hostHeader: must be a host such as app.local or '
       . 'app.local:3000, not "a b"',
       ':11: tunnels[0].proxyProtocol: expected one of off, v1, v2, found "v3"',
       ':12: tunnels[0].connectTimeout: expected milliseconds, or a time such '
       . 'as 30s or 1m30s, of 1ms to 1h, found "0"',
       ':7: tunnels[0].port: is only for tcp tunnels',
       ':8: tunnels[0].upstreamInsecure: needs an upstream that starts with '
       . 'https://',
       ':15: tunnels[1].upstream: must be port or hostname:port, such as 9000 '
       . 'or 127.0.0.1:9000, not "x": missing port',
       ':18: tunnels[1].allowIp: expected an address or a range such as '
       . '10.0.0.0/8, found "10.0.0.0/99"',
       ':16: tunnels[1].subDomain: is only for http tunnels',
       ':17: tunnels[1].upstreamAuth: is only for http tunnels',
       ':19: tunnels[1].denyIp: is empty',
       ':13: tunnels[1].name: is also that of tunnels[0], line 3',
       ':20: tunnels[2].type: expected one of http, tcp, found "udp"',
       ':21: tunnels[2]: unknown key "subdomain", did you mean "subDomain"?',
       ':20: tunnels[2].name: is missing, expected a name, 1 to 64 bytes',
       ':20: tunnels[2].upstream: is missing, expected a port, host:port or a '
       . 'URL, 1 to 512 bytes',
       ':22: tunnels[3]: expected "key: value"');

faults('two of the same', <<'EOS',
tunnels:
  - { name: a, type: http, upstream: 1, subDomain: x }
  - { name: b, type: http, upstream: 2, subDomain: X }
  - { name: c, type: http, upstream: 2 }
  - { name: d, type: tcp, upstream: 3, port: 5 }
  - { name: e, type: tcp, upstream: 4, port: 5 }
  - { name: f, type: tcp, upstream: 4, port: 0 }
  - { name: g, type: tcp, upstream: 4, port: 0 }
EOS
       ':3: tunnels[1].subDomain: is also that of tunnels[0], line 2',
       ':6: tunnels[4].port: is also that of tunnels[3], line 5',
       map { ":$_: tunnels[" . ($_ - 2) . ']: token or credentials is required '
             . 'for tcp tunnel' } 5 .. 8);

faults('a name like a flag', <<'EOS',
tunnels:
  - { name: -a, type: http, upstream: 1 }
EOS
       ":2: tunnels[0].name: can't start with '-', as flags do");

faults('log-ins', <<"EOS",
token: of-mine
tokenFile: ${\$t->file('token', "of-mine\n")}
credentials: "of:mine:x"
clientId: me
tunnels:
  - { name: a, type: tcp, upstream: 1 }
EOS
       ":3: credentials: invalid credentials format, expected "
       . "'clientId:clientSecret'",
       ':2: tokenFile: is given in two ways');

faults('half a log-in', <<"EOS",
clientId: me
tunnels:
  - { name: a, type: http, upstream: 1 }
EOS
       ':1: clientSecret: is missing: both belong together');

faults('the other half', <<"EOS",
clientSecret: of-mine
tunnels:
  - { name: a, type: http, upstream: 1 }
EOS
       ':1: clientId: is missing: both belong together');

faults('two forms', <<"EOS",
type: tcp
upstream: 22
tunnels:
  - { name: a, type: http, upstream: 1 }
EOS
       ':4: tunnels: does not go with type, upstream, port, http and tcp '
       . 'outside of it, the form with one tunnel');

faults('half of the other form', "http: { auth: { username: x } }\n",
       ': type: is missing, expected http or tcp',
       ': upstream: is missing, expected a port, host:port or a URL',
       ':1: http.auth: username and password belong together');

faults('too many', "tunnels:\n" . join('', map {
           "  - { name: t$_, type: http, upstream: 1 }\n" } 0 .. 1001),
       ':1002: tunnels[1000]: more than 1000 tunnels');

settings(join '', map { "x$_: 1\n" } 1 .. 1000);
my @lines = split /\n/, (check())[2];
ok(@lines < 60, 'a thousand faults are not told');
like($lines[-1], qr/too many errors/, 'but that there are more');


# Flags of a tunnel belong into the file.

settings($top . "tunnels:\n  - { name: web, type: http, subDomain: web, "
         . "upstream: ${\$web->port} }\n");

for my $case (['-s', 'x', 'sub-domain', 'subDomain'],
              ['-p', 5, 'port', 'port'],
              ['--upstream-auth', 'a:b', 'upstream-auth', 'upstreamAuth'],
              ['--idle-timeout', 5, 'idle-timeout', 'idleTimeout'])
{
    is_deeply([inlets('client', '-c', $path, @$case[0, 1])],
              [1, '', "Error: --$case->[2] does not go with -c: write "
                      . "tunnels[].$case->[3] into $path\n"],
              "$case->[0] with a file");
}

is_deeply([inlets({ env => { INLETS_SUB_DOMAIN => 'x', SUB_DOMAIN => 'y',
                             INLETS_BASIC_AUTH => 'a:b' } },
                  'client', 'check', '-c', $path)],
          [0, "$path: 1 tunnel, ok\n", ''], 'their variables do not count');

like((inlets('client', 'check'))[2], qr/^Error: check needs a file/,
     'check without a file');


# Who wins: flag, environment, file, default.

sub comes_up {
    my ($name, $env, @flags) = @_;

    $client = $t->client({ env => $env }, 'client', @flags);
    ok($client->wait_up(), $name) or diag $client->output;
    is($client->host, 'web.example.com', "$name: name");
    is($client->stop(), 0, "$name: exit code");
}

my $tunnel = "tunnels:\n  - { name: web, type: http, subDomain: web, "
             . "upstream: ${\$web->port} }\n";

comes_up('the file', {}, '-c', $path);
comes_up('the file of the environment', { INLETS_CLIENT_CONFIG => $path });

settings("server: 127.0.0.1:1\ntoken: wrong\nlogLevel: error\n$tunnel");
comes_up('the environment before the file',
         { TOKEN => $t->secret, INLETS_REMOTE => $edge }, '-c', $path);
unlike($client->output, qr/^\[inlets\]/m, 'logLevel of the file');

comes_up('the prefix before the bare name',
         { TOKEN => 'x', INLETS_TOKEN => $t->secret, REMOTE => 'x',
           INLETS_REMOTE => $edge }, '-c', $path);
comes_up('$INLETS_SERVER before $INLETS_REMOTE',
         { TOKEN => $t->secret, INLETS_REMOTE => '127.0.0.1:1',
           INLETS_SERVER => "http://$edge" }, '-c', $path);
comes_up('--remote before $INLETS_SERVER',
         { TOKEN => $t->secret, INLETS_SERVER => 'nowhere.invalid' },
         '-r', $edge, '-c', $path);
comes_up('--server before --remote', { TOKEN => $t->secret },
         '-r', '127.0.0.1:1', '--server', "ws://$edge", '-c', $path);
comes_up('flags before the environment',
         { TOKEN => 'x', INLETS_LOG_LEVEL => 'error', REMOTE => 'x' },
         '-r', $edge, '-t', $t->secret, '-c', $path, '--log-level', 'debug');
like($client->output, qr/^\[inlets\] .*link 1/m, '--log-level');

comes_up('words before the file of the environment',
         { INLETS_CLIENT_CONFIG => '/nonexistent', TOKEN => $t->secret },
         '-r', $edge, '-s', 'web', 'http', $web->port);


# Log-ins.

my $secret = $t->file('secret', "of-me\r\n");

for my $case (['credentials', "credentials: me:of-me\ntoken: x\n"],
              ['clientId', "clientId: me\nclientSecret: of-me\n"
                           . "credentials: you:x\n"],
              ['clientSecretFile', "clientId: me\nclientSecretFile: secret\n"],
              ['credentialsFile', 'credentialsFile: '
               . $t->file('login', "me:of-me\n") . "\n"])
{
    settings("remote: $edge\n$case->[1]$tunnel");
    comes_up($case->[0], {}, '-c', $path);
    like($client->output, qr/Client ID: me$/m, "$case->[0]: who");
}

settings("remote: $edge\ncredentials: me:of-me\n$tunnel");

for my $case (['--client-id', {}, '--client-id', 'you', '--client-secret',
               'of-you'],
              ['--client-secret-file', { INLETS_CLIENT_ID => 'you' },
               '--client-secret-file', $t->file('of-you', 'of-you')],
              ['INLETS_CREDENTIALS', { CREDENTIALS => 'x:y',
                                       INLETS_CREDENTIALS => 'you:of-you' }],
              ['INLETS_CLIENT_ID', { INLETS_CLIENT_ID => 'you',
                                     INLETS_CLIENT_SECRET => 'of-you',
                                     CREDENTIALS => 'x:y' }])
{
    my ($name, $env, @flags) = @$case;

    comes_up($name, $env, '-c', $path, @flags);
    like($client->output, qr/Client ID: you$/m, "$name: who");
}

$client = $t->client('client', '-c', $path, '--client-id=you',
                     '--client-secret=of-you');
ok($client->wait_up(), '--client-secret');
unlike($t->read_file('/proc/' . $client->pid . '/cmdline'), qr/of-you/,
       'which is hidden in the process list');
$client->stop();

for my $case ([{}, '--client-id', 'x'], [{ INLETS_CLIENT_SECRET => 'x' }]) {
    my ($env, @flags) = @$case;

    like((inlets({ env => $env }, 'client', @flags, 'http', 80))[2],
         qr/^Error: --client-id and --client-secret belong together/,
         'half of a log-in');
}


# The reference's form.

for my $case ("type: http\nport: 7\nhttp: { subDomain: web }\ntcp: { port: 5 }",
              "type: http\nhttp:\n  subDomain: web\n  auth:\n"
              . "    username: ann\n    password: 'one:two'")
{
    settings("$top$case\nupstream: ${\$web->port}\n");
    comes_up('one http tunnel', {}, '-c', $path);
}

for my $keys ("port: $port", "tcp: { port: $port }") {
    settings("$top$keys\ntype: tcp\nupstream: ${\$echo->upstream}\n");
    $client = $t->client('client', '-c', $path);
    ok($client->wait_up(), 'one tcp tunnel');
    is($client->port, $port, 'its port');
    $client->stop();
}

like((inlets('client', '-c', $path, 'web'))[2],
     qr/has no tunnel "web", nor any other with a name/, 'it has no name');


# Without tunnels, and without a log-in for the edge's list.

like((inlets('client', '--credentials', 'a:b', '-s', 'x'))[2],
     qr/^Error: --sub-domain is of a tunnel, and none is named/,
     'a flag without its tunnel');

settings("server: $edge\ncredentials: me:of-me\n");
is_deeply([check()], [0, "$path: the tunnels that the edge lists, ok\n", ''],
          'those that the edge lists');
like((check('web'))[2], qr/all that the edge lists can be started, not "web"/,
     'they have no names yet');


# What a local service is told.

for my $case (['tcp', '--host-header', 'x', '--host-header is only for http'],
              ['tcp', '--upstream-auth', 'a:b',
               '--upstream-auth is only for http'],
              ['http', '--upstream-insecure', undef,
               '--upstream-insecure is only for an upstream that starts with '
               . 'https://'],
              ['http', '--upstream-auth', 'of-mine',
               'upstream auth must be user:password'],
              ['http', '--username', 'x', '--username and --password belong '
               . 'together: the password is missing'],
              ['http', '--password', 'of-mine', '--username and --password '
               . 'belong together: the user name is missing'],
              ['http', '--host-header', 'a/b', '--host-header must be a host'],
              ['http', '--proxy-protocol', 'v3',
               '--proxy-protocol must be off, v1 or v2'])
{
    my ($type, $flag, $value, $text) = @$case;
    my ($code, $out, $err) = inlets('client', '-t', 'x', $flag,
                                    defined $value ? $value : (), $type, 80);

    is("$code $out", '1 ', "$flag: exit code");
    like($err, qr/\AError: \Q$text\E.*\n\z/, "$flag: text");
    unlike($err, qr/of-mine/, "$flag: no secret");
}


# The systemd unit.

sub unit {
    my ($name, @arguments) = @_;
    my ($code, $out, $err) = inlets(@arguments);

    is("$code $err", '0 ', "$name: exit code") or return '';

    $t->file("$name.service", $out);

    SKIP: {
        skip 'no systemd-analyze', 1 if !-x '/usr/bin/systemd-analyze';

        my $said = `systemd-analyze verify --man=no $t->{dir}/$name.service 2>&1`;

        skip 'systemd-analyze does not work here', 1
            if $said =~ /Failed to (?:initialize|setup|create) manager/i;
        is($said, '', "$name: systemd-analyze verify");
    }

    return $out;
}

my $unit = unit('flags', { env => { CREDENTIALS => 'me:of-mine',
                                    INLETS_UPSTREAM_HTTP_USERNAME => 'u',
                                    INLETS_UPSTREAM_HTTP_PASSWORD => 'of-mine',
                                    INLETS_GRACE => 61000 } },
                'client', '--service', '-s', 'a b', '--basic-auth', 'a:of-mine',
                '--host-header', '100%$x', '--ca-file', 'ca.pem',
                '--allow-ip', '::1', '--allow-ip', '10.0.0.0/8',
                '--token-file', '/etc/to%ken', '--log-utc', 'http', 3000);

unlike($unit, qr/of-mine/, 'a unit has no secret');
like($unit, qr/^ExecStart=\Q$program\E client /m, 'the program');
like($unit, qr{^LoadCredential=credentials:/etc/inlets/credentials$}m,
     'but says where it is to be');
like($unit, qr{^#   install .* /etc/inlets/basic-auth\n#.*USER:PASS}m,
     'and how to make it');
like($unit, qr{^    --upstream-auth-file %d/upstream-auth \\$}m,
     '--username and --password');
like($unit, qr{^LoadCredential=token:/etc/to%%ken$}m, 'the file of a secret');
like($unit, qr{^LoadCredential=ca:/.*/ca\.pem$}m, 'another file');
like($unit, qr{^    --allow-ip ::1 \\\n    --allow-ip 10\.0\.0\.0/8 \\$}m,
     'a list');
like($unit, qr{^    --sub-domain "a b" \\\n}m, 'a space');
like($unit, qr{^    --host-header "100%%\$\$x" \\$}m, 'what systemd expands');
like($unit, qr{^    --grace 61000 \\$}m, 'of the environment');
like($unit, qr{^TimeoutStopSec=66$}m, 'TimeoutStopSec');
like($unit, qr{^    http 3000$}m, 'words');
like($unit, qr/^$_$/m, $_)
    for qw(DynamicUser=yes ProtectSystem=strict NoNewPrivileges=yes
           MemoryDenyWriteExecute=yes CapabilityBoundingSet=
           Restart=on-failure SystemCallFilter=@system-service);
unlike($unit, qr/^ExecReload/m, 'nothing to reload');

settings("${top}grace: 30s\n$tunnel");
$unit = unit('file', { env => { SUB_DOMAIN => 'x' } }, 'client', '-c', $path,
             '--service', 'web');
like($unit, qr{^    --config \Q$path\E \\\n    -- web$}m, 'a file and a name');
like($unit, qr/^ExecReload=/m, 'it can be read again');
like($unit, qr/^TimeoutStopSec=35$/m, 'grace of the file');

# What the service of systemd sees.

for my $case ([ '/run/app.sock', 'yes' ], [ '/run/user/1000/a', 'read-only' ],
              [ '/home/me/app.sock', 'read-only' ])
{
    my ($socket, $home) = @$case;

    like(unit("socket$home", 'client', '--service', 'http', "unix:$socket"),
         qr/^ProtectHome=$home$/m, "$socket: ProtectHome=$home");
}

settings("${top}tunnels: [{name: web, type: http, "
         . "upstream: unix:/home/me/app.sock}]\n");
like(unit('home', 'client', '--service', '-c', $path),
     qr/^ProtectHome=read-only$/m, 'a socket that the file names');

settings("${top}tunnels: [{name: web, type: http, "
         . "upstream: unix:/var/tmp/app.sock}]\n");

for my $words ([ 'http', 'unix:/tmp/app.sock' ], [ '-c', $path ]) {
    my ($code, $out, $err) = inlets('client', '--service', @$words);

    is("$code $out", '1 ', "@$words: exit code");
    like($err, qr{\AError: a systemd service sees no .*: unix:/\S+/app.sock must},
         "@$words: text");
}

is((inlets('client', '--service', 'http', 'x'))[0], 1, 'a wrong upstream');
is((inlets('client', '--service', '-c', '/nonexistent'))[0], 1, 'no file');

$t->finish();
