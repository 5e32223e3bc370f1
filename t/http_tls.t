use strict;
use warnings;

# HTTP/2 visitors, and an edge with TLS for visitors and clients.

use Digest::SHA qw(sha1_hex);
use Test::More;

use Inlets::Test;
use Inlets::Test::Service;

plan skip_all => 'no curl' if !-x '/usr/bin/curl';

my $t = Inlets::Test->new(workers => 2);
my ($crt, $key) = $t->certificate('example.com', '*.example.com', 'localhost',
                                  '127.0.0.1');
my ($other) = $t->certificate('other.example.org');
my $new = Inlets::Test::nginx_features()->{number} >= 1025001;
my ($h2, $on) = $new ? ('', 'http2 on;') : (' http2', '');
my $locations = <<'END';
        server_name example.com *.example.com;
        client_max_body_size 0;
        location /_/ {
            inlets_connect edge;
        }
        location / {
            inlets_tunnel edge;
            proxy_read_timeout 30s;
            inlets_wait 0;
        }
END

# HTTP/3 where there is one, and a visitor who speaks it

my ($gtls) = grep { -x } map { "$_/gtlsclient" } split /:/, $ENV{PATH};
my $http3 = $gtls
            && Inlets::Test::nginx_features()->{text} =~ /http_v3_module/;
my $quic = $http3 ? <<"END" : '';
    server {
        listen 127.0.0.1:%%PORT_h3%% quic reuseport;
        http3 on;
        ssl_certificate $crt;
        ssl_certificate_key $key;
        $locations
    }
END

$t->edge(tcp_ports => 0, servers => $quic . <<"END")->run();
    server {
        listen 127.0.0.1:%%PORT_h2%%$h2;
        $on
        $locations
    }
    server {
        listen 127.0.0.1:%%PORT_tls%% ssl$h2;
        listen [::1]:%%PORT_tls%% ssl$h2;
        $on
        ssl_certificate $crt;
        ssl_certificate_key $key;
        $locations
    }
    server {
        listen 127.0.0.1:%%PORT_12%% ssl;
        ssl_protocols TLSv1.2;
        ssl_certificate $crt;
        ssl_certificate_key $key;
        $locations
    }
END

my $web = $t->service('http');
my $origin = $t->listener();
my $number = 0;


# curl by way of prior knowledge, or of TLS; what it wrote.

sub curl {
    my ($key, $path, @arguments) = @_;
    my ($pid, $out) = start_curl($key, $path, @arguments);
    my $status = Inlets::Test::reap($pid, 60);

    return wantarray ? ($t->read_file($out), $status) : $t->read_file($out);
}


sub start_curl {
    my ($key, $path, @arguments) = @_;
    my $out = 'curl.' . ++$number;
    my $scheme = $key eq 'h2' ? 'http' : 'https';
    my $name = $path =~ s{^(\w+)/}{/} ? $1 : 'web';
    my $port = $t->port($key);

    my $pid = spawn('curl', { stdout => $t->dir() . "/$out" },
        'curl', '-sN', '--max-time', '50', '--noproxy', '*',
        $key eq 'h2' ? '--http2-prior-knowledge' : ('--cacert', $crt),
        '--resolve', "$name.example.com:$port:127.0.0.1", @arguments,
        "$scheme://$name.example.com:$port$path");

    return ($pid, $out);
}


# Clients by TLS.

my $tls = $t->port('tls');


sub client {
    my ($remote, @arguments) = @_;
    return $t->client({ token => 1 }, 'client', '-r', $remote, @arguments,
                      'http', $web->upstream());
}


my $client = client("https://localhost:$tls", '--ca-file', $crt, '-s', 'web');
ok($client->wait_up(), 'a client with TLS and a CA of its own');
is($client->url(), "https://web.example.com:$tls", 'its URL');

my $second = client("wss://127.0.0.1:$tls", '--insecure', '-s', 'second');
ok($second->wait_up(), 'one that verifies nothing');
like($second->output(), qr/insecure|not verif/i, 'and says so');
like(curl('tls', 'second/'), qr/^it works$/m, 'and serves');
$second->stop();

for my $bad ([ "https://localhost:$tls" ],
             [ "https://localhost:$tls", '--ca-file', $other ],
             [ "https://[::1]:$tls", '--ca-file', $crt ])
{
    my $refused = client(@$bad);
    ok($refused->wait_output(qr/certificate|host ?name|mismatch/i, 15),
       'a certificate that is not trusted') or diag($refused->output());
    unlike($refused->output(), qr/Forwarding/, 'is not used');
    $refused->stop();
}

