# The local service: TLS, Unix sockets, PROXY headers, header fields, time-outs,
# and what a visitor and the terminal are told of one that is down.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64);
use Socket qw(SOCK_STREAM SOL_SOCKET SO_RCVBUF);
use Test::More;

use Inlets::Test;
use Inlets::Test::Service;

plan skip_all => 'no IO::Socket::SSL' if !eval { require IO::Socket::SSL; 1 };

my $t = Inlets::Test->new(workers => 2);
my $ip6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
my ($crt, $key) = $t->certificate('127.0.0.1', 'localhost');
my ($other, $other_key) = $t->certificate('other.example.org');

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%%; listen unix:%%TESTDIR%%/edge.sock;'
              . ($ip6 ? 'listen [::1]:%%PORT_0%%;' : ''),
    http => 'client_max_body_size 0; large_client_header_buffers 4 40k;',
)->run();


sub visit {
    my ($path, %opt) = @_;
    return $t->request($opt{method} || 'GET', $path,
                       host => 'demo.example.com', %opt);
}


sub demo {
    my ($service, @flags) = @_;
    return $t->tunnel('http', ref $service ? $service->upstream() : $service,
                      '-s', 'demo', @flags);
}


# Larger than all buffers on the way, both ways, one slow reader each.

my $size = 6_000_000;
my $pattern = Inlets::Test::Service::pattern($size);

sub bodies {
    my ($name) = @_;

    my $r = visit('/post', method => 'POST', body => $pattern, timeout => 60);
    is($r->{body}, "$size " . sha1_hex($pattern) . "\n", "$name: upload");

    my $visitor = $t->connect(rcvbuf => 8192);
    $visitor->send_request('GET', "/bytes?n=$size", close => 1,
                           host => 'demo.example.com');

    # until everything in between is full
    my $begin = $visitor->read_exact(1000);
    select undef, undef, undef, 0.3;
    like($begin, qr{^HTTP/1.1 200},
       "$name: slow download begins");

    my $rest = $visitor->read_all(60);
    ok(substr($begin . $rest, -$size) eq $pattern, "$name: slow download");
}


sub web_socket {
    my ($name) = @_;
    my $ws = $t->websocket('/ws', host => 'demo.example.com');

    is($ws->status, 101, "$name: WebSocket");

    for my $n (1, 70000) {
        $ws->frame(2, 'x' x $n);
        is(length(($ws->read_frame() || { payload => '' })->{payload}), $n,
           "$name: WebSocket, $n bytes");
    }

    $ws->close();
}


sub answers {
    my ($name) = @_;

    is(visit('/')->{body}, "it works\n", "$name: answer");
    bodies($name);
    web_socket($name);

    my $r = visit('/early', method => 'POST', body => $pattern, timeout => 60);
    is($r->{status}, 413, "$name: an answer before the body");
}


# Every way there is.

for my $way ([ 'TCP', {} ],
             [ 'Unix socket', { socket => 1 } ],
             [ 'TLS', { tls => [ $crt, $key ] }, '--upstream-ca-file', $crt ],
             [ 'PROXY and TLS', { tls => [ $crt, $key ], proxy => 1 },
               '--upstream-ca-file', $crt, '--proxy-protocol', 'v1' ],
             [ 'fields', { socket => 1 }, '--host-header', 'inside' ])
{
    my ($name, $opt, @flags) = @$way;
    my $web = $t->service('http', $opt);
    my $client = demo($web, @flags);

    answers($name);
    is($client->stop(), 0, "$name: exit code");
    $web->stop();
}


# The end of one side is passed on, and the other goes on.

for my $opt ({}, { socket => 1 }, { tls => [ $crt, $key ] }) {
    my $name = join ' ', 'half-close', keys %$opt;
    my $collect = $t->service('collect', $opt);
    my @flags = $opt->{tls} ? '--upstream-insecure' : ();
    my $client = $t->tunnel('tcp', $collect->upstream, @flags);
    my $visitor = $t->connect(port => $client->port);

    $visitor->send($pattern, 60);
    $visitor->shutdown();
    ok($visitor->read_all(60) eq $pattern, $name);
    is($client->stop(), 0, "$name: exit code");

    my $greet = $t->service('greet', $opt);
    $client = $t->tunnel('tcp', $greet->upstream, @flags);
    $visitor = $t->connect(port => $client->port);

    is($visitor->read_all(), "hello\n", "$name: the service ends first");

    if (!$opt->{tls}) {
        $visitor->send($pattern, 60);
        $visitor->shutdown();
        wait_for { $t->read_file($greet->{log}) =~ /^got $size /m } 30,
            'what was sent after it';
        like($t->read_file($greet->{log}), qr/^got $size @{[sha1_hex $pattern]}/m,
             "$name: what came after it");
    }

    $client->stop();
}


