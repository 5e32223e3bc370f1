# The client over time: lost edges, signals, TLS, IPv6.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time sleep);

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $web = $t->service('http');
my $echo = $t->service('echo');
my ($crt, $key) = $t->certificate('edge.example.com', '127.0.0.1', '::1');

my $ip6 = defined IO::Socket::INET->can('new')
          && -e '/proc/net/if_inet6'
          && $t->read_file('/proc/net/if_inet6') =~ /^0{31}1 /m;

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%%; '
              . 'listen 127.0.0.1:%%PORT_tls%% ssl;'
              . ($ip6 ? 'listen [::1]:%%PORT_tls%% ssl; '
                        . 'listen [::1]:%%PORT_0%%;' : ''),
    server => "ssl_certificate $crt; ssl_certificate_key $key;",
    tcp_ports => 4,
);


sub answers {
    my ($host) = @_;
    my $r = $t->get('/', host => $host);
    return $r->{status} == 200 && $r->{body} eq "it works\n";
}


# Each is started before there is an edge.

my @plain = ({ token => 1 }, 'client', '-r', '127.0.0.1:' . $t->port(0));
my $named = $t->client(@plain, '-s', 'named', 'http', $web->upstream);
my $random = $t->client(@plain, 'http', $web->upstream);
my $tcp = $t->client(@plain, 'tcp', $echo->upstream);

for my $client ($named, $random, $tcp) {
    ok($client->wait_output(qr/retrying in \d+\.\d s/), 'no edge: tries again');
}

$t->run();

for my $client ($named, $random, $tcp) {
    ok($client->wait_up(1, 30), 'edge is there: up');
}

ok(answers('named.example.com'), 'answer');

my ($host, $port) = ($random->host, $tcp->port);
ok(answers($host), 'answer of the random name');


# The edge goes and comes back, several times.

for my $round (2 .. 3) {
    $t->stop();
    ok($_->wait_output(qr/(?:retrying(?s:.*?)){$round}/),
       "round $round: lost") for $named, $random, $tcp;
    $t->run();
    ok($_->wait_up($round, 40), "round $round: up") for $named, $random, $tcp;

    ok(answers('named.example.com'), "round $round: answer");
    is($random->host, $host, "round $round: the random name was kept");
    ok(answers($host), "round $round: answer of the random name");
    is($tcp->port, $port, "round $round: the port was kept");

    my $visitor = $t->connect(port => $port);
    $visitor->send('hello');
    is($visitor->read_exact(5), 'hello', "round $round: TCP answer");
    $visitor->close();
}

is($_->stop(), 0, 'exit code') for $named, $random, $tcp;


# The pauses have jitter, the first one too, and grow.

my @first;

for (1 .. 4) {
    my $client = $t->client({ token => 1 }, 'client', '-r',
                            '127.0.0.1:' . $t->port('nobody'), 'http', 9000);
    $client->wait_output(qr/(?:retrying(?s:.*?)){3}/);
    my @pauses = $client->output =~ /retrying in (\d+\.\d) s/g;
    push @first, "@pauses[0 .. 2]";
    ok($pauses[0] <= 0.5 && $pauses[2] >= 1.0 && $pauses[2] <= 2.0,
       'pauses grow') or diag "@pauses";
    is($client->stop(), 0, 'ends while it waits');
}

ok((grep { $_ ne $first[0] } @first), 'pauses differ') or diag "@first";


# SIGTERM and SIGINT: what is under way may finish.

for my $signal ('TERM', 'INT') {
    my $client = $t->tunnel('http', $web->upstream, '-s', 'grace');
    my $visitor = $t->connect();

    $visitor->send_request('GET', '/slow?ms=1500', host => 'grace.example.com');
    ok(wait_for { $web->requests > 0 } 5, "$signal: request under way");
    sleep 0.2;
    $client->signal($signal);

    is($visitor->read_response()->{status}, 200, "$signal: it is finished");
    is($client->wait_exit(8), 0, "$signal: exit code");
    like($client->output, qr/SIG$signal: shutting down/, "$signal: said");
}

# ... in a bounded time

my $hang = $t->service('hang');
my $client = $t->tunnel('tcp', $hang->upstream, '--grace', 700);
my $visitor = $t->connect(port => $client->port);
$visitor->send('x');
ok(wait_for { $hang->connections > 0 } 5, 'stream open');

my $start = time();
$client->signal('TERM');
is($client->wait_exit(10), 0, 'grace: exit code');
cmp_ok(time() - $start, '>=', 0.6, 'grace: waited');
like($client->output, qr/did not end in time/, 'grace: said');
ok($visitor->ended(5), 'grace: the visitor is told');

# ... and a second signal ends at once