$second = client('wss://localhost:' . $t->port('12'), '--ca-file', $crt, '-s',
                 'second');
ok($second->wait_up(), 'TLS 1.2');
is(curl('12', 'second/'), "it works\n", 'for visitors too');
$second->stop();

$t->tunnel('http', $origin->upstream(), '-s', 'origin');

# Visitors.

for my $key ('h2', 'tls') {
    my ($body, $status) = curl($key, '/', '-w', '%{http_version} %{http_code}');
    is($body, "it works\n2 200", 'HTTP/2');

    my $echo = curl($key, '/echo?x', '-H', 'X-Own: 1');
    my $port = $t->port($key);
    my $scheme = $key eq 'h2' ? 'http' : 'https';

    like($echo, qr{^GET /echo\?x HTTP/1\.1\r\n}, 'as HTTP/1.1 to the service');
    like($echo, qr/^$_\r$/m, $_)
        for "Host: web\\.example\\.com:$port",
            "X-Forwarded-Host: web\\.example\\.com:$port",
            "X-Forwarded-Proto: $scheme", "X-Forwarded-Port: $port",
            '(?i:X-Own): 1';

    is(curl($key, '/bytes?n=100', '-I', '-o', '/dev/null', '-w',
            '%{http_code} %header{content-length}'), '200 100', 'HEAD');
    is(curl($key, '/status?code=418'), "status 418\n", 'a status');
    my $down = curl($key, '/bytes?n=3000000');
    is(sha1_hex($down), sha1_hex(Inlets::Test::Service::pattern(3_000_000)), 'down');
    is(length curl($key, '/chunked?n=100&size=1000'), 100_000, 'chunks');
    is(length curl($key, '/close?n=70000'), 70_000, 'no length');

    my $data = Inlets::Test::Service::pattern(3_000_000);
    my $file = $t->file('body', $data);

    for my $way ([ '-T', $file ], [ '--data-binary', "\@$file" ],
                 [ '-T', $file, '-H', 'Transfer-Encoding: chunked' ])
    {
        is(curl($key, '/post', @$way), '3000000 ' . sha1_hex($data) . "\n",
           'up');
    }

    my (undef, $code) = curl($key, '/cut?n=100&of=1000');
    isnt($code, 0, 'an answer that is cut short is seen to be');

    is(curl($key, 'nobody/', '-o', '/dev/null', '-w', '%{http_code}'), 404,
       'no such tunnel');

    # many at once on one connection

    SKIP: {
        skip('no h2load', 2) if !-x '/usr/bin/h2load';

        my $out = $t->dir() . '/h2load';
        my $pid = spawn('h2load', { stdout => $out }, 'h2load', '-n', 200,
            '-c', 2, '-m', 20, '-H', ':authority: web.example.com',
            "$scheme://127.0.0.1:$port/bytes?n=10000");
        Inlets::Test::reap($pid, 60);

        my $said = $t->read_file($out);
        like($said, qr/\b200 succeeded, 0 failed/, 'many requests at once');
        like($said, qr/\(2000000\) data/, 'with all of their bytes');
    }

    # pieces, each at once, and the end of either side

    my ($pid, $out) = start_curl($key, 'origin/sse');
    my ($service) = $origin->request();
    ok($service, 'a stream of events') or next;
    $service->send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");

    for my $i (1 .. 5) {
        $service->send("event $i\n");
        ok((wait_for { $t->read_file($out) =~ /event $i\n/ } 5, 'event'),
           "event $i");
    }

    kill 'TERM', $pid;
    Inlets::Test::reap($pid, 5);
    ok($service->ended(), 'the visitor leaves');
}

SKIP: {
    skip('no HTTP/3', 4) if !$http3;

    my $port = $t->port('h3');
    my $pid = spawn('gtlsclient', { stdout => '/dev/null' }, $gtls, '-q',
        '--exit-on-all-streams-close', '--no-quic-dump', '--no-http-dump',
        '--download=' . $t->dir(), '127.0.0.1', $port,
        "https://web.example.com:$port/echo");
    Inlets::Test::reap($pid, 20);

    # in HTTP/3 the name may be in no header

    my $echo = $t->read_file('echo');
    like($echo, qr{^GET /echo HTTP/1\.1\r\n}, 'HTTP/3');
    like($echo, qr/^$_\r$/m, $_)
        for "Host: web\\.example\\.com:$port", 'X-Forwarded-Proto: https',
            "X-Forwarded-Port: $port";
}

unlike($t->log(), qr/\Q$t->{secret}\E/, 'no secret in the log');

$t->finish();
