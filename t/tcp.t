use strict;
use warnings;

# TCP tunnels: ports, bytes both ways, half-close, resets, time-outs, and the
# stream module's directives, with the real client.

use Digest::SHA qw(sha1_hex);
use Test::More;

use Inlets::Test;
use Inlets::Test::Service;

my $t = Inlets::Test->new();
my ($crt, $key) = $t->certificate();

$t->edge(
    connect => 'inlets_remember 30s;',
    stream => <<"END",
    log_format tcp '\$server_port \$status \$bytes_received \$bytes_sent '
                   '\$inlets_tunnel_id \$inlets_client_id '
                   '\$inlets_session_id';
    access_log %%TESTDIR%%/tcp.log tcp;
    limit_conn_zone \$binary_remote_addr zone=conn:64k;
    inlets_wait 1s;

    server {
        listen 127.0.0.1:%%PORT_tls%% ssl;
        ssl_certificate $crt;
        ssl_certificate_key $key;
        inlets_tunnel edge;
    }

    server {
        inlets_tunnel edge;
        inlets_timeout 600ms;
        listen 127.0.0.1:%%PORT_idle%%;
    }

    server {
        listen 127.0.0.1:%%PORT_realip%% proxy_protocol;
        set_real_ip_from 127.0.0.1;
        inlets_tunnel edge;
    }

    server {
        listen 127.0.0.1:%%PORT_preread%%;
        ssl_preread on;
        inlets_tunnel edge;
    }

    server {
        listen [::1]:%%PORT_ipv6%%;
        inlets_tunnel edge;
    }

    server {
        listen 127.0.0.1:%%PORT_deny%%;
        inlets_tunnel edge;
        deny all;
    }

    server {
        listen 127.0.0.1:%%PORT_limit%%;
        inlets_tunnel edge;
        limit_conn conn 1;
    }
END
)->run();

my $tcp = $t->port('tcp');


sub visit {
    my ($port, %opt) = @_;
    my $visitor = $t->connect(port => $port, %opt);
    diag("no connection to $port: $!") if !$visitor;
    return $visitor;
}


sub tunnel {
    my ($service, @arguments) = @_;
    return $t->tunnel('tcp', $service->upstream(), @arguments);
}


sub logged {
    my ($regex) = @_;
    return wait_for { $t->read_file('tcp.log') =~ $regex } 5, "log $regex";
}


# A port asked for.

my $echo = $t->service('echo');
my $client = tunnel($echo, '-p', $tcp + 2);

is($client->port(), $tcp + 2, 'the port asked for');

my $visitor = visit($tcp + 2);

$visitor->send('one');
is($visitor->read_exact(3), 'one', 'first bytes');
$visitor->send_slowly('two and three', 1);
is($visitor->read_exact(13), 'two and three', 'bytes one at a time');
$visitor->shutdown();
is($visitor->read_all(), '', 'end passed on');
ok(!$visitor->reset_seen(), 'without a reset');
ok(logged(qr/^@{[$tcp + 2]} 200 16 16 [0-9a-f-]{36} \S+ [0-9a-f]{32}$/m),
   'bytes and ids in the access log');

# Many at once.

my @visitors = map { visit($tcp + 2) } 1 .. 150;

