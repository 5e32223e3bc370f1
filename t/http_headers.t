use strict;
use warnings;

# What the local service learns of the visitor, and what of its answer gets
# out; the user's own proxy_set_header.

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my ($crt, $key) = $t->certificate();


sub server {
    my ($listen, $level, $location) = @_;

    return <<"END";
    server {
        listen $listen;
        server_name example.com *.example.com;
        $level
        location / {
            inlets_tunnel edge;
            $location
        }
    }
END
}


my $port = 'listen 127.0.0.1:%%PORT_';

$t->edge(
    tcp_ports => 0,
    listen => 'listen 127.0.0.1:%%PORT_0%%; listen [::1]:%%PORT_v6%%; '
              . 'listen unix:%%TESTDIR%%/visitors.sock;',
    server => 'location = /secret { internal; return 200 secret; }',
    servers =>
        server("127.0.0.1:%%PORT_tls%% ssl", "ssl_certificate $crt; "
               . "ssl_certificate_key $key;", '')
        . server('127.0.0.1:%%PORT_server%%',
                 'proxy_set_header X-Level server; '
                 . 'proxy_set_header X-Forwarded-Proto spdy;', '')
        . server('127.0.0.1:%%PORT_location%%',
                 'proxy_set_header X-Level server;',
                 'proxy_set_header X-Level location; '
                 . 'proxy_set_header host inside.local; '
                 . 'proxy_set_header X-Forwarded-For ""; '
                 . 'proxy_set_header Accept-Encoding "";')
        . server('127.0.0.1:%%PORT_inherit%%', '', <<'END')
            proxy_set_header X-Level outer;
            location /inner {
                inlets_tunnel edge;
            }
            location /own {
                proxy_set_header X-Real-IP hidden;
                inlets_tunnel edge;
            }
            if ($arg_if) {
                set $x 1;
            }
END
        . server('127.0.0.1:%%PORT_realip%%',
                 'set_real_ip_from 127.0.0.1; real_ip_header X-Trusted;', '')
        . server('127.0.0.1:%%PORT_pass%%', '',
                 'proxy_hide_header X-Own; proxy_pass_header X-Accel-Expires; '
                 . 'proxy_ignore_headers X-Accel-Buffering; '
                 . 'proxy_hide_header Server;')
        . server('127.0.0.1:%%PORT_ten%%', '', 'proxy_http_version 1.0;')
        . server('127.0.0.1:%%PORT_cookie%%', '',
                 'proxy_cookie_path / /app/; proxy_redirect http://inside/ '
                 . 'http://outside/;')
        . <<'END',
    server {
        listen 127.0.0.1:%%PORT_first%%;
        server_name first.example.com;
        location / {
            return 403;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_first%%;
        server_name second.example.com;
        location / {
            inlets_tunnel edge;
        }
    }
END
)->run();

my $origin = $t->listener();
my $first = $t->listener();

$t->tunnel('http', $origin->upstream(), '-s', 'demo');


# Sends a request, and returns (visitor, service, request as it arrived).

sub arrive {
    my ($key, $path, %opt) = @_;

    my $visitor = $t->connect(port => $t->port($key), %opt);
    $visitor->send_request('GET', $path, host => 'demo.example.com', %opt);

    my ($service, $request) = $origin->request();
    diag("no request on $key") if !$request;

    return ($visitor, $service, $request);
}


sub answer {
    my ($visitor, $service, @headers) = @_;

    $service->send(join "\r\n", 'HTTP/1.1 200 OK', @headers,
                   'Content-Length: 2', 'Connection: close', '', 'ok');

    return $visitor->read_response();
}


sub seen {
    my ($key, $path, %opt) = @_;
    my ($visitor, $service, $request) = arrive($key, $path, %opt);

    answer($visitor, $service);

    return $request->{headers};
}


sub are {
    my ($headers, %expected) = @_;

    for my $name (sort keys %expected) {
        is($headers->{$name}, $expected{$name}, "$name");
    }
}


# The defaults.

my $edge = $t->port(0);

note('a plain visitor');
are(seen(0, '/', host => "Demo.Example.com:$edge"),
    'host' => "Demo.Example.com:$edge",
    'x-real-ip' => '127.0.0.1',
    'x-forwarded-for' => '127.0.0.1',
    'x-forwarded-proto' => 'http',
    'x-forwarded-host' => "Demo.Example.com:$edge",
    'x-forwarded-port' => $edge,
    'connection' => undef,
    'upgrade' => undef);

note('one who makes things up');
are(seen(0, '/', headers => [
        'X-Real-IP' => '10.0.0.1', 'X-Forwarded-For' => '10.0.0.2',
        'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil.com',
        'X-Forwarded-Port' => '1', 'X-Mine' => 'kept',
        'Connection' => 'keep-alive, X-Mine', 'Keep-Alive' => '30',
        'TE' => 'trailers', 'Accept-Encoding' => 'br' ]),
    'x-real-ip' => '127.0.0.1',
    'x-forwarded-for' => '10.0.0.2, 127.0.0.1',
    'x-forwarded-proto' => 'http',
    'x-forwarded-host' => 'demo.example.com',
    'x-forwarded-port' => $edge,
    'x-mine' => 'kept',
    'accept-encoding' => 'br',
    'connection' => undef, 'keep-alive' => undef, 'te' => undef);

note('TLS');
are(seen('tls', '/', ssl => 1),
    'x-forwarded-proto' => 'https',
    'x-forwarded-port' => $t->port('tls'),
    'host' => 'demo.example.com');

note('IPv6');
are(seen('v6', '/', address => '::1'),
    'x-real-ip' => '::1',
    'x-forwarded-for' => '::1',
    'x-forwarded-port' => $t->port('v6'));

note('an address from a trusted proxy');
are(seen('realip', '/', headers => [ 'X-Trusted' => '192.0.2.7' ]),
    'x-real-ip' => '192.0.2.7',
    'x-forwarded-for' => '192.0.2.7');
are(seen('realip', '/', headers => [ 'X-Trusted' => '2001:db8::7' ]),
    'x-real-ip' => '2001:db8::7');

note('a Unix socket');

my $unix = IO::Socket::UNIX->new(Peer => $t->dir() . '/visitors.sock');
my $local = Inlets::Test::Socket->new($unix);
$local->send_request('GET', '/', host => 'demo.example.com');
my ($service, $request) = $origin->request();
are($request->{headers}, 'x-real-ip' => 'unix:');
is(answer($local, $service)->{body}, 'ok', 'answer');

note('HTTP/1.0');
are(seen(0, '/', version => '1.0'), 'host' => 'demo.example.com');

# nginx goes by the host of an absolute URI; so do we, or who may see which
# tunnel would be decided for another one.

note('absolute URI');

my ($visitor) = arrive(0, 'http://DEMO.example.com/abs', host => 'other.com');
ok($visitor, 'a tunnel by its URI');

($visitor, $service, $request)
    = arrive(0, 'http://demo.example.com/abs?x', host => 'first.example.com');
like($request->{head}, qr{^GET /abs\?x HTTP/1\.1\r\n}, 'path only');
are($request->{headers}, 'host' => 'demo.example.com',
    'x-forwarded-host' => 'demo.example.com');
answer($visitor, $service);

$t->tunnel('http', $first->upstream(), '-s', 'first');
$visitor = $t->connect(port => $t->port('first'));
$visitor->send_request('GET', 'http://second.example.com/',
                       host => 'first.example.com');
is($visitor->read_response()->{status}, 404,
   "one server's rules are not gone round by another's");

# proxy_set_header.

note('server{}');
are(seen('server', '/'),
    'x-level' => 'server',
    'x-forwarded-proto' => 'spdy',
    'x-real-ip' => '127.0.0.1',
    'x-forwarded-for' => '127.0.0.1',
    'host' => 'demo.example.com');

note('location{}');
are(seen('location', '/', headers => [ 'Accept-Encoding' => 'gzip',
                                       'X-Forwarded-For' => '10.0.0.1' ]),
    'x-level' => 'location',
    'host' => 'inside.local',
    'x-forwarded-for' => undef,
    'accept-encoding' => undef,
    'x-forwarded-host' => 'demo.example.com',
    'x-real-ip' => '127.0.0.1');

note('a location in a location');
are(seen('inherit', '/'), 'x-level' => 'outer', 'x-real-ip' => '127.0.0.1');
are(seen('inherit', '/inner'),
    'x-level' => 'outer', 'x-real-ip' => '127.0.0.1');
are(seen('inherit', '/own'),
    'x-level' => undef, 'x-real-ip' => 'hidden',
    'x-forwarded-for' => '127.0.0.1');
are(seen('inherit', '/?if=1'),
    'x-level' => 'outer', 'x-real-ip' => '127.0.0.1',
    'x-forwarded-proto' => 'http');

note('proxy_http_version 1.0');
($visitor, $service, $request) = arrive('ten', '/');
is($request->{version}, '1.0', 'version');
$service->send("HTTP/1.0 200 OK\r\n\r\nplain");
$service->close();
is($visitor->read_response()->{body}, 'plain', 'answer');

# Answers.

note('answers');
are(answer((arrive(0, '/'))[0, 1],
           'Date: Thu, 01 Jan 1970 00:00:01 GMT', 'Server: mine/1',
           'X-Own: 1', 'Vary: Accept', 'ETag: "x"', 'Cache-Control: no-store',
           'Location: http://inside/x', 'Set-Cookie: a=b; Path=/',
           'X-Powered-By: nothing')->{headers},
    'date' => 'Thu, 01 Jan 1970 00:00:01 GMT',
    'server' => 'mine/1',
    'x-own' => '1',
    'vary' => 'Accept',
    'etag' => '"x"',
    'cache-control' => 'no-store',
    'location' => 'http://inside/x',
    'set-cookie' => 'a=b; Path=/',
    'x-powered-by' => 'nothing');

are(answer((arrive('pass', '/'))[0, 1], 'Server: mine', 'X-Own: 1',
           'Date: now')->{headers},
    'x-own' => undef, 'server' => 'nginx/' .
        Inlets::Test::nginx_features()->{version});

are(answer((arrive('cookie', '/'))[0, 1], 'Location: http://inside/x',
           'Set-Cookie: a=b; Path=/')->{headers},
    'location' => 'http://outside/x', 'set-cookie' => 'a=b; Path=/app/');

# A local service must not steer the edge.

for my $key (0, 'pass') {
    my $answer = answer((arrive($key, '/'))[0, 1],
                        'X-Accel-Redirect: /secret',
                        'X-Accel-Limit-Rate: 1', 'X-Accel-Charset: koi8-r');
    is($answer->{body}, 'ok', 'X-Accel-Redirect leads nowhere');
    is($answer->{headers}{'x-accel-redirect'}, undef, 'nor out');
}

# What is no HTTP does no harm.  Of some of it nginx makes an answer.

for my $bad ("nonsense\r\n\r\n",
             "HTTP/1.1 200 OK\r\nX: " . 'x' x 40_000 . "\r\n\r\n",
             "HTTP/1.1 200 OK\r\nNo-Col\0on: x\r\n\r\n",
             "HTTP/1.1 200", '')
{
    ($visitor, $service, $request) = arrive(0, '/bad', close => 1);
    $service->send($bad) if $bad ne '';
    $service->shutdown();

    my $answer = $visitor->read_response();
    my $text = substr $bad, 0, 60;
    $text =~ s/[^ -~]+/ /g;

    ok($answer->{status} == 502 || $answer->{head} =~ /^nonsense/,
       "an answer of '$text'") or diag($answer->{head});
}

is(seen(0, '/after')->{host}, 'demo.example.com', 'and the tunnel goes on');

$t->finish();
