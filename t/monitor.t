# The monitor's WebSocket: handshake, frames, bounds, heartbeat.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Socket;
use Inlets::Test::WebSocket;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8,
               PING => 9, PONG => 10 };

my $t = Inlets::Test->new();
my ($crt, $key) = $t->certificate();

$t->edge(
    connect => 'inlets_auth_timeout 1s;
                inlets_heartbeat_interval 500ms;
                inlets_heartbeat_timeout 1s;',
    server => 'location /base/ { inlets_connect edge; }
               location = /slow/_/monitor {
                   limit_rate 100;
                   inlets_connect edge;
               }
               location = /allowed { return 204; }
               location = /denied { return 403; }
               location = /mirror { return 204; }
               location = /auth/_/monitor {
                   auth_request /allowed;
                   inlets_connect edge;
               }
               location = /noauth/_/monitor {
                   auth_request /denied;
                   inlets_connect edge;
               }
               location = /mirrored/_/monitor {
                   mirror /mirror;
                   inlets_connect edge;
               }
               location = /limited/_/monitor {
                   limit_conn one 1;
                   add_header X-Added yes always;
                   inlets_connect edge;
               }',
    http => 'limit_conn_zone $server_name zone=one:1m;',
    servers => "server {
                    listen 127.0.0.1:%%PORT_tls%% ssl;
                    ssl_certificate $crt;
                    ssl_certificate_key $key;
                    location /_/ { inlets_connect edge; }
                }",
)->run();


# The handshake.

my $m = $t->monitor();

is($m->status, 101, 'handshake');
ok($m->accept_ok, 'Sec-WebSocket-Accept');
like($m->{response}{head}, qr{^HTTP/1\.1 101 Switching Protocols\r\n},
     'status line');
is($m->{response}{headers}{upgrade}, 'websocket', 'Upgrade');
is(lc $m->{response}{headers}{connection}, 'upgrade', 'Connection');
$m->close();

$m = $t->monitor(headers => [ 'Sec-WebSocket-Extensions' =>
                              'permessage-deflate', Origin => 'http://x' ]);
is($m->status, 101, 'extensions offered');
ok(!exists $m->{response}{headers}{'sec-websocket-extensions'},
   'and none taken');
$m->close();

is($t->monitor(headers => [ Connection => 'keep-alive, UPGRADE',
                            Upgrade => 'WebSocket' ])->status, 101,
   'tokens in lists, of any case');
is($t->monitor(path => '/base/_/monitor')->status, 101, 'path prefix');
is($t->monitor(path => '/_/monitor?a=b')->status, 101, 'query ignored');

