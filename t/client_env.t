# The client's environment variables, one by one, and the flags that change
# what a running client does.

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my $t = Inlets::Test->new();
my $web = $t->service('http');
my $hang = $t->service('hang');
my ($crt, $key) = $t->certificate('edge.example.com', '127.0.0.1');

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%%; '
              . 'listen 127.0.0.1:%%PORT_tls%% ssl;',
    server => "ssl_certificate $crt; ssl_certificate_key $key;",
    tcp_ports => 4,
)->run();

my $edge = '127.0.0.1:' . $t->port(0);
my $tls = 'wss://127.0.0.1:' . $t->port('tls');
my %login = (TOKEN => $t->secret, REMOTE => $edge);


sub client {
    my ($env, @arguments) = @_;
    return $t->client({ env => { %login, %$env } }, 'client', @arguments);
}


# Wrong values are refused by the name under which they were given.

for my $case (['TUNNEL_PORT', 'x'], ['TUNNEL_PORT', 65536],
              ['INLETS_LINKS', 17], ['INLETS_MAX_STREAMS', 0],
              ['INLETS_GRACE', '-1'], ['HEALTHCHECK_INTERVAL', 0],
              ['REMOTE_TCP_PORT', 70000])
{
    my ($name, $value) = @$case;
    my $client = client({ $name => $value }, 'http', $web->upstream);

    is($client->wait_exit(), 1, "$name=$value: exit code");
    like($client->output, qr/^Error: \$$name must be a number from \d+ to \d+, not "\Q$value\E"$/m,
         "$name=$value: text");
}

my $client = client({ INLETS_LOG_LEVEL => 'loud' }, 'http', $web->upstream);
is($client->wait_exit(), 1, 'INLETS_LOG_LEVEL: exit code');
like($client->output, qr/INLETS_LOG_LEVEL must be .*not "loud"/, 'and text');

$client = client({ TOKEN => '', CREDENTIALS => 'no-colon' }, 'http', 9000);
is($client->wait_exit(), 1, 'CREDENTIALS: exit code');
like($client->output, qr/expected 'clientId:clientSecret'/, 'and text');
unlike($client->output, qr/no-colon/, 'without the value');


# Nor is a password shown that someone puts into an address.

for my $case ([{ REMOTE => 'https://me:pass5@127.0.0.1/' }, 9000],
              [{}, 'http://me:pass5@127.0.0.1:9000'])
{
    my ($env, $upstream) = @$case;

    $client = client($env, 'http', $upstream);
    is($client->wait_exit(), 1, 'a password in an address: exit code');
    like($client->output, qr/user name or password may not be in the URL/,
         'and text');
    unlike($client->output, qr/pass5/, 'without the password');
}


# An empty variable is one that is not set.

$client = client({ map { $_ => '' } qw(SUB_DOMAIN TUNNEL_PORT INLETS_LINKS
                   INLETS_LOG_LEVEL INLETS_TOKEN_FILE INLETS_GRACE LEGACY
                   CREDENTIALS) }, 'http', $web->upstream);
ok($client->wait_up(), 'empty variables');
is($client->stop(), 0, 'exit code');


# Each of them at work.

$client = client({ TOKEN => undef,
                   INLETS_TOKEN_FILE => $t->file('token', $t->secret . "\n"),
                   SUB_DOMAIN => 'env', INLETS_LINKS => 2, LEGACY => 'no',
                   INLETS_LOG_LEVEL => 'debug', INLETS_LOG_UTC => 'true',
                   TZ => 'XXX-9', REMOTE_TCP_PORT => 9999,
                   REPORT_URL => 'http://127.0.0.1:1/' },
                 'http', $web->upstream);
ok($client->wait_up(), 'INLETS_TOKEN_FILE');
is($client->host, 'env.example.com', 'SUB_DOMAIN');
ok($client->wait_output(qr/link 2 of 2 open/), 'INLETS_LINKS, INLETS_LOG_LEVEL');
unlike($client->output, qr/\Q@{[$t->secret]}\E/, 'no secret in the debug log');

my ($hour) = $client->output =~ m{^\[inlets\] \S+ (\d\d):}m;
my $now = (gmtime)[2];
ok(($now - $hour) % 24 <= 1, 'INLETS_LOG_UTC');
is($client->stop(), 0, 'exit code');

$client = client({ REMOTE => $tls, INLETS_CA_FILE => $crt }, 'http',
                 $web->upstream);
ok($client->wait_up(), 'INLETS_CA_FILE');
unlike($client->output, qr/insecure/, 'which is verified');
$client->stop();

$client = client({ REMOTE => $tls, INLETS_INSECURE => 1 }, 'http',
                 $web->upstream);
ok($client->wait_up(), 'INLETS_INSECURE');
like($client->output, qr/warning: --insecure: .*NOT VERIFIED/, 'is loud, too');
$client->stop();

# A flag can take back what the environment says.

$client = client({ REMOTE => $tls, INLETS_INSECURE => 1 }, '--insecure=false',
                 'http', $web->upstream);
ok($client->wait_output(qr/certificate verify failed/), '--insecure=false');
$client->stop();


# One visitor on a link and no more; two links take two.

$client = client({ INLETS_MAX_STREAMS => 1, INLETS_LINKS => 1,
                   INLETS_GRACE => 300 }, 'tcp', $hang->upstream);
$client->wait_up();

my $first = $t->connect(port => $client->port);
$first->send('x');
ok((wait_for { $hang->connections == 1 } 5), 'INLETS_MAX_STREAMS: one stream');

# reset, perhaps before it is known to be connected
my $second = $t->connect(port => $client->port);
$second->send('x') if $second;
ok(!$second || $second->ended(5), 'and no second one');
is($hang->connections, 1, 'which the service does not see');
ok($first->silent(0.1), 'the first goes on');

my $start = time();
$client->signal('TERM');
is($client->wait_exit(), 0, 'exit code');
cmp_ok(time() - $start, '>=', 0.25, 'INLETS_GRACE: waits');
cmp_ok(time() - $start, '<', 5 * $Inlets::Test::SLOW, 'INLETS_GRACE: no more');


# An edge that opens a monitor, and takes no notice of the login.

my $listener = $t->listener();
$client = client({ REMOTE => $listener->upstream,
                   HEALTHCHECK_INTERVAL => 300 }, 'http', $web->upstream);

my ($peer, $request) = $listener->request();
my $accept = sha1_base64($request->{headers}{'sec-websocket-key'}
                         . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
$peer->send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            . "Connection: Upgrade\r\nSec-WebSocket-Accept: $accept=\r\n\r\n");
ok($client->wait_output(qr/did not answer the login in time, retrying/),
   'HEALTHCHECK_INTERVAL');
is($client->stop(), 0, 'exit code');

# One that says nothing at all.

$listener = $t->listener();
$client = client({ REMOTE => $listener->upstream,
                   HEALTHCHECK_INTERVAL => 300 }, 'http', $web->upstream);
ok($client->wait_output(qr/connecting timed out, retrying/, 20),
   'no handshake');
is($client->stop(), 0, 'exit code');

$t->finish();