$visitors[$_]->send("visitor $_\n") for 0 .. $#visitors;
is(scalar(grep { ($visitors[$_]->read_line() || '') eq "visitor $_\n" }
          0 .. $#visitors), 150, '150 streams at once');
$_->close() for @visitors;

# A picked port, and its conflicts.

my %offered = map { $_ => 1 } $tcp .. $tcp + 7,
              map { $t->port($_) } qw(tls idle realip preread ipv6 deny limit);
my @picked = map { tunnel($echo) } 1 .. 5;
my %picked = map { $_->port() => 1 } @picked;

is(scalar(grep { $offered{$_} } keys %picked), 5,
   'five picked ports, all of this edge');
ok(!$picked{$tcp + 2}, 'none of them in use');
$_->stop() for @picked;

my $second = tunnel($t->service('collect'), '-p', $tcp + 3);

my $third = $t->client({ token => 1 }, 'client', '-r',
    '127.0.0.1:' . $t->port(0), '-p', $tcp + 2, 'tcp', $echo->upstream());

is($third->wait_exit(), 1, 'a port in use is refused');
like($third->output(), qr/@{[$tcp + 2]}.*in use/, 'and the client says so');

$third = $t->client({ token => 1 }, 'client', '-r',
    '127.0.0.1:' . $t->port(0), '-p', 1, 'tcp', $echo->upstream());

is($third->wait_exit(), 1, 'a port of no server is refused');
like($third->output(), qr/port 1\b/, 'and the client says so');

# Half-close, in either direction.

$visitor = visit($second->port());
$visitor->send('x' x 300_000);
$visitor->shutdown();
is(length $visitor->read_all(30), 300_000,
   'the visitor ends first, and reads on');

my $greet = $t->service('greet');
my $greeting = tunnel($greet, '-p', $tcp + 4);

$visitor = visit($greeting->port());
is($visitor->read_all(), "hello\n", 'the service speaks first, and ends');
my $upload = Inlets::Test::Service::pattern(1_500_000);
ok($visitor->send($upload, 30), 'the visitor sends after it');
$visitor->shutdown();
my $got = 'got 1500000 ' . sha1_hex($upload);
ok((wait_for { $t->read_file($greet->{log}) =~ /\Q$got\E/ }),
   'and the service gets all of it');
$greeting->stop();

# Amounts.

my $source = tunnel($t->service('source', 24_000_000), '-p', $tcp + 4);

$visitor = visit($source->port());
is(sha1_hex($visitor->read_all(60)),
   sha1_hex(Inlets::Test::Service::pattern(24_000_000)), '24 MB down');

# A slow visitor holds up nobody else, and no more memory than its window.

my $before = resident();
my @slow = map { visit($source->port(), rcvbuf => 4096) } 1 .. 4;
is(length $_->read_exact(1000), 1000, 'a slow visitor has begun') for @slow;

my $quick = visit($source->port());
is(length $quick->read_all(60), 24_000_000,
   'another visitor of the same tunnel');
cmp_ok(resident() - $before, '<', 24_000_000, 'no more memory than windows');
$_->abort() for @slow;
$_->close() for $visitor, $quick;
$source->stop();

my $sink = tunnel($t->service('sink'), '-p', $tcp + 4);

$visitor = visit($sink->port());
ok($visitor->send(Inlets::Test::Service::pattern(24_000_000), 60), '24 MB up');
$visitor->shutdown();
is($visitor->read_all(60), "24000000\n", 'have arrived');
$sink->stop();

# Resets.

my $closed = tunnel($t->service('closed'), '-p', $tcp + 4);

$visitor = $t->connect(port => $closed->port());

# it may be as quick as to be met by connect() itself

ok($visitor ? $visitor->ended() && $visitor->reset_seen() : $!{ECONNRESET},
   'the service refuses, the visitor sees a reset');
ok(logged(qr/^@{[$closed->port()]} 502 /m), 'logged as 502');
$closed->stop();

my $reset = tunnel($t->service('reset'), '-p', $tcp + 4);

$visitor = visit($reset->port());
$visitor->send('x');
ok($visitor->ended(), 'the service resets');
ok($visitor->reset_seen(), 'and the visitor sees it');
$reset->stop();

# Idle.

my $idle = tunnel($echo, '-p', $t->port('idle'));

$visitor = visit($idle->port());

for (1 .. 8) {
    $visitor->send('x');
    last if $visitor->read_exact(1) ne 'x';
    select undef, undef, undef, 0.1;
}

ok($visitor->silent(0.2), 'alive while bytes move');
ok($visitor->ended(5), 'closed by inlets_timeout');
$idle->stop();

# TLS.

my $tls = tunnel($t->service('collect'), '-p', $t->port('tls'));

$visitor = visit($tls->port(), ssl => 1);

SKIP: {
    skip 'no TLS', 1 if !$visitor;

    $visitor->send('x' x 100_000);
    Net::SSLeay::shutdown($visitor->fh()->_get_ssl_object());
    is(length $visitor->read_all(20), 100_000, 'half-close with TLS');
}

$tls->stop();

$tls = tunnel($t->service('source', 8_000_000), '-p', $t->port('tls'));
$visitor = visit($tls->port(), ssl => 1);
is(sha1_hex($visitor->read_exact(8_000_000, 30)),
   sha1_hex(Inlets::Test::Service::pattern(8_000_000)), '8 MB with TLS')
    if $visitor;
$visitor->close() if $visitor;
$tls->stop();

# Other ways in.

my $preread = tunnel($echo, '-p', $t->port('preread'));

$visitor = visit($preread->port());
my $record = "\x16\x03\x01\0\x05hello";
$visitor->send_slowly("$record and more", 1, 0.001);
is($visitor->read_exact(19), "$record and more",
   'what the preread phase took goes on');
$visitor->close();
$preread->stop();

my $monitor6 = $t->login(type => 'tcp', port => $t->port('ipv6'));
my $link6 = $t->link($monitor6);

$visitor = visit($t->port('ipv6'), address => '::1');
is($link6->accept()->{proxy}{source}, '::1', 'IPv6');
$visitor->close();
$_->close() for $link6, $monitor6;

$monitor6 = $t->login(type => 'tcp', port => $t->port('realip'));
$link6 = $t->link($monitor6);

$visitor = visit($t->port('realip'));
$visitor->send("PROXY TCP6 2001:db8::7 2001:db8::1 4321 443\r\nhello");
my $mapped = $link6->accept();
is("$mapped->{proxy}{source} $mapped->{proxy}{source_port} "
   . $mapped->{proxy}{destination},
   '2001:db8::7 4321 ::ffff:127.0.0.1', 'realip');
is($mapped->read_exact(5), 'hello', 'and what came with it');
$visitor->close();
$_->close() for $link6, $monitor6;

# Stock directives.

my $denied = tunnel($echo, '-p', $t->port('deny'));

$visitor = visit($denied->port());
ok($visitor->ended(), 'deny');
ok(logged(qr/^@{[$t->port('deny')]} 403 /m), 'logged as 403');
$denied->stop();

my $limited = tunnel($echo, '-p', $t->port('limit'));

$visitor = visit($limited->port());
$visitor->send('x');
is($visitor->read_exact(1), 'x', 'limit_conn lets one in');
ok(visit($limited->port())->ended(), 'and no other');
$visitor->close();
$limited->stop();

# Ports without a tunnel.

$visitor = visit($tcp + 7);
ok($visitor->ended(), 'a port that no one holds is closed');
ok(logged(qr/^@{[$tcp + 7]} 404 /m), 'logged as 404');

# A peer of our own: what the stream begins with, and who is told of what.

my $monitor = $t->login(type => 'tcp', port => $tcp + 5);

is($monitor->{reply}{ok} ? 1 : 0, 1, 'login');

my $link = $t->link($monitor);

$visitor = visit($tcp + 5);

my $stream = $link->accept();
my $proxy = $stream->{proxy};

is("$proxy->{source}:$proxy->{source_port}",
   '127.0.0.1:' . $visitor->local_port(), 'the visitor, in the PROXY header');
is("$proxy->{destination}:$proxy->{destination_port}",
   '127.0.0.1:' . ($tcp + 5), 'and the edge');
my $id = $proxy->{tlv}{5};
like($id, qr/^[0-9a-f]{32}$/, 'and an id');

$stream->send('hello');
is($visitor->read_exact(5), 'hello', 'the service speaks first');
$visitor->abort();
ok($stream->wait_reset(), 'a reset of the visitor is passed on');
ok(logged(qr/^@{[$tcp + 5]} 200 0 5 $monitor->{reply}{containerId} \S+ $id$/m),
   'the id of the session in the access log');

# The visitor leaves while the stream is full.

$link->auto_update(0);
$visitor = visit($tcp + 5);
$stream = $link->accept();
$visitor->send('x' x 2_000_000, 1);
$visitor->abort();
ok($stream->wait_reset(), 'a reset while nothing can be read');

# The link is lost.

$link->auto_update(1);
$visitor = visit($tcp + 5);
$stream = $link->accept();
$link->abort();
ok($visitor->ended(), 'a lost link ends its visitors');

# And the client comes back, or not.

$visitor = visit($tcp + 5);
ok($visitor->ended(5), 'inlets_wait');

$visitor = visit($tcp + 5);
$visitor->send('early');
$link = $t->link($monitor);
$stream = $link->accept();
is($stream->read_exact(5), 'early', 'a link within inlets_wait');
$visitor->close();

$monitor->abort();
$link->abort();
ok((wait_for {
    my $again = $t->login(type => 'tcp', port => $tcp + 5);
    return $again->{reply}{ok};
} 5, 'the port'), 'its port is free again');

$t->finish();


sub resident {
    my $sum = 0;

    for my $pid ($t->workers()) {
        $sum += $1 * 1024 if $t->read_file("/proc/$pid/status")
                             =~ /^VmRSS:\s+(\d+)/m;
    }

    return $sum;
}
