use strict;
use warnings;

# Each piece is forwarded at once, either way, and so is the end: in answers,
# bodies, WebSockets.  The test is visitor and local service in turn, so that
# a piece is only sent when the one before it has arrived.

use Test::More;

use Inlets::Test;
use Inlets::Test::WebSocket;

my ($t, $origin);


# A request that has arrived: (visitor, service, request).

sub arrive {
    my ($method, $path, %opt) = @_;

    my $visitor = $t->connect(%opt);
    $visitor->send_request($method, $path, host => 'demo.example.com', %opt);

    my ($service, $request) = $origin->request();

    return ($visitor, $service, $request);
}


# An answer ends its connection, so that the next request makes a new one.

sub head {
    push @_, 'Connection: close' if $_[0] =~ m{^HTTP/1.1 [^1]};

    return join "\r\n", @_, '', '';
}


sub events {
    my ($visitor, $service) = arrive('GET', '/sse');

    $service->send(head('HTTP/1.1 200 OK',
                        'Content-Type: text/event-stream',
                        'Transfer-Encoding: chunked'));
    like($visitor->read_until(qr/\r\n\r\n/), qr{^HTTP/1.1 200 OK},
         'the head comes before any event');

    my $good = 0;

    for my $i (1 .. 200) {
        my $text = "data: $i\n\n";
        $service->send(sprintf "%x\r\n%s\r\n", length $text, $text);
        $visitor->read_until(qr/data: $i\n\n\r\n/) or last;
        $good++;
    }

    is($good, 200, 'events, each at once');

    $service->send("0\r\n\r\n");
    is($visitor->read_until(qr/0\r\n\r\n/), "0\r\n\r\n", 'the end of them');

    # in bytes, without chunks

    ($visitor, $service) = arrive('GET', '/trickle');
    $service->send_slowly(head('HTTP/1.1 200 OK', 'Content-Length: 100'));
    $visitor->read_until(qr/\r\n\r\n/);
    $good = 0;

    for my $i (1 .. 100) {
        $service->send(chr 32 + $i);
        $visitor->read_exact(1) eq chr 32 + $i or last;
        $good++;
    }

    is($good, 100, 'single bytes, each at once');

    ($visitor, $service) = arrive('GET', '/close', close => 1);
    $service->send(head('HTTP/1.0 200 OK') . 'first ');
    like($visitor->read_until(qr/first /), qr/first $/, 'a piece');
    $service->send('last');
    like($visitor->read_until(qr/last/), qr/last$/, 'and a piece');
    $service->close();
    ok($visitor->ended(), 'and the end, without a length');
}


sub uploads {
    my $visitor = $t->connect();
    $visitor->send(head('POST /up HTTP/1.1', 'Host: demo.example.com',
                        'Transfer-Encoding: chunked'));

    my ($service, $request) = $origin->request();
    is($request->{headers}{'transfer-encoding'}, 'chunked',
       'the head of a chunked request arrives before its body');

    my $good = 0;

    for my $i (1 .. 100) {
        my $text = "piece $i.";
        $visitor->send(sprintf "%x\r\n%s\r\n", length $text, $text);
        $service->read_until(qr/piece $i\./) or last;
        $good++;
    }

    is($good, 100, 'chunks, each at once');

    $visitor->send("0\r\nX-Trailer: 1\r\n\r\n");
    ok($service->read_until(qr/\r\n0\r\n\r\n/), 'the last of them');
    $service->send(head('HTTP/1.1 201 Created', 'Content-Length: 0'));
    is($visitor->read_response()->{status}, 201, 'and the answer');

    $visitor = $t->connect();
    $visitor->send(head('PUT /up HTTP/1.1', 'Host: demo.example.com',
                        'Content-Length: 100'));
    ($service, $request) = $origin->request();
    is($request->{headers}{'content-length'}, 100,
       'the head of a request with a length');
    $good = 0;

    for my $i (1 .. 100) {
        $visitor->send(chr 32 + $i);
        $service->read_exact(1) eq chr 32 + $i or last;
        $good++;
    }

    is($good, 100, 'single bytes up, each at once');
    $service->send(head('HTTP/1.1 200 OK', 'Content-Length: 2') . 'ok');
    is($visitor->read_response()->{body}, 'ok', 'and the answer');

    # an answer that comes before the body has

    for my $status (413, 200) {
        $visitor = $t->connect();
        $visitor->send(head('POST /early HTTP/1.1', 'Host: demo.example.com',
                            'Content-Length: 100000000'));
        ($service, $request) = $origin->request();
        $visitor->send('x' x 10_000);
        $service->read_exact(10_000);
        $service->send(head("HTTP/1.1 $status Early", 'Content-Length: 5') . 'early');

        my $answer = $visitor->read_response();
        is("$answer->{status} $answer->{body}", "$status early",
           "an early $status");
        $service->close();
        $visitor->abort();
    }
}