my @refused = (
    [ 'no Upgrade', 400, qr/needs "Upgrade: websocket"/,
      headers => [ Upgrade => undef ] ],
    [ 'another Upgrade', 400, qr/needs "Upgrade: websocket"/,
      headers => [ Upgrade => 'h2c' ] ],
    [ 'no Connection', 400, qr/needs "Connection: Upgrade"/,
      headers => [ Connection => 'close' ] ],
    [ 'no version', 426, qr/Sec-WebSocket-Version/,
      headers => [ 'Sec-WebSocket-Version' => undef ] ],
    [ 'version 8', 426, qr/Sec-WebSocket-Version/,
      headers => [ 'Sec-WebSocket-Version' => '8' ] ],
    [ 'no key', 400, qr/Sec-WebSocket-Key/,
      headers => [ 'Sec-WebSocket-Key' => undef ] ],
    [ 'short key', 400, qr/Sec-WebSocket-Key/,
      headers => [ 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZQ==' ] ],
    [ 'key that is not base64', 400, qr/Sec-WebSocket-Key/,
      headers => [ 'Sec-WebSocket-Key' => '!!!!!!!!!!!!!!!!!!!!!!==' ] ],
    [ 'two keys', 400, qr/Sec-WebSocket-Key/,
      headers => [ 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
                   'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==' ] ],
    [ 'a body', 400, qr/can't have a body/,
      headers => [ 'Content-Length' => 3 ], early => 'abc' ],
    [ 'POST', 400, qr/needs GET/, method => 'POST' ],
    [ 'HTTP/1.0', 400, qr{needs HTTP/1\.1}, version => '1.0' ],
);

for my $case (@refused) {
    my ($name, $status, $text, %opt) = @$case;
    my $ws = $t->monitor(%opt);

    is($ws->status, $status, "$name: $status");
    like($ws->{response}{body}, $text, "$name: text");
}

$m = $t->monitor(headers => [ 'Sec-WebSocket-Version' => '12' ]);
is($m->{response}{headers}{'sec-websocket-version'}, '13', 'version wanted');

is($t->get('/_/monitor')->{status}, 400, 'not a WebSocket');
is($t->get('/_/other')->{status}, 404, 'unknown path');
is($t->websocket('/_client')->status, 501, 'version 1 is not served yet');


# Events before login.

$m = $t->monitor();
my $event = $m->read_event();
is($event->[0], 'id', 'id at once');
like($event->[1], qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID');

$m->event('ping', undef);
is_deeply($m->read_event(), [ 'pong', undef ], 'ping before login');

$m->event('unknown', { a => 1 });
$m->event('response', 'x');
$m->event('ping');
is_deeply($m->read_event(), [ 'pong', undef ], 'other events are ignored');

$m->frame(PING, 'abc');
my $frame = $m->read_frame();
is($frame->{opcode}, PONG, 'Ping is answered');
is($frame->{payload}, 'abc', 'with its payload');

$m->frame(TEXT, '["pi', fin => 0);
$m->frame(PING, 'x');
$m->frame(CONTINUATION, '', fin => 0);
$m->frame(CONTINUATION, 'ng",nu', fin => 0);
$m->frame(CONTINUATION, 'll]');
is($m->read_frame()->{opcode}, PONG, 'Ping between fragments');
is_deeply($m->read_event(), [ 'pong', undef ], 'fragments are joined');

$m->socket->send_slowly($m->frame_text(TEXT, '["ping",null]'), 1, 0.001);
is_deeply($m->read_event(), [ 'pong', undef ], 'split at every byte');

$m->frame(CLOSE, pack 'na*', 1000, 'bye');
$frame = $m->read_frame();
is($frame->{opcode}, CLOSE, 'Close is answered');
is($frame->{payload}, pack('n', 1000), 'with its code');
ok($m->ended(), 'and the connection ends');

my $early = Inlets::Test::WebSocket->frame_text(TEXT, '["ping",null]');

$m = $t->monitor(early => $early . $early . substr $early, 0, 3);
$m->socket->send(substr $early, 3);
is($m->wait_event('pong'), 1, 'bytes right behind the handshake');
is($m->wait_event('pong'), 1, 'a second message there');
is($m->wait_event('pong'), 1, 'a third, cut');

$m = $t->monitor(early => $early x 30);
is($m->wait_event('pong'), 1, 'more of them than a header buffer holds')
    for 1 .. 30;

$m = $t->monitor(path => '/slow/_/monitor', early => $early);
is($m->status, 101, 'handshake with limit_rate');
is($m->wait_event('pong'), 1, 'and early bytes');


# On connections that have seen other requests, or larger heads.

sub reused {
    my ($name, $before, $answers, %opt) = @_;
    my $socket = $t->connect();

    $socket->send($before . Inlets::Test::WebSocket::handshake_text(
                                '/_/monitor', %opt) . $early);
    $socket->read_response() for 1 .. $answers;

    my $ws = bless { socket => $socket, mask => 1, events => [],
                     response => $socket->read_response() },
                   'Inlets::Test::WebSocket';

    is($ws->{response}{status}, 101, "$name: handshake");
    is($ws->wait_event('pong'), 1, "$name: early bytes");

    my $reply = $ws->authenticate(secret => $t->secret);
    ok($reply->{ok}, "$name: logged in");
}

my $get = Inlets::Test::Socket::request_text('GET', '/_/other');
my @large = (headers => [ map { ("X-Large-$_" => 'x' x 3000) } 1 .. 4 ]);

reused('pipelined', $get, 1);
reused('pipelined twice', $get x 2, 2);
reused('large head', '', 0, @large);
reused('pipelined, large head', $get x 2, 2, @large);


# Other modules in the same location.

is($t->monitor(path => '/auth/_/monitor')->read_event()->[0], 'id',
   'auth_request: allowed');
is($t->monitor(path => '/noauth/_/monitor')->status, 403,
   'auth_request: denied');

my @limited = map { $t->monitor(path => '/limited/_/monitor') } 1, 2;
is($limited[1]->status, 101, 'limit_conn counts requests, not monitors');
is($limited[1]{response}{headers}{'x-added'}, 'yes', 'add_header');

$t->mark();
is($t->monitor(path => '/mirrored/_/monitor')->status, 500,
   'mirror is not possible');
ok($t->wait_log(qr/inlets_connect can't work with subrequests/), 'logged');


# Whatever is wrong ends that connection only, with a reason in the log.

my $alive = $t->login(name => 'alive');

sub rejected {
    my ($name, $code, $log, $send) = @_;
    $t->mark();
    my $ws = $t->monitor();

    $ws->read_event();
    $send->($ws);
    $ws->read_message();

    is($ws->{closed} ? $ws->{closed}[0] : undef, $code, "$name: code");
    ok($ws->ended(), "$name: closed");
    ok($t->wait_log($log), "$name: logged");

    # keeps the other one's heartbeat going
    $alive->event('ping');
    $alive->wait_event('pong');
}

rejected('no mask', 1002, qr/client sent a bad WebSocket frame: .*mask/i,
         sub { $_[0]->frame(TEXT, '["ping"]', mask => 0) });
rejected('reserved bit', 1002, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(TEXT, '["ping"]', rsv => 4) });
rejected('reserved opcode', 1002, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(3, 'x') });
rejected('length that is not minimal', 1009,
         qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(TEXT, '["ping"]', bytes => 2) });
rejected('continuation of nothing', 1002,
         qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(CONTINUATION, 'x') });
rejected('long Ping', 1002, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(PING, 'x' x 126) });
rejected('invalid UTF-8', 1007, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(TEXT, "[\"\xff\"]") });
rejected('long message', 1009, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(TEXT, '', length => 16385) });
rejected('long message in pieces', 1009, qr/client sent a bad WebSocket frame/,
         sub { $_[0]->frame(TEXT, '[' x 16000, fin => 0);
               $_[0]->frame(CONTINUATION, '[' x 16000) });
