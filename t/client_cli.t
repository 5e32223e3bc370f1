# The client's command line: flags, environment, errors, exit codes, what it
# prints and what it keeps to itself.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $web = $t->service('http');
my $echo = $t->service('echo');

$t->edge(tcp_ports => 4)->run();

my $edge = '127.0.0.1:' . $t->port(0);
my $program = "$Inlets::Test::BUILD/inlets";
my @variables = qw(TUNNEL_PORT SUB_DOMAIN TOKEN CREDENTIALS REMOTE
                   REMOTE_TCP_PORT HEALTHCHECK_INTERVAL REPORT_URL LEGACY);


# Runs it to its end: exit code, standard output, standard error.

sub inlets {
    my $opt = ref $_[0] eq 'HASH' ? shift : {};
    my ($out, $err) = map { "$t->{dir}/run.$_" } qw(out err);
    my %env = ((map { $_ => undef } @variables), %{$opt->{env} || {}});

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


# An error: exit code 1, one line on standard error, nothing else.

sub wrong {
    my ($name, $text, @arguments) = @_;
    my ($code, $out, $err) = inlets(@arguments);

    is($code, 1, "$name: exit code");
    like($err, qr/\AError: \Q$text\E/, "$name: text");
    is($err =~ tr/\n//, 1, "$name: one line");
    is($out, '', "$name: nothing on standard output");
}


# Version and help.

for my $words ([], ['client']) {
    my ($code, $out, $err) = inlets(@$words, '--version');

    is("$code $err", '0 ', "@$words --version: exit code");
    like($out, qr/\A\d+\.\d+\.\d+\n\z/, "@$words --version: the number alone");
}

for my $words (['--help'], ['-h'], []) {
    my ($code, $out, $err) = inlets(@$words);

    is("$code $err", '0 ', "inlets @$words: exit code");
    like($out, qr/inlets client \[flags\] http\|tcp UPSTREAM/,
         "inlets @$words: usage");
}

for my $words (['--help'], ['-h'], [], ['http'], ['tcp']) {
    my ($code, $out, $err) = inlets('client', @$words);

    is("$code $err", '0 ', "client @$words: exit code");

    for my $text ('-s, --sub-domain', '-p, --port', '-t, --token',
                  '--credentials', '-r, --remote', '--remote-tcp-port',
                  '--healthcheck-interval', '--legacy', '--report-url',
                  '--token-file', '--ca-file', '--insecure', '--links',
                  '--grace', '--log-level', '--log-utc',
                  (map { "\$$_" } @variables),
                  'default inlets.zcorky.com:443', 'default 8443',
                  'default 30000')
    {
        ok(index($out, $text) >= 0, "client @$words: help has $text");
    }
}

unlike((inlets({ env => { TOKEN => 'hunter2' } }, 'client', '--help'))[1],
       qr/hunter2/, 'help does not show the token of the environment');


# Errors.

wrong('command', 'unknown command "clients"', 'clients');
wrong('top flag', 'unknown option --nope', '--nope=1');
wrong('flag', 'unknown option --nope', 'client', '--nope', 'http', '9000');
wrong('letter', 'unknown option -z', 'client', '-z', 'http', '9000');
wrong('no value', 'option --port needs a value', 'client', 'tcp', '22',
      '--port');
wrong('type', "type must be 'http' or 'tcp', not \"udp\"", 'client', 'udp', '53');
wrong('more words', 'unexpected argument "x"', 'client', 'http', '9000', 'x');

for my $upstream ('', 'x', ':', '0', '65536', '127.0.0.1:', ':80',
                  '127.0.0.1:x', '1:2:3', '[::1]', 'http://a/b?c',
                  'ftp://127.0.0.1:21', "a\tb:80", 'a' x 300 . ':80')
{
    wrong('upstream ' . substr($upstream, 0, 20), 'upstream must be port or '
          . 'hostname:port, such as 9000 or 127.0.0.1:9000',
          'client', 'http', $upstream);
}

for my $remote ('x', 'x:', 'x:0', 'x:70000', 'ftp://x:1', 'wss://', 'ws://x?q',
                'ws://u@x', '::1:443')
{
    wrong("remote $remote", 'remote must be host:port or a URL', 'client',
          '-r', $remote, 'http', '9000');
}

wrong('port', '--port must be a number from 0 to 65535, not "65536"',
      'client', '-p', '65536', 'tcp', '22');
wrong('port with a sign', '--port must be a number', 'client', '-p', '-1',
      'tcp', '22');
wrong('port in the environment', '$TUNNEL_PORT must be a number from 0 to '
      . '65535, not "x"', { env => { TUNNEL_PORT => 'x' } }, 'client', 'tcp',
      '22');
wrong('links', '--links must be a number from 0 to 16', 'client', '--links',
      '17', 'http', '9000');
wrong('interval', '--healthcheck-interval must be a number', 'client',
      '--healthcheck-interval', '0', 'http', '9000');
wrong('huge number', '--healthcheck-interval must be a number', 'client',
      '--healthcheck-interval', '9' x 40, 'http', '9000');
wrong('level', '--log-level must be error, warn, info or debug', 'client', '--log-level', 'loud', 'http',
      '9000');
wrong('name', 'sub-domain "a.b"', 'client', '-s', 'a.b', 'http', '9000');
wrong('long name', 'sub-domain "', 'client', '-s', 'a' x 64, 'http', '9000');
wrong('the edge as -s', '--sub-domain must be a name, not "https://x": the '
      . 'edge is given with --server', 'client', '-s', 'https://x',
      '--credentials', 'a:b');
wrong('legacy', '--legacy', 'client', '--legacy', 'http', '9000');
wrong('legacy in the environment', '--legacy', { env => { LEGACY => 'yes' } },
      'client', 'http', '9000');
wrong('CA file', 'cannot load certificate authorities from "/nonexistent"',
      'client', '--ca-file', '/nonexistent', '-r', 'localhost:443', 'http',
      '9000');

wrong('TCP without a login', 'token or credentials is required for tcp tunnel',
      'client', 'tcp', '22');

for my $credentials ('x', 'x:', ':x', 'a:b:c', ':') {
    wrong("credentials $credentials", 'invalid credentials format, expected '
          . "'clientId:clientSecret'", 'client', '--credentials', $credentials,
          'tcp', '22');
}

my $secret = 's3cr3t-of-mine';
my ($code, $out, $err) = inlets('client', '--credentials', "$secret:a:b", 'tcp',
                                '22');
unlike($err, qr/$secret/, 'a wrong secret is not shown');

wrong('token file missing', 'cannot read token file', 'client', '--token-file',
      "$t->{dir}/none", 'http', '9000');
wrong('token file empty', 'cannot use token file', 'client', '--token-file',
      $t->file('empty', "\n"), 'http', '9000');
wrong('token file long', 'cannot use token file', 'client', '--token-file',
      $t->file('long', 'x' x 5000), 'http', '9000');
wrong('token file of two lines', 'cannot use token file', 'client',
      '--token-file', $t->file('two', "$secret\nx\n"), 'http', '9000');
wrong('token file with a zero byte', 'cannot use token file', 'client',
      '--token-file', $t->file('zero', "a\0b"), 'http', '9000');
wrong('token and token file', 'give either a token or a token file', 'client',
      '--token-file', $t->file('token', $t->secret . "\r\n"), '-t', 'x', 'http',
      '9000');
wrong('empty token', 'the token is empty', 'client', '-t', '', 'tcp', '22');
wrong('long token', '--token is longer', 'client', '-t', 'x' x 5000, 'tcp',
      '22');


# Refused by the edge.

sub refused {
    my ($name, $text, @arguments) = @_;
    my ($status, $stdout) = inlets(@arguments);

    is($status, 1, "$name: exit code");
    like($stdout, qr/error: authentication failed: \Q$text\E/, "$name: text");
}

refused('wrong token', 'invalid signature', 'client', '-r', $edge, '-t',
        'wrong', 'http', '9000');
refused('wrong credentials', 'invalid signature', 'client', '-r', $edge,
        '--credentials', 'me:wrong', 'http', '9000');
refused('public', 'invalid client', 'client', '-r', $edge, 'http', '9000');


# Accepted: all ways to say the same.

my $secret_file = $t->file('token', $t->secret . "\r\n");

my @ways = (
    ['flags first', {}, ['-r', $edge, '-t', $t->secret, '-s', 'way', 'http',
                         $web->upstream]],
    ['flags last', {}, ['http', $web->upstream, '-s', 'way', '-t', $t->secret,
                        '-r', $edge]],
    ['flags between', {}, ['-s', 'way', 'http', '-r', $edge, $web->upstream,
                           '-t', $t->secret]],
    ['long flags', {}, ['--sub-domain=way', "--remote=$edge",
                        '--token=' . $t->secret, '--log-utc', 'http',
                        $web->upstream]],
    ['environment', { TOKEN => $t->secret, REMOTE => $edge,
                      SUB_DOMAIN => 'way' }, ['http', $web->upstream]],
    ['flags win', { TOKEN => 'x', REMOTE => 'x', SUB_DOMAIN => '...',
                    TUNNEL_PORT => 1, HEALTHCHECK_INTERVAL => 1 },
     ['http', $web->upstream, '-t', $t->secret, '-r', $edge, '-s', 'way',
      '--healthcheck-interval', 5000]],
    ['token file', {}, ['--token-file', $secret_file, '-r', $edge, '-s', 'way',
                        'http', $web->upstream]],
    ['token file before $TOKEN', { TOKEN => 'x' },
     ['--token-file', $secret_file, '-r', $edge, '-s', 'way', 'http',
      $web->upstream]],
    ['name in capitals', { TOKEN => $t->secret },
     ['-r', $edge, '-s', 'WAY', 'http', $web->upstream]],
    ['upstream as a URL', { TOKEN => $t->secret },
     ['-r', "ws://$edge/", '-s', 'way', 'http', 'http://' . $web->upstream]],
    ['upstream as a port', { TOKEN => $t->secret },
     ['-r', "http://$edge", '-s', 'way', 'http', $web->port]],
    ['a name for the edge', { TOKEN => $t->secret },
     ['-r', 'localhost:' . $t->port(0), '-s', 'way', 'http', $web->upstream]],
    ['a name for the service', { TOKEN => $t->secret },
     ['-r', $edge, '-s', 'way', 'http', 'localhost:' . $web->port],
     'localhost:' . $web->port],
    ['report URL', { TOKEN => $t->secret, REPORT_URL => 'http://127.0.0.1/' },
     ['-r', $edge, '-s', 'way', 'http', $web->upstream]],
);

for my $way (@ways) {
    my ($name, $env, $arguments, $shown) = @$way;
    my $client = $t->client({ env => $env }, 'client', @$arguments);

    ok($client->wait_up(), "$name: up");
    $shown ||= $web->upstream;
    like($client->output, qr{^Forwarding: http://way\.example\.com:\d+ -> http://\Q$shown\E$}m,
         "$name: Forwarding line");
    is($t->get('/', host => 'way.example.com')->{body}, "it works\n",
       "$name: answer");

    is($client->stop(), 0, "$name: exit code");
}


# Names and ports.

my $first = $t->tunnel('http', $web->upstream, '-s', 'taken');
refused('name taken', 'domain id has been used, please use another',
        { env => { TOKEN => $t->secret } }, 'client', '-r', $edge, '-s',
        'taken', 'http', $web->upstream);
is($t->get('/', host => 'taken.example.com')->{status}, 200,
   'who has the name keeps it');

my $random = $t->tunnel('http', $web->upstream);
like($random->host, qr/^[a-z0-9]+\.example\.com$/, 'a random name');
is($t->get('/', host => $random->host)->{status}, 200, 'which works');

my $port = $t->port('tcp', 4);
my $tcp = $t->tunnel('tcp', $echo->upstream, '-p', $port + 2);
like($tcp->output, qr{^Forwarding: tcp://example\.com:@{[$port + 2]} -> \Q@{[$echo->upstream]}\E$}m,
     'Forwarding line of a TCP tunnel');

my $visitor = $t->connect(port => $port + 2);
$visitor->send('hello');
is($visitor->read_exact(5), 'hello', 'TCP answer');
$visitor->close();

($code, $out) = inlets({ env => { TOKEN => $t->secret } }, 'client', '-r',
                       $edge, 'tcp', '22', '-p', $port + 2);
is($code, 1, 'port taken: exit code');
like($out, qr/error: .*port|error: .*in use|error: .*used/i, 'port taken: text');

my $any = $t->client({ env => { TOKEN => $t->secret, TUNNEL_PORT => $port } },
                     'client', '-r', $edge, 'tcp', $echo->port);
ok($any->wait_up(), 'port from the environment: up');
is($any->port, $port, 'port from the environment');


# What others may see.

for my $flags (['-t', $t->secret], ['--token', $t->secret],
               ['--token=' . $t->secret], ['-t' . $t->secret])
{
    my $client = $t->client('client', '-r', $edge, @$flags, 'http',
                            $web->upstream, '--log-level', 'debug');
    $client->wait_up();

    my $line = $t->read_file('/proc/' . $client->pid . '/cmdline');

    like($line, qr/client\0/, 'command line');
    unlike($line, qr/\Q@{[$t->secret]}\E/, 'token hidden in the process list');
    unlike($client->output, qr/\Q@{[$t->secret]}\E/, 'and in the debug log');
    is($client->stop(), 0, 'exit code');
}

my $hidden = $t->client('client', '-r', '127.0.0.1:' . $t->port('nobody'),
                        '--credentials', "me:$secret", 'http', $web->upstream);
$hidden->wait_output(qr/retrying/);
unlike($t->read_file('/proc/' . $hidden->pid . '/cmdline'), qr/$secret/,
       'credentials hidden in the process list');
is($hidden->stop(), 0, 'exit code');


# The log.

my $stamp = qr{\[inlets\] \d{4}/\d\d/\d\d (\d\d):\d\d:\d\d };

sub hours {
    my ($text) = @_;
    return $text =~ /^$stamp/m ? $1 : -1;
}

my $client = $t->client({ token => 1, env => { TZ => 'XXX-9' } }, 'client', '-r',
                        $edge, 'http', $web->upstream);
ok($client->wait_up(), 'up');

my @lines = split /\n/, $client->output;
is(scalar(grep { !/^$stamp\S|^Forwarding: / } @lines), 0, 'form of the lines')
    or diag $client->output;
ok(abs((hours($client->output) - (gmtime)[2]) % 24 - 9) <= 1, 'local time')
    or diag $client->output;
$client->stop();

$client = $t->client({ token => 1, env => { TZ => 'XXX-9' } }, 'client', '-r',
                     $edge, '--log-utc', 'http', $web->upstream);
ok($client->wait_up(), 'up');
my $off = (hours($client->output) - (gmtime)[2]) % 24;
ok($off == 0 || $off == 23, 'universal time') or diag $client->output;
$client->stop();

$client = $t->client({ token => 1 }, 'client', '-r', $edge, '--log-level',
                     'error', 'http', $web->upstream);
ok($client->wait_up(), 'up');
like($client->output, qr/\AForwarding: .*\n\z/,
     'level error: the Forwarding line alone');
$client->stop();

like($first->output, qr/\[authenticate\] Client ID: \S+\n/, 'client id');
like($first->output, qr/\[authenticate\] Container ID: [0-9a-f-]{36}\n/,
     'container id');
unlike($first->output, qr/libwebsockets/, 'level info: no debugging');

$t->finish();