sub trailers {
    my ($visitor, $service) = arrive('GET', '/trailers',
        headers => [ TE => 'trailers', Connection => 'TE' ]);

    $service->send(head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked',
                        'Trailer: X-Check')
                   . "5\r\nhello\r\n0\r\nX-Check: passed\r\n\r\n");

    my $answer = $visitor->read_response();
    is($answer->{body}, 'hello', 'a body with trailers');
    ok($answer->{complete}, 'and its end');

    # as far as nginx's proxy passes them

    my $can = Inlets::Test::nginx_features()->{number} >= 1027002;
    is($answer->{trailers}{'x-check'}, $can ? 'passed' : undef, 'trailers');
}


sub upgrade {
    my ($visitor, $service, $request) = arrive('GET', '/ws', headers => [
        'Upgrade' => 'websocket', 'Connection' => 'Upgrade',
        'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version' => '13' ]);

    is($request->{headers}{upgrade}, 'websocket', 'Upgrade arrives');
    is(lc $request->{headers}{connection}, 'upgrade', 'so does Connection');
    is($request->{headers}{'sec-websocket-key'}, 'dGhlIHNhbXBsZSBub25jZQ==',
       'and the key');

    $service->send(head('HTTP/1.1 101 Switching Protocols',
                        'Upgrade: websocket', 'Connection: Upgrade',
                        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
                   . 'first words');

    my $answer = $visitor->read_response();
    is($answer->{status}, 101, 'status 101');
    is($answer->{headers}{'sec-websocket-accept'},
       's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'and the accept key');
    is($visitor->read_exact(11), 'first words', 'what came with it');

    my $good = 0;

    for my $i (1 .. 100) {
        $visitor->send("ping $i\n");
        ($service->read_line() || '') eq "ping $i\n" or last;
        $service->send("pong $i\n");
        ($visitor->read_line() || '') eq "pong $i\n" or last;
        $good++;
    }

    is($good, 100, 'words both ways, in turn');

    $service->close();
    ok($visitor->ended(), 'the service ends it');

    ($visitor, $service) = arrive('GET', '/ws', headers => [
        'Upgrade' => 'anything', 'Connection' => 'keep-alive, Upgrade' ]);
    $service->send(head('HTTP/1.1 101 Go', 'Upgrade: anything',
                        'Connection: upgrade'));
    $visitor->read_response();
    $visitor->close();
    ok($service->ended(), 'the visitor ends it');

    ($visitor, $service) = arrive('GET', '/ws', headers => [
        'Upgrade' => 'h2c', 'Connection' => 'Upgrade' ]);
    $service->send(head('HTTP/1.1 200 OK', 'Content-Length: 2') . 'no');
    is($visitor->read_response()->{body}, 'no', 'an upgrade that is refused');

    # whole messages, by an independent service

    my $web = $t->service('http');
    my $client = $t->tunnel('http', $web->upstream(), '-s', 'web');
    my $ws = $t->websocket('/ws', host => 'web.example.com');

    ok($ws->accept_ok(), 'a WebSocket');

    for my $n (0, 125, 126, 65_536, 1_000_000) {
        my $text = Inlets::Test::Service::pattern($n);
        $ws->frame(Inlets::Test::WebSocket::BINARY, $text);
        ok(($ws->read_message() || '') eq $text, "a message of $n bytes");
    }

    $ws->frame(Inlets::Test::WebSocket::CLOSE, pack 'n', 1000);
    my $close = $ws->read_frame();
    is($close && $close->{opcode}, 8, 'close');
    ok($ws->ended(), 'and the end');
    $client->stop();
}


sub early_ends {
    my $long = head('HTTP/1.1 200 OK', 'Content-Length: 1000000000');

    my ($visitor, $service) = arrive('GET', '/left');
    $visitor->close();
    ok($service->ended(), 'the visitor leaves before the answer');

    ($visitor, $service) = arrive('GET', '/left');
    $service->send($long . 'x' x 100_000);
    $visitor->read_exact(50_000);
    $visitor->close();
    ok(sends_until_ended($service), 'or in the middle of it');

    ($visitor, $service) = arrive('GET', '/left');
    $service->send($long . 'x');
    $visitor->read_until(qr/\r\n\r\nx/);
    $visitor->abort();
    ok($service->ended(), 'or with a reset');

    $visitor = $t->connect();
    $visitor->send(head('POST /left HTTP/1.1', 'Host: demo.example.com',
                        'Content-Length: 100000') . 'x' x 1000);
    ($service) = $origin->request();
    $service->read_exact(1000);
    $visitor->close();
    ok($service->ended(), 'or before all of its body is sent');

    ($visitor, $service) = arrive('GET', '/cut');
    $service->send($long . 'x' x 1000);
    $service->close();
    my $answer = $visitor->read_response();
    is(length $answer->{body}, 1000, 'the service leaves: what there was');
    ok(!$answer->{complete}, 'and that it was cut');

    ($visitor, $service) = arrive('GET', '/cut');
    $service->send(head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')
                   . "5\r\nhello\r\n");
    $service->close();
    $answer = $visitor->read_response();
    is($answer->{body}, 'hello', 'in chunks');
    ok(!$answer->{complete}, 'it was cut');

    ($visitor, $service) = arrive('GET', '/cut');
    $service->send($long . 'x' x 1000);
    $visitor->read_until(qr/x{1000}/);
    $service->abort();
    ok($visitor->ended(), 'with a reset');

    $visitor = $t->connect();
    $visitor->send(head('POST /cut HTTP/1.1', 'Host: demo.example.com',
                        'Content-Length: 100000') . 'x' x 1000);
    ($service) = $origin->request();
    $service->close();
    is($visitor->read_response()->{status}, 502, 'or while a body is sent');
}


sub sends_until_ended {
    my ($service) = @_;
    my $block = 'x' x 65536;

    return wait_for {
        return 1 if $service->ended(0.001);
        return !$service->send($block, 0.05) && $service->ended(0.001);
    } 20;
}


# A visitor who does not read stops the service, in bounded memory, and no
# other visitor.

sub stalled {
    my @pids = ($t->workers(), $t->{clients}[0]->pid());
    my $before = resident(@pids);
    my ($visitor, $service) = arrive('GET', '/stall', rcvbuf => 8192);
    my $block = 'x' x 65536;
    my $sent = 0;

    $service->send(head('HTTP/1.1 200 OK', 'Content-Length: 1000000000'));

    while ($sent < 500_000_000 && $service->send($block, 0.7)) {
        $sent += length $block;
    }

    cmp_ok($sent, '<', 100_000_000, 'the service has to wait');
    cmp_ok(resident(@pids) - $before, '<', 64_000_000 * $Inlets::Test::SLOW,
           'memory is bounded');

    my ($other, $more) = arrive('GET', '/other');
    $more->send(head('HTTP/1.1 200 OK', 'Content-Length: 2') . 'ok');
    is($other->read_response()->{body}, 'ok', 'others go on');

    $visitor->close();
    ok(sends_until_ended($service), 'until it leaves');
}


sub resident {
    my $sum = 0;

    for my $pid (@_) {
        $t->read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m
            and $sum += $1 * 1024;
    }

    return $sum;
}


my @edges = map { Inlets::Test->new(workers => $_) } 1, 4;
my $pass = Inlets::Test::nginx_features()->{number} >= 1027002
           ? 'proxy_pass_trailers on; proxy_set_header TE $http_te; '
             . 'proxy_set_header Connection $http_connection;' : '';

for my $edge (@edges) {
    $t = $edge;
    note("$t->{workers} workers");

    my $reuseport = $t->{workers} > 1 ? ' reuseport' : '';

    $t->edge(listen => "listen 127.0.0.1:%%PORT_0%%$reuseport;",
             tunnel => "client_max_body_size 0; $pass",
             tcp_ports => 0)->run();

    $origin = $t->listener();
    $t->tunnel('http', $origin->upstream(), '-s', 'demo',
               $t->{workers} > 1 ? ('--links', 1) : ());

    events();
    uploads();
    trailers();
    upgrade();
    early_ends();
    stalled();

    $t->finish();
}