# Certificates.

my $tls = $t->service('http', { tls => [ $crt, $key ] });
my $wrong = $t->service('http', { tls => [ $other, $other_key ] });
my $address = $tls->upstream;
my $named = 'https://localhost:' . $tls->port;
my $client = demo($named, '--upstream-ca-file', $crt);

is(visit('/')->{status}, 200, 'TLS: by its name');
like($t->read_file($tls->{log}), qr/^sni localhost$/m, 'TLS: which it is told');
like($client->output(), qr{-> \Q$named\E$}m, 'TLS: in the terminal');
is($client->stop(), 0, 'TLS: exit code');

for my $case ([ 'self-signed', $address,
                qr/certificate verify failed: self.signed certificate/ ],
              [ 'wrong name', $wrong->upstream,
                qr/certificate verify failed: (?:IP address|hostname) mismatch/i,
                '--upstream-ca-file', $other ],
              [ 'not TLS', 'https://' . $t->service('echo')->upstream,
                qr/TLS: / ])
{
    my ($name, $upstream, $regex, @flags) = @$case;

    $client = demo($upstream, @flags);
    is(visit('/')->{status}, 502, "$name: 502");
    ok($client->wait_output(
           qr/warning: local service \Q$upstream\E: $regex/), "$name: said");
    is($client->stop(), 0, "$name: exit code");
}

$client = demo($wrong, '--upstream-insecure');
is(visit('/')->{status}, 200, 'not verified: answer');
is($client->stop(), 0, 'not verified: exit code');


# Whose connection it is.

sub proxied {
    my ($version, $http) = @_;
    my $name = "PROXY $version";
    my $web = $t->service($http ? 'http' : 'echo', { proxy => 1 });
    my $client = $http ? demo($web, '--proxy-protocol', $version)
                       : $t->tunnel('tcp', $web->upstream, '--proxy-protocol',
                                    $version);

    return ($name, $web, $client);
}

for my $version ('v1', 'v2') {
    my ($name, $web, $client) = proxied($version, 1);
    my @visitors = map { $t->connect() } 1, 2;
    my $port = $t->port(0);

    # keep-alive: a connection to the service is never another visitor's

    for my $round (1, 2) {
        for my $visitor (@visitors) {
            $visitor->send_request('GET', '/', host => 'demo.example.com');
            is($visitor->read_response()->{status}, 200, "$name: answer");
        }
    }

    is_deeply([ $web->proxies ],
              [ map { "$version TCP4 127.0.0.1 127.0.0.1 "
                      . $_->local_port . " $port" } (@visitors) x 2 ],
              "$name: visitors");

    if ($ip6) {
        my $visitor = $t->connect(address => '::1');
        $visitor->send_request('GET', '/', host => 'demo.example.com');
        is($visitor->read_response()->{status}, 200, "$name, IPv6: answer");
        is(($web->proxies)[-1], "$version TCP6 ::1 ::1 "
                                . $visitor->local_port . " $port",
           "$name, IPv6: visitor");
    }

    my $fh = IO::Socket::UNIX->new(Peer => $t->dir . '/edge.sock')
        or die "edge.sock: $!";
    my $visitor = Inlets::Test::Socket->new($fh);
    $visitor->send_request('GET', '/', host => 'demo.example.com');
    is($visitor->read_response()->{status}, 200, "$name, unknown: answer");
    is(($web->proxies)[-1], $version eq 'v1' ? 'v1 UNKNOWN' : 'v2 LOCAL',
       "$name, unknown");
    is($client->stop(), 0, "$name: exit code");

    # TCP, where the service may speak first

    ($name, $web, $client) = proxied($version, 0);
    $visitor = $t->connect(port => $client->port);

    wait_for { $web->proxies } 10, 'the header comes before any byte';
    $visitor->send('hello');
    is($visitor->read_exact(5), 'hello', "$name, TCP: echo");
    is_deeply([ $web->proxies ],
              [ "$version TCP4 127.0.0.1 127.0.0.1 " . $visitor->local_port
                . ' ' . $client->port ], "$name, TCP: visitor");
    is($client->stop(), 0, "$name, TCP: exit code");
}


# Without it connections are used again.

my $web = $t->service('http');
$client = demo($web);

my $visitor = $t->connect();

for (1 .. 4) {
    $visitor->send_request('GET', '/', host => 'demo.example.com');
    $visitor->read_response();
}

