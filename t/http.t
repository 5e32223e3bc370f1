use strict;
use warnings;

# Requests and answers through a tunnel: methods, bodies, keep-alive,
# pipelining, with one worker and with several.

use Digest::SHA qw(sha1_hex);
use Test::More;

use Inlets::Test;
use Inlets::Test::Service;

my ($t, $web, $origin);


sub ask {
    my ($method, $path, %opt) = @_;
    return $t->request($method, $path, host => 'web.example.com', %opt);
}


sub methods {
    for my $method (qw(GET POST PUT DELETE PATCH OPTIONS PROPFIND MKCOL COPY
                       LOCK REPORT PURGE))
    {
        my @body = $method =~ /^P(?:OST|UT|ATCH)$/ ? (body => 'some') : ();
        my $answer = ask($method, '/echo?x=1', @body);

        like($answer->{body}, qr{^$method /echo\?x=1 HTTP/1\.1\r\n}, $method);
        like($answer->{body}, qr/\r\n\r\nsome$/, "$method has its body")
            if @body;
    }

    my $head = ask('HEAD', '/bytes?n=12345');
    is($head->{status}, 200, 'HEAD');
    is($head->{headers}{'content-length'}, 12345, 'HEAD has the length');
    like($web->last_request(), qr/^HEAD /, 'HEAD stays one');

    my $socket = $t->connect();
    $socket->send_request('HEAD', '/bytes?n=5', host => 'web.example.com');
    $socket->read_response(method => 'HEAD');
    $socket->send_request('GET', '/bytes?n=5', host => 'web.example.com');
    is(length $socket->read_response()->{body}, 5, 'GET behind HEAD');
}


sub answers {
    my $answer = ask('GET', '/bytes?n=0');
    is($answer->{status} . $answer->{body}, '200', 'an empty body');

    for my $n (1, 16383, 16384, 65536, 1_000_000) {
        $answer = ask('GET', "/bytes?n=$n");
        ok($answer->{body} eq Inlets::Test::Service::pattern($n)
           && $answer->{complete}, "$n bytes");
    }

    $answer = ask('GET', '/chunked?n=50&size=1000');
    is(length $answer->{body}, 50_000, 'chunks');
    like($answer->{headers}{'transfer-encoding'}, qr/chunked/, 'and chunked');
    ok($answer->{complete}, 'and their end');

    $answer = ask('GET', '/close?n=70000');
    is(length $answer->{body}, 70_000, 'a body without length');
    ok($answer->{complete}, 'and its end');

    $answer = ask('GET', '/cut?n=100&of=1000');
    is(length $answer->{body}, 100, 'a body that ends early');
    ok(!$answer->{complete}, 'is seen to');

    for my $code (204, 304, 201, 302, 400, 401, 404, 418, 500, 503) {
        $answer = ask('GET', "/status?code=$code");
        is($answer->{status}, $code, "status $code");
        is($answer->{body}, $code =~ /^[23]04$/ ? '' : "status $code\n",
           "and the service's own body");
    }

    $answer = ask('GET', '/chunked?n=5', version => '1.0');
    is(length $answer->{body}, 50, 'an HTTP/1.0 visitor');
    is($answer->{headers}{'transfer-encoding'}, undef, 'gets no chunks');
}


sub bodies {
    for my $n (0, 1, 16384, 262_145, 3_000_000) {
        my $body = Inlets::Test::Service::pattern($n);
        my $expected = $n . ' ' . sha1_hex($body) . "\n";

        is(ask('POST', '/post', body => $body)->{body}, $expected,
           "$n bytes up");

        my @pieces = unpack '(a60000)*', $body;
        is(ask('POST', '/post', chunked => \@pieces)->{body}, $expected,
           "$n bytes in chunks");
    }

    my $answer = ask('POST', '/post', body => 'x' x 5000,
                  headers => [ Expect => '100-continue' ]);
    is("@{$answer->{interim}}", '100', '100-continue');
    like($answer->{body}, qr/^5000 /, 'and the body');

    my $socket = $t->connect();
    $socket->send("POST /post HTTP/1.1\r\nHost: web.example.com\r\n"
                  . "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    is($socket->read_until(qr/\r\n\r\n/), "HTTP/1.1 100 Continue\r\n\r\n",
       '100 comes before the body');
    $socket->send('body');
    like($socket->read_response()->{body}, qr/^4 /, 'which comes then');
}


sub connections {
    my $socket = $t->connect();

    for my $i (1 .. 5) {
        $socket->send_request('GET', "/bytes?n=$i",
                              host => 'web.example.com');
        is(length $socket->read_response()->{body}, $i,
           "request $i of a connection");
    }

    $socket->send_request('POST', '/post', host => 'web.example.com',
                          body => 'in between');
    like($socket->read_response()->{body}, qr/^10 /, 'POST on it');

    my $host = "Host: web.example.com\r\n\r\n";
    my $requests = join '', map { "GET /bytes?n=$_ HTTP/1.1\r\n$host" }
                                1 .. 10;
    $requests .= "POST /post HTTP/1.1\r\nContent-Length: 3\r\n${host}abc";
    $requests .= "GET / HTTP/1.1\r\nConnection: close\r\n$host";

    $socket->send($requests);
    is(join(' ', map { length $socket->read_response()->{body} } 1 .. 10),
       join(' ', 1 .. 10), 'pipelined requests are answered in order');
    like($socket->read_response()->{body}, qr/^3 /, 'with a POST');
    is($socket->read_response()->{body}, "it works\n", 'to the last');
    ok($socket->ended(), 'and closed');

    my @visitors = map { $t->connect() } 1 .. 60;
    $visitors[$_]->send_request('GET', "/bytes?n=$_",
                                host => 'web.example.com')
        for 0 .. $#visitors;
    my @good = grep { length $visitors[$_]->read_response()->{body} == $_ }
                    0 .. $#visitors;
    is(scalar @good, 60, 'many visitors at once');
}


