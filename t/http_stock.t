use strict;
use warnings;

# nginx's own directives in locations with inlets_tunnel.

use Digest::SHA;
use MIME::Base64;
use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $port = 'listen 127.0.0.1:%%PORT_';
my $names = 'server_name *.example.com;';


# A server on a port of its own; its location is given.

sub server {
    my ($key, $location, $level) = @_;
    $level = '' if !defined $level;

    return <<"END";
    server {
        ${port}${key}%%;
        $names
        $level
        location / {
            inlets_tunnel edge;
            $location
        }
    }
END
}


$t->file('users', "ann:{PLAIN}secret\n");

$t->edge(
    tcp_ports => 0,
    http => <<'END',
    inlets_wait 300ms;
    proxy_cache_path %%TESTDIR%%/cache levels=1 keys_zone=one:1m inactive=1h;
    limit_req_zone $binary_remote_addr zone=slow:64k rate=1r/m;
    limit_conn_zone $binary_remote_addr zone=few:64k;
    limit_req_zone $inlets_tunnel_id zone=tunnel:64k rate=1r/m;
    log_format ours 'host=$inlets_host tunnel=$inlets_tunnel_id '
                    'client=$inlets_client_id status=$status '
                    'up=$upstream_addr us=$upstream_status '
                    'header=$upstream_header_time cache=$inlets_cache_host '
                    'connection=$inlets_connection asked=$inlets_http_host '
                    'sent=$body_bytes_sent got=$upstream_bytes_received';
    split_clients $request_id $half { 100% yes; }
    map $inlets_host $by_host { ~^web  "for web"; default other; }
END
    servers =>
        server('cache', <<'END')
            proxy_cache one;
            proxy_cache_valid 200 1h;
            proxy_cache_valid 404 1h;
            proxy_buffering on;
            add_header X-Cache $upstream_cache_status always;
END
        . server('stale', <<'END')
            proxy_cache one;
            proxy_cache_key stale$request_uri;
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale error timeout http_503;
            proxy_buffering on;
            inlets_wait 0;
            add_header X-Cache $upstream_cache_status always;
END
        . server('key', <<'END')
            proxy_cache one;
            proxy_cache_key $request_uri;
            proxy_cache_valid 200 1h;
            proxy_buffering on;
            add_header X-Cache $upstream_cache_status always;
END
        . server('limit', 'limit_req zone=slow; limit_req_status 429;')
        . server('conn', 'limit_conn few 1;')
        . server('auth', 'auth_basic "who"; '
                 . 'auth_basic_user_file %%TESTDIR%%/users;')
        . server('request', 'auth_request /check;',
                 'location = /check { internal; return 204; }')
        . server('ask', 'set $code $arg_code; auth_request /check;',
                 <<'END')
        location = /check {
            internal;
            rewrite ^ /status?code=$code break;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            inlets_tunnel edge;
        }
END
        . server('fallback', 'error_page 404 = @other;', <<'END')
        location @other {
            proxy_set_header Host other.example.com;
            proxy_pass http://127.0.0.1:%%PORT_0%%;
        }
        location /first {
            proxy_pass http://127.0.0.1:%%PORT_none%%/;
            error_page 502 = @tunnel;
        }
        location @tunnel {
            inlets_tunnel edge;
        }
END
        . server('update', <<'END')
            proxy_cache one;
            proxy_cache_valid 200 1s;
            proxy_cache_use_stale updating error http_503;
            proxy_cache_background_update on;
            proxy_cache_lock on;
            proxy_buffering on;
            add_header X-Cache $upstream_cache_status always;
END
        . server('refuse', 'auth_request /check;',
                 'location = /check { internal; return 401; }')
        . server('deny', 'deny 127.0.0.1;')
        . server('timeout', 'proxy_read_timeout 250ms;')
        . server('error', 'error_page 404 502 503 /page; '
                 . 'proxy_intercept_errors on;',
                 'location = /page { return 200 "page\n"; }')
        . server('log', 'access_log %%TESTDIR%%/ours.log ours; '
                 . 'access_log %%TESTDIR%%/some.log ours if=$arg_log;')
        . server('map', 'add_header X-Map $by_host; '
                 . 'proxy_set_header X-Id $inlets_tunnel_id;')
        . server('gzip', 'gzip on; gzip_types text/plain; '
                 . 'gzip_min_length 1;')
        . server('sub', 'sub_filter works sings; sub_filter_types *;')
        . server('rate', 'proxy_limit_rate 1m;')
        . server('body', 'client_max_body_size 10;')
        . server('buffered', 'proxy_request_buffering on; '
                 . 'proxy_buffering on; client_body_buffer_size 1k;')
        . server('method', 'proxy_method POST; proxy_pass_request_headers '
                 . 'off; proxy_set_body "own $inlets_host";')
        . server('rewrite', 'rewrite ^/old$ /bytes?n=7 break;',
                 'location = /moved { return 301 /; } '
                 . 'location = /ok { return 200 "edge\n"; }')
        . server('bind', 'proxy_bind 127.0.0.1; proxy_socket_keepalive on; '
                 . 'proxy_connect_timeout 5s; proxy_send_timeout 5s; '
                 . 'proxy_next_upstream off;')
        . server('sizes', 'proxy_buffer_size 4k; proxy_buffers 4 4k; '
                 . 'proxy_busy_buffers_size 8k;')
        . server('mirror', 'mirror /copy;', 'location = /copy { internal; '
                 . 'inlets_tunnel edge; }')
        . server('except', 'limit_except GET { deny all; }')
        . server('satisfy', 'satisfy any; deny all; auth_basic x; '
                 . 'auth_basic_user_file %%TESTDIR%%/users;')
        . <<"END",
    server {
        ${port}slice%%;
        $names
        location / {
            slice 1k;
            inlets_tunnel edge;
        }
    }
    server {
        ${port}inner%%;
        $names
        location / {
            proxy_pass http://127.0.0.1:%%PORT_0%%;
            proxy_set_header Host \$http_host;
        }
    }
END
);