$client = $t->tunnel('tcp', $hang->upstream, '--grace', 60000);
my $before = $hang->connections;
$visitor = $t->connect(port => $client->port);
$visitor->send('x');
ok(wait_for { $hang->connections > $before } 5, 'stream open');
$client->signal('TERM');
ok($client->wait_output(qr/shutting down/), 'first signal');
ok($client->alive, 'it waits');
$client->signal('TERM');
is($client->wait_exit(5), 0, 'second signal: exit code');
ok($visitor->ended(5), 'second signal: the visitor is told');

# ... with nothing under way it takes no time

$client = $t->tunnel('tcp', $echo->upstream);
$start = time();
is($client->stop(), 0, 'idle: exit code');
cmp_ok(time() - $start, '<', 2 * $Inlets::Test::SLOW, 'idle: at once');


# Links.

for my $links (1, 3) {
    $client = $t->client({ token => 1 }, 'client', '-r',
                         '127.0.0.1:' . $t->port(0), '--links', $links,
                         '--log-level', 'debug', '-s', 'links', 'http',
                         $web->upstream);
    $client->wait_up();
    ok($client->wait_output(qr/link $links of $links open/), "links $links");
    unlike($client->output, qr/of @{[$links + 1]} open/, "links $links: no more");
    ok(answers('links.example.com'), "links $links: answer");
    $client->stop();
}


# TLS.

my $tls = $t->port('tls');
my @names = ("wss://127.0.0.1:$tls", "https://127.0.0.1:$tls/");
push @names, "wss://[::1]:$tls" if $ip6;

sub secure {
    my ($remote, @flags) = @_;
    return $t->client({ token => 1 }, 'client', '-r', $remote, @flags, '-s',
                      'secure', 'http', $web->upstream);
}

for my $name (@names) {
    $client = secure($name, '--ca-file', $crt);
    ok($client->wait_up(), "$name: up");
    ok(answers('secure.example.com'), "$name: answer");

    my $r = $t->get('/bytes?n=3000000', host => 'secure.example.com');
    ok($r->{body} eq Inlets::Test::Service::pattern(3000000), "$name: download");

    $r = $t->request('POST', '/post', host => 'secure.example.com',
                     body => 'x' x 900000);
    like($r->{body}, qr/^900000 /, "$name: upload");
    is($client->stop(), 0, "$name: exit code");

    $client = secure($name);
    ok($client->wait_output(qr/certificate verify failed: self.signed/),
       "$name: an unknown authority is refused");
    $client->wait_output(qr/(?:retrying(?s:.*?)){2}/);
    unlike($client->output, qr/authenticate|Forwarding/, "$name: no login");
    is($client->stop(), 0, "$name: exit code");
}

$client = secure("wss://localhost:$tls", '--ca-file', $crt);
ok($client->wait_output(qr/certificate verify failed: [Hh]ost/),
   'a certificate for another name is refused');
$client->stop();

$client = secure("wss://localhost:$tls", '--insecure');
ok($client->wait_up(), 'insecure: up');
like($client->output, qr/warning: --insecure: .*NOT VERIFIED/, 'insecure: loud');
ok(answers('secure.example.com'), 'insecure: answer');
$client->stop();

$client = secure('wss://127.0.0.1:' . $t->port(0), '--ca-file', $crt);
ok($client->wait_output(qr/retrying/), 'TLS to a plain port: no login');
unlike($client->output, qr/Forwarding/, 'TLS to a plain port: not up');
$client->stop();


# IPv6.

SKIP: {
    skip 'no IPv6 loopback', 4 if !$ip6;

    my $web6 = $t->service('http', 'ipv6');
    $client = $t->client({ token => 1 }, 'client', '-r', '[::1]:' . $t->port(0),
                         '-s', 'six', 'http', '[::1]:' . $web6->port);
    ok($client->wait_up(), 'IPv6: up');
    like($client->output, qr{-> http://\[::1\]:\d+$}m, 'IPv6: Forwarding line');
    ok(answers('six.example.com'), 'IPv6: answer');
    is($client->stop(), 0, 'IPv6: exit code');
}


# A path prefix is kept, for the monitor and for the links.

my $listener = $t->listener($t->port('prefix'));
$client = $t->client({ token => 1 }, 'client', '-r',
                     'ws://127.0.0.1:' . $t->port('prefix') . '/some/base/',
                     'http', $web->upstream);
my $peer = $listener->accept();
ok($peer->read_until(qr{^GET /some/base/_/monitor HTTP/1\.1\r\n}), 'path prefix');
$peer->close();
$client->stop();


# A local service that is not there, and one that comes back.

my $gone = $t->service('http');
my $upstream = $gone->upstream;
$gone->stop();

$client = $t->tunnel('http', $upstream, '-s', 'gone');
is($t->get('/', host => 'gone.example.com')->{status}, 502,
   'no local service: 502');
ok($client->wait_output(qr{warning: local service http://\Q$upstream\E: connection refused}),
   'no local service: said');
$client->stop();

$t->finish();