is(scalar($web->requests), 4, 'no PROXY header: requests');
is($web->connections, 1, 'no PROXY header: one connection');
is($client->stop(), 0, 'resting streams: exit code');
unlike($client->output(), qr/did not end in time/, 'resting streams: at once');


# Header fields.

my $basic = 'Basic ' . encode_base64("joe:p:\xc3\xa9", '');

$client = demo($web, '--host-header', 'inside.example.org:81',
               '--upstream-auth', "joe:p:\xc3\xa9");
$visitor = $t->connect();

for my $more ([], [ Authorization => 'Bearer visitor' ]) {
    $visitor->send_request('POST', '/echo', host => 'demo.example.com',
                           headers => [ @$more, 'X-Other' => 'kept' ],
                           body => 'the body');

    my $r = $visitor->read_response();

    is_deeply([ $r->{body} =~ /^Host: (.*)\r$/mig ],
              [ 'inside.example.org:81' ], 'host header');
    is_deeply([ $r->{body} =~ /^Authorization: (.*)\r$/mig ], [ $basic ],
              'authorization');
    like($r->{body}, qr/^X-Other: kept\r$/mi, 'another field');
    like($r->{body}, qr/\r\n\r\nthe body\z/, 'body');
}

is(visit('/bytes?n=5000')->{body}, substr($pattern, 0, 5000), 'next request');

is(visit('/echo', headers => [ map { ("X-$_" => 'x' x 30_000) } 1, 2 ])
       ->{status}, 200, 'a long head');
is(visit('/echo', headers => [ map { ("X-$_" => 'x' x 35_000) } 1, 2 ])
       ->{status}, 502, 'a head that is too long');
ok($client->wait_output(
       qr/local service \S+: a visitor's request is not passed on: the header/),
   'a head that is too long: said');

is($client->stop(), 0, 'fields: exit code');
unlike($client->output(), qr/joe|\Q$basic\E/, 'fields: no secret is shown');


# Nobody there: a page at once, and one line.

my $missing = $t->dir . '/missing.sock';
my $closed = $t->service('closed');

for my $case ([ 'closed port', $closed->upstream,
                'http://' . $closed->upstream, qr/connection refused/ ],
              [ 'no socket', "unix:$missing", "unix:$missing",
                qr/no such file or directory/ ],
              [ 'no name', 'nobody.invalid:80', 'http://nobody.invalid:80',
                qr/\S/ ])
{
    my ($name, $upstream, $shown, $why) = @$case;

    $client = demo($upstream);

    my $r = visit('/');
    is($r->{status}, 502, "$name: 502");
    like($r->{body}, qr/\S/, "$name: a page");
    ok($client->wait_output(qr/warning: local service \Q$shown\E: $why/),
       "$name: said");

    # many at the same time are told together

    my @visitors = map { $t->connect() } 1 .. 8;
    $_->send_request('GET', '/', host => 'demo.example.com') for @visitors;
    is(scalar(grep { $_->read_response()->{status} == 502 } @visitors), 8,
       "$name: 502 for all");

    my @lines = $client->output() =~ /local service/g;
    cmp_ok(@lines, '<', 9, "$name: not a line for each");
    is($client->stop(), 0, "$name: exit code");
}


# One that takes the connection and no more.

my $hang = $t->service('hang');

$client = demo('https://' . $hang->upstream, '--connect-timeout', 300);
is(visit('/')->{status}, 502, 'no TLS answer: 502');
ok($client->wait_output(qr/local service \S+: connecting timed out/),
   'no TLS answer: said');
is($client->stop(), 0, 'no TLS answer: exit code');

# a Unix socket whose queue is full, for a while

my $full = $t->dir . '/full.sock';
my $listen = IO::Socket::UNIX->new(Local => $full, Listen => 1);
my @filling;

for (1 .. 16) {
    socket my $fh, Socket::AF_UNIX(), SOCK_STREAM, 0 or die "socket: $!";
    $fh = IO::Socket::UNIX->new_from_fd($fh, 'r+');
    $fh->blocking(0);
    connect $fh, Socket::pack_sockaddr_un($full) or last;
    push @filling, $fh;
}

$client = demo("unix:$full", '--connect-timeout', 300);
is(visit('/')->{status}, 502, 'full queue: 502');
ok($client->wait_output(qr/local service \S+: connecting timed out/),
   'full queue: said');
is($client->stop(), 0, 'full queue: exit code');

$client = demo("unix:$full");
$visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'demo.example.com');
ok($visitor->silent(0.2), 'full queue: waits');

my $served;

for (0 .. @filling) {
    my $s = Inlets::Test::Socket->new($listen->accept());
    $served = $s->read_until(qr/\r\n\r\n/, $_ < @filling ? 0.01 : 10)
        or next;
    $s->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    last;
}