rejected('binary message', 1003, qr/client sent a binary message/,
         sub { $_[0]->frame(BINARY, '["ping"]') });
rejected('not JSON', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, 'ping') });
rejected('empty message', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, '') });
rejected('not an array', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, '{"ping":1}') });
rejected('no event name', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, '[1,2]') });
rejected('empty array', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, '[]') });
rejected('deep nesting', 1007, qr/not a JSON event/,
         sub { $_[0]->frame(TEXT, '[' x 16000) });
rejected('flood', 1008, qr/client sent more than 20 messages a second/,
         sub { $_[0]->frame(TEXT, '["x"]') for 1 .. 100;
               $_[0]->read_message() });
rejected('flood of Pings', 1008, qr/client sent more than 20 messages/,
         sub { my $ws = shift;
               $ws->frame(PING, '') for 1 .. 100 });

$m = $t->monitor();
$t->mark();
$m->socket->send(substr $early, 0, 4);
$m->abort();
ok($t->wait_log(qr/monitor closed before login: connection broke|closed conn/),
   'reset in the middle of a frame');

$alive->event('ping');
is($alive->wait_event('pong'), 1, 'the other monitor is alive');


# Silence.

$t->mark();
$m = $t->monitor();
ok($m->read_event(), 'id');
$m->event('ping');
is($m->wait_event('pong'), 1, 'a ping does not stop the clock');
ok(!defined $m->read_message(5) && !$m->{closed}, 'no Close frame');
ok($m->ended(5), 'no login in time: closed');
ok($t->wait_log(qr/before login: client did not log in in time/), 'logged');

$m = $t->login(name => 'silent');
ok($m->{reply}{ok}, 'logged in');
is_deeply($m->wait_event('@@CONFIG'),
          { pingInterval => 500, pingTimeout => 20000 }, '@@CONFIG');

for (1 .. 8) {
    select undef, undef, undef, 0.25;
    $m->event('ping');
    is($m->wait_event('pong'), 1, 'pings keep it alive');
}

$t->mark();
ok($m->ended(10), 'silence: closed');
ok($t->wait_log(qr/tunnel \S+ client \S+ ended: client is silent/), 'logged');
is($t->get('/', host => 'silent.example.com', timeout => 10)->{status}, 503,
   'the tunnel has ended');


# TLS.

SKIP: {
    skip 'no IO::Socket::SSL', 8 if !eval { require IO::Socket::SSL };

    $m = $t->login(name => 'tls',
                   connect => { port => $t->port('tls'), ssl => 1,
                                early => $early });
    ok($m->{reply}{ok}, 'TLS: logged in');
    is($m->{reply}{url}, 'https://tls.example.com:' . $t->port('tls'),
       'TLS: URL');

    my $link = $t->link($m, port => $t->port('tls'), ssl => 1);
    is($link->status, 101, 'TLS: link');

    my $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => 'tls.example.com');

    my $stream = $link->accept();
    $stream->read_until(qr/\r\n\r\n/);
    $stream->respond(200, 'secure' x 10000);
    is($visitor->read_response()->{body}, 'secure' x 10000, 'TLS: answer');

    $m->frame(CLOSE, pack 'n', 1000);
    1 while defined $m->read_message();
    is(($m->{closed} || [0])->[0], 1000, 'TLS: Close is answered');
    ok($m->ended(), 'TLS: connection ends');

    $m = $t->monitor(port => $t->port('tls'), ssl => 1);
    $m->authenticate(secret => 'wrong');
    is($m->{reply}{message}, 'invalid signature', 'TLS: refused');
    ok($m->ended(), 'TLS: connection ends');
}


like($t->access_log(), qr{"GET /_/monitor HTTP/1\.1" 101 }, 'access log');

$t->finish();