# What the service gets, byte for byte.

sub unchanged {
    my @uris = ('/', '/a%20b', '//x///y', '/a/../b', '/x/%2E%2e/%2F%41',
                '/?', '/?a=1&b=%zz', '/x;y=1?z#', '/' . 'l' x 6000,
                "/\xc3\xa4?\xff");

    for my $uri (@uris) {
        my $visitor = $t->connect();
        $visitor->send_request('GET', $uri, host => 'origin.example.com');

        my ($service, $request) = $origin->request();
        my $seen = length $uri > 50 ? 'a long URI' : $uri;
        ok($request && $request->{head} =~ m{^GET \Q$uri\E HTTP/1\.1\r\n},
           "$seen arrives as it is") or diag($request->{head});

        $service->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                       . "Connection: close\r\n\r\n");
        is($visitor->read_response()->{status}, 200, 'and is answered');
    }

    my $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => 'origin.example.com',
        headers => [ map { ("X-Long-$_" => $_ x 4000) } 1 .. 6 ]);
    my ($service, $request) = $origin->request();
    is($request->{headers}{'x-long-6'}, 6 x 4000, 'long request headers');

    $service->send("HTTP/1.1 234 A reason of ours\r\n"
                   . "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n"
                   . join('', map { "X-Long-$_: " . $_ x 4000 . "\r\n" }
                                  1 .. 6)
                   . "Content-Length: 0\r\nConnection: close\r\n\r\n");
    my $answer = $visitor->read_response();
    is("$answer->{status} $answer->{reason}", '234 A reason of ours',
       'status line');
    is($answer->{headers}{'x-long-6'}, 6 x 4000, 'long answer headers');
    is($answer->{headers}{'set-cookie'}, 'a=1, b=2; Path=/', 'cookies');

    # an HTTP/1.0 service

    $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => 'origin.example.com');
    ($service, $request) = $origin->request();
    $service->send("HTTP/1.0 200 OK\r\n\r\nold");
    $service->close();
    is($visitor->read_response()->{body}, 'old', 'an HTTP/1.0 service');
}


# Idle streams are used again, and one that has gone stale does no harm.

sub reuse {
    my ($workers) = @_;

    ask('GET', '/');
    my $before = $web->connections();
    ask('GET', '/bytes?n=10') for 1 .. 20;
    my $more = $web->connections() - $before;

    cmp_ok($more, '<', $workers == 1 ? 1 : 8, 'connections are used again');

    $before = $web->connections();
    ask('POST', '/post', body => 'x') for 1 .. 5;
    cmp_ok($web->connections() - $before, '>=', 1, 'by POST they are not');

    for my $i (1 .. 6) {
        my $visitor = $t->connect();
        $visitor->send_request('GET', "/stale$i",
                               host => 'origin.example.com');

        my ($service, $request) = $origin->request();
        ok($request, "request $i arrives") or return;

        $service->send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n$i");
        is($visitor->read_response()->{body}, $i, 'and is answered');

        # with a reset, or an end, while it is idle

        $i % 2 ? $service->abort() : $service->close();
    }

    # nobody gets what the service sends unasked, behind an answer or later

    my $evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

    for my $i (1 .. 6) {
        my $visitor = $t->connect();
        $visitor->send_request('GET', "/more$i",
                               host => 'origin.example.com');

        my ($service, $request) = $origin->request();
        ok($request, "request $i arrives") or return;

        my $good = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n$i";
        $service->send($i % 2 ? $good . $evil : $good);
        is($visitor->read_response()->{body}, $i, 'and gets its answer');

        $service->send($evil) if $i % 2 == 0;
        ok($service->ended(), 'the stream is not used again');
    }
}


my @edges = map { Inlets::Test->new(workers => $_) } 1, 4, 4;

for my $i (0 .. $#edges) {
    my $workers = $edges[$i]{workers};
    my $reuseport = $i == 2 ? ' reuseport' : '';

    note("$workers workers$reuseport");

    $t = $edges[$i];
    $t->edge(listen => "listen 127.0.0.1:%%PORT_0%%$reuseport;",
             server => 'large_client_header_buffers 8 16k; '
                       . 'client_max_body_size 0;',
             tcp_ports => 0)->run();

    $web = $t->service('http');
    $origin = $t->listener();

    my @links = $workers > 1 ? ('--links', 1) : ();

    $t->tunnel('http', $web->upstream(), '-s', 'web', @links);
    $t->tunnel('http', $origin->upstream(), '-s', 'origin', @links);

    methods();
    answers();
    bodies();
    connections();
    unchanged();
    reuse($workers);

    is(ask('TRACE', '/')->{status}, 405, 'TRACE is refused by nginx');

    $t->finish();
}