# not every nginx has the slice module

my ($good, $said) = $t->test_conf();
my $slice = $said !~ /unknown directive "slice"/;

if (!$slice) {
    $t->conf($t->read_file('nginx.conf') =~ s/slice 1k;//r);
}

$t->run();

my $web = $t->service('http');
my $other = $t->service('http');
my $client = $t->tunnel('http', $web->upstream(), '-s', 'web');

$t->tunnel('http', $other->upstream(), '-s', 'other');
$t->tunnel('http', $t->service('closed')->upstream(), '-s', 'closed');


sub get {
    my ($key, $path, %opt) = @_;
    my $name = delete $opt{name} || 'web';

    return $t->request(delete $opt{method} || 'GET', $path,
        host => "$name.example.com", port => $t->port($key), %opt);
}


sub requests {
    my ($path) = @_;
    my @all = grep { /\Q$path\E$/ } $web->requests();
    return scalar @all;
}


sub cached {
    my ($key, $path, $expected, $what, %opt) = @_;
    my $answer = get($key, $path, %opt);

    is($answer->{headers}{'x-cache'}, $expected, $what);

    return $answer;
}


note('proxy_cache');
cached('cache', '/bytes?n=100', 'MISS', 'the first request');
my $answer = cached('cache', '/bytes?n=100', 'HIT', 'the second one');
is(length $answer->{body}, 100, 'is answered');
is(requests('/bytes?n=100'), 1, 'by the cache alone');
cached('cache', '/bytes?n=100', 'HIT', 'HEAD', method => 'HEAD');
cached('cache', '/bytes?n=100', 'MISS', 'another tunnel', name => 'other');
cached('cache', '/bytes?n=100', 'HIT', "has its own", name => 'other');
is(get('cache', '/bytes?n=100', name => 'nobody')->{status}, 404,
   'and no tunnel none');
is(get('cache', '/bytes?n=100', name => 'WEB')->{headers}{'x-cache'}, 'HIT',
   'in capitals it is the same');

# a name that is free now may be taken in a moment: nothing of it is kept

my $early = $t->client({ token => 1 }, 'client', '-r',
    '127.0.0.1:' . $t->port(0), '-s', 'nobody', 'http', $web->upstream());
$early->wait_up();
is(get('cache', '/bytes?n=100', name => 'nobody')->{status}, 200,
   'our 404 is not cached');
$early->stop();

cached('cache', '/status?code=404', 'MISS', "the service's own 404");
cached('cache', '/status?code=404', 'HIT', 'is');

cached('stale', '/', 'MISS', 'use_stale');
cached('update', '/bytes?n=5', 'MISS', 'background_update');
my @same = map { $t->connect(port => $t->port('update')) } 1 .. 5;
$_->send_request('GET', '/slow?ms=300', host => 'web.example.com') for @same;
is(join(' ', map { $_->read_response()->{status} } @same),
   '200 200 200 200 200', 'cache_lock');
is(requests('/slow?ms=300'), 1, 'lets one through');
ok((wait_for {
    get('update', '/bytes?n=5')->{headers}{'x-cache'} eq 'STALE'
} 5, 'the cache to expire'), 'stale while it is updated');
ok((wait_for { requests('/bytes?n=5') == 2 } 5, 'the update'),
   'in the background');
cached('key', '/', 'MISS', "the user's own key");
cached('key', '/', 'HIT', 'holds for all tunnels', name => 'other');

note('limit_req, limit_conn');
is(get('limit', '/')->{status}, 200, 'the first');
is(get('limit', '/')->{status}, 429, 'the second at once');

my $busy = $t->connect(port => $t->port('conn'));
$busy->send_request('GET', '/hang', host => 'web.example.com');
ok((wait_for { requests('/hang') } 5, 'the request'), 'a long request');
is(get('conn', '/')->{status}, 503, 'and no second one');
like(get('conn', '/')->{body}, qr/nginx/, "with nginx's own page");
$busy->close();
ok((wait_for { get('conn', '/')->{status} == 200 } 5, 'the end'),
   'but when it is over');

note('access');
is(get('auth', '/')->{status}, 401, 'auth_basic');
is(get('auth', '/', headers => [ Authorization => 'Basic '
       . encode_base64('ann:secret', '') ])->{status}, 200,
   'with the password');
is(get('request', '/')->{status}, 200, 'auth_request');
is(get('refuse', '/')->{status}, 401, 'that refuses');
is(get('ask', '/?code=200')->{status}, 200, 'auth_request to a tunnel');
is(get('ask', '/?code=403')->{status}, 403, 'that refuses');
is(get('ask', '/?code=200', name => 'nobody')->{status}, 500,
   'or is not there');
is(get('ask', '/post?code=200', method => 'POST', body => 'x' x 9)->{body},
   '9 ' . Digest::SHA::sha1_hex('x' x 9) . "\n", 'with a body');
is(get('deny', '/')->{status}, 403, 'deny');
is(get('except', '/')->{status}, 200, 'limit_except');
is(get('except', '/post', method => 'POST', body => 'x')->{status}, 403,
   'that refuses');
is(get('satisfy', '/')->{status}, 401, 'satisfy any');

note('time-outs, error pages');
is(get('timeout', '/slow?ms=5000')->{status}, 504, 'proxy_read_timeout');
is(get('error', '/status?code=404')->{body}, "page\n", 'error_page');
is(get('error', '/', name => 'nobody')->{body}, "page\n", 'for ours');
is(get('error', '/', name => 'closed')->{body}, "page\n", 'for 502');

note('access_log');
get('log', '/bytes?n=10&log=1');
get('log', '/', name => 'none-such');
get('log', '/', name => 'WEB', headers => [ Upgrade => 'x' ]);

my $id = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

for my $line (
    qr/^host=web\.example\.com\ tunnel=$id\ client=anonymous-\w+\ status=200
       \ up=web\.example\.com\ us=200\ header=\d.*\ cache=web\.example\.com\ connection=
       \ asked=web\.example\.com\ sent=10\ got=\d+$/mx,
    qr/^host=none-such\.example\.com\ tunnel=-\ client=-\ status=404/mx,
    qr/^host=web\.example\.com.*connection=upgrade\ asked=WEB\.example\.com/mx)
{
    ok((wait_for { $t->read_file('ours.log') =~ $line } 5, 'log'),
       'our variables in the log') or diag($t->read_file('ours.log'));
}

is(scalar(() = $t->read_file('some.log') =~ /\n/g), 1, 'a conditional log');

note('filters and the rest');
is(get('map', '/')->{headers}{'x-map'}, 'for web', 'map, add_header');
is(get('gzip', '/', headers => [ 'Accept-Encoding' => 'gzip' ])
       ->{headers}{'content-encoding'}, 'gzip', 'gzip');
is(get('sub', '/')->{body}, "it sings\n", 'sub_filter');
is(length get('rate', '/bytes?n=100000')->{body}, 100_000,
   'proxy_limit_rate');
is(get('body', '/post', method => 'POST', body => 'x' x 11)->{status}, 413,
   'client_max_body_size');
like(get('buffered', '/post', method => 'POST', chunked => [ 'x' x 5000 ])
         ->{body}, qr/^5000 /, 'proxy_request_buffering on');
is(length get('buffered', '/bytes?n=3000000')->{body}, 3_000_000,
   'proxy_buffering on');
like(get('method', '/echo')->{body},
     qr{^POST /echo .*own web\.example\.com$}s,
     'proxy_method, proxy_set_body, proxy_pass_request_headers');
is(length get('rewrite', '/old')->{body}, 7, 'rewrite');
is(get('rewrite', '/ok')->{body}, "edge\n", 'return beside a tunnel');
is(get('bind', '/')->{body}, "it works\n", 'what does not apply is harmless');
is(length get('sizes', '/bytes?n=100000')->{body}, 100_000,
   'buffers of other sizes');
is(get('mirror', '/')->{body}, "it works\n", 'mirror');
is(get('fallback', '/', name => 'none-such')->{body}, "it works\n",
   'a fallback for our 404');
is(get('fallback', '/first')->{body}, "no such route\n",
   'a tunnel as the fallback of a proxy');
is(get('inner', '/')->{body}, "it works\n", 'behind another proxy');

SKIP: {
    skip('no slice module', 1) if !$slice;
    is(length get('slice', '/bytes?n=5000')->{body}, 5000, 'slice');
}

# The client goes: what is in the cache stays.

note('away');
$client->signal('KILL');
$client->wait_exit();
ok((wait_for { get('stale', '/none')->{status} == 503 } 10, 'the end'),
   'the client is away');

$answer = cached('cache', '/bytes?n=100', 'HIT', 'the cache answers');
is(length $answer->{body}, 100, 'all of it');
is(get('cache', '/bytes?n=101')->{status}, 503, 'for what it has');

ok((wait_for { get('stale', '/')->{headers}{'x-cache'} ne 'HIT' } 10,
    'the cache to expire'), 'the answer expires');
$answer = cached('stale', '/', 'STALE', 'use_stale');
is("$answer->{status} $answer->{body}", "200 it works\n", 'and what it says');

$client = $t->tunnel('http', $web->upstream(), '-s', 'web');
cached('stale', '/', 'EXPIRED', 'it is renewed when the client is back');

$t->finish();