is($visitor->read_response()->{status}, 200, 'full queue: then served');
is($client->stop(), 0, 'full queue: exit code');


# A name with several addresses: one that never answers, one that refuses, and
# one where the service is.

SKIP: {
    $t->file('several.c', <<'END');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **ret)
{
    static int   (*real)(const char *, const char *, const struct addrinfo *,
                         struct addrinfo **);
    const char    *list[] = { "127.0.0.2", "127.0.0.3", "127.0.0.1" };

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "getaddrinfo");
    }

    if (strcmp(name, "several.test") != 0) {
        return real(name, service, hints, ret);
    }

    for (int i = 0; i < 3; i++) {
        real(list[i], service, hints, ret);
        ret = &(*ret)->ai_next;
    }

    return 0;
}
END

    my $shim = $t->dir . '/several.so';

    skip 'no compiler', 5
        if system("cc -shared -fPIC -w -o $shim $t->{dir}/several.c -ldl") != 0;
    skip 'sanitizers want to be loaded first', 5 if Inlets::Test::preload();

    my $silent = IO::Socket::IP->new(LocalHost => '127.0.0.2',
        LocalPort => $web->port, Listen => 1, ReuseAddr => 1)
        or skip 'no second loopback address', 5;
    my @waiting;

    # until nobody gets in any more

    for (1 .. 20) {
        push @waiting, IO::Socket::IP->new(PeerHost => '127.0.0.2',
            PeerPort => $web->port, Timeout => 0.2) || last;
    }

    for my $case ([ $web->port, 200 ], [ $closed->port, 502 ]) {
        my ($port, $status) = @$case;

        $client = $t->client({ token => 1, env => { LD_PRELOAD => $shim } },
            'client', '-r', '127.0.0.1:' . $t->port(0), '-s', 'demo',
            '--connect-timeout', 1500, 'http', "several.test:$port");
        $client->wait_up();

        is(visit('/')->{status}, $status, "several addresses: $status");
        is($client->stop(), 0, "several addresses, $status: exit code");
    }

    like($client->output(), qr{several\.test:\d+: connection refused$}m,
         'several addresses: said');
}


# Idle.

my $echo = $t->service('echo');

$client = $t->tunnel('tcp', $echo->upstream, '--idle-timeout', 1000);

my @pair = map { $t->connect(port => $client->port) } 1, 2;

for (1 .. 6) {
    $pair[1]->send('x');
    $pair[1]->read_exact(1);
    select undef, undef, undef, 0.25;
}

$_->send('y') for @pair;
is($pair[1]->read_exact(1), 'y', 'idle timeout: not the one that speaks');
ok($pair[0]->ended(10), 'idle timeout: the silent one ends');
ok($pair[1]->ended(10), 'idle timeout: the other one, too');
is($client->stop(), 0, 'idle timeout: exit code');

$client = demo($web, '--idle-timeout', 500);
$visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'demo.example.com');
is($visitor->read_response()->{status}, 200, 'idle timeout: an answer');
is(visit('/hang')->{status}, 502, 'idle timeout: no answer');
ok($client->wait_output(qr/local service \S+: no answer within the idle/),
   'idle timeout: said');
is($client->stop(), 0, 'idle timeout: exit code');

my @said = $client->output() =~ /local service/g;
is(scalar(@said), 1, 'idle timeout: not of one that has answered');


# At the end a stream that rests between requests ends at once; one that says
# something now and then goes on.

my $origin = $t->listener();

$client = demo($origin, '--grace', 30000);

$visitor = $t->connect();
$visitor->send_request('GET', '/events', host => 'demo.example.com');

my ($service) = $origin->request();
$service->send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
               . "data: 1\n\n");
ok(defined $visitor->read_until(qr/data: 1/), 'events');
$visitor->delete_buffer();

my $rests = $t->connect();
$rests->send_request('GET', '/', host => 'demo.example.com');
my ($resting) = $origin->request();
$resting->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
is($rests->read_response()->{status}, 200, 'another request');

$client->signal('TERM');
ok($client->wait_output(qr/SIGTERM: shutting down/), 'SIGTERM');
ok($resting->ended(10), 'the resting stream ends');
ok($visitor->silent(1.5), 'silence');

$service->send("data: 2\n\n");
ok(defined $visitor->read_until(qr/data: 2/), 'and the next event');
ok($client->alive(), 'the client waits');

$service->close();
ok(defined $visitor->read_until(qr/^0\r\n\r\n/m), 'the end of events');
is($client->wait_exit(), 0, 'then the client ends');

$t->finish();
