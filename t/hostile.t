# Peers that mean harm: whatever they send ends their own connection, with a
# reason in the log, and a tunnel beside them goes on.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Socket;
use Inlets::Test::WebSocket;
use Inlets::Test::Yamux;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8,
               WS_PING => 9, WS_PONG => 10 };
use constant { DATA => 0, WINDOW => 1, PING => 2, GO_AWAY => 3 };
use constant { SYN => 1, ACK => 2, FIN => 4, RST => 8 };

my $t = Inlets::Test->new();

$t->edge(
    http => 'client_header_timeout 2s; client_body_timeout 2s;
             inlets_wait 300ms;',
    connect => 'inlets_remember 0;',
    tunnel => 'proxy_read_timeout 3s;',
)->run();

my $web = $t->service('http');
my $echo = $t->service('echo');
my $good = $t->tunnel('http', $web->upstream(), '-s', 'good');
my $tcp = $t->tunnel('tcp', $echo->upstream());
my ($worker) = $t->workers();

like($tcp->port(), qr/^\d+$/, 'a port');

# A stream that lives through all of it.

my $witness = $t->connect(port => $tcp->port());


sub bystanders {
    my ($name) = @_;
    my $answer = $t->get('/', host => 'good.example.com');

    $witness->send("$name\n");

    return $answer->{status} == 200
           && ($witness->read_line() || '') eq "$name\n"
           && ($t->workers())[0] == $worker;
}


# Monitors: what monitor.t has not, the login itself.

my $long = 'a' x 64;
my @logins = (
    [ 'no fields', qr/invalid authenticate message/, undef ],
    [ 'a list', qr/invalid authenticate message/, [ 1, 2 ] ],
    [ 'a string', qr/invalid authenticate message/, 'x' ],
    [ 'an empty object', qr/invalid timestamp/, {} ],
    [ 'type is a number', qr/invalid authenticate message/, { type => 7 } ],
    [ 'type is a list', qr/invalid authenticate message/, { type => [] } ],
    [ 'unknown type', qr/unknown tunnel type "udp"/, { type => 'udp' } ],
    [ 'huge type', qr/invalid authenticate message/, { type => 'x' x 9000 } ],
    [ 'control bytes', qr/invalid authenticate message/,
      { subDomain => "a\r\nb" } ],
    [ 'long label', qr/invalid subDomain/, { subDomain => $long } ],
    [ 'long name', qr/invalid subDomain/, { subDomain => 'a' x 250 } ],
    [ 'longer name', qr/invalid authenticate message/,
      { subDomain => 'a' x 300 } ],
    [ 'a dot', qr/invalid subDomain/, { subDomain => 'a.b' } ],
    [ 'a slash', qr/invalid subDomain/, { subDomain => '../x' } ],
    [ 'a hyphen first', qr/invalid subDomain/, { subDomain => '-a' } ],
    [ 'not ASCII', qr/invalid subDomain/, { subDomain => "\x{e4}" } ],
    [ 'timestamp is text', qr/invalid timestamp/, { timestamp => 'now' } ],
    [ 'timestamp is negative', qr/invalid timestamp/, { timestamp => -1 } ],
    [ 'timestamp is huge', qr/invalid timestamp/, { timestamp => 1e300 } ],
    [ 'timestamp with a fraction', qr/invalid timestamp/,
      { timestamp => 1.5 } ],
    [ 'port too large', qr/invalid tunnelPort/,
      { type => 'tcp', tunnelPort => 70000 } ],
    [ 'port negative', qr/invalid tunnelPort/,
      { type => 'tcp', tunnelPort => -3 } ],
    [ 'port not offered', qr/port 1 is not offered/,
      { type => 'tcp', tunnelPort => 1 } ],
    [ 'port in use', qr/is in use/,
      { type => 'tcp', tunnelPort => 0 + $tcp->port() } ],
    [ 'no signature', qr/invalid signature/, { signature => undef } ],
    [ 'empty signature', qr/invalid signature/, { signature => '' } ],
    [ 'short signature', qr/invalid signature/, { signature => 'ab' } ],
    [ 'signature not hex', qr/invalid signature/,
      { signature => 'z' x 128 } ],
    [ 'huge signature', qr/invalid authenticate message/,
      { signature => 'a' x 8000 } ],
    [ 'no capabilities', qr/MUX capability/, { capabilities => undef } ],
    [ 'capabilities are a list', qr/MUX capability/,
      { capabilities => [] } ],
    [ 'flags negative', qr/MUX capability/,
      { capabilities => { flags => -1 } } ],
    [ 'flags huge', qr/MUX capability/,
      { capabilities => { flags => 1e200 } } ],
    [ 'unknown auth', qr/invalid/, { authType => 'magic' } ],
    [ 'public', qr/invalid/, { authType => 'public' } ],
    [ 'credentials with no id', qr/invalid clientId/,
      { authType => 'credentials' } ],
    [ 'credentials with a long id', qr/invalid authenticate message/,
      { authType => 'credentials', clientId => 'x' x 5000 } ],
    [ 'name in use', qr/domain id has been used/, { subDomain => 'good' } ],
    [ 'name in use, resumed by a stranger', qr/domain id has been used/,
      { subDomain => 'good',
        resume => '00000000-0000-4000-8000-000000000000' } ],
);

for my $case (@logins) {
    my ($name, $want, $fields) = @$case;
    my $m = $t->monitor();

    $t->mark();

    if (ref $fields eq 'HASH' && %$fields) {
        $m->authenticate(secret => $t->secret(), fields => $fields);

    } else {
        $m->event('authenticate', $fields);
        $m->{reply} = $m->wait_event('authenticate') || {};
    }

    like($m->{reply}{message} || '', $want, "login, $name: refused");
    ok(!$m->{reply}{ok} && $m->ended(), "login, $name: closed");
    ok($t->wait_log(qr/client refused: /), "login, $name: logged");
}

# What is odd, but does no harm.

for my $fields (
    { capabilities => { flags => 65536 } },
    { capabilities => { flags => 65536, features => 'x' } },
    { capabilities => { flags => 65536,
                        features => { mux => { links => 1e300,
                                               window => -5 } } } },
    { capabilities => { flags => 65536 + 2**40,
                        features => { mux => [ 1 ] } } },
    { resume => 'nonsense' },
    { version => '9.9.9' },
    { subDomain => 'UPPER' },
    { type => '' },         # it only follows the list of tunnels
    { extra => { a => [ ({}) x 50 ] } })
{
    my $m = $t->login(fields => $fields);
    ok($m->{reply}{ok}, 'odd login is taken') or diag explain $m->{reply};
    $m->close();
}

my @texts = (
    [ 'truncated', '["authenticate",{"type":"http"' ],
    [ 'deep payload', '["authenticate",' . '[' x 2000 . ']' x 2000 . ']' ],
    [ 'deep objects', '["a",' . '{"a":' x 2000 . '1' . '}' x 2000 . ']' ],
    [ 'lone surrogate', '["\ud800"]' ],
    [ 'bad escape', '["\q"]' ],
    [ 'number as name', '[12345678901234567890e99999]' ],
);

for my $case (@texts) {
    my ($name, $text) = @$case;
    my $m = $t->monitor();

    $t->mark();
    $m->read_event();
    $m->frame(TEXT, $text);
    1 while defined $m->read_message();

    is($m->{closed} ? $m->{closed}[0] : 0, 1007, "JSON, $name: closed");
    ok($t->wait_log(qr/client sent a message that is not a JSON event/),
       "JSON, $name: logged");
}

my $wide = $t->monitor();
$wide->read_event();
$wide->frame(TEXT, '["a",[' . join(',', (1) x 8000) . ']]');
$wide->event('ping');
ok($wide->wait_event('pong'), 'a wide event is fine');
$wide->frame(TEXT, '["' . '\u0000' x 2000 . '"]');
$wide->event('ping');
ok($wide->wait_event('pong'), 'and so are escaped zeros');
$wide->close();

ok(bystanders('logins'), 'the tunnel beside them goes on');


# Handshakes.

my @handshakes = (
    [ 'garbage', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" ],
    [ 'zeros', "\0" x 1000 ],
    [ 'a WebSocket frame', "\x82\x80aaaa" ],
    [ 'a long path', 'GET /_/data?clientId=' . 'a' x 20000
                     . " HTTP/1.1\r\nHost: x\r\n\r\n" ],
    [ 'a long header', "GET /_/monitor HTTP/1.1\r\nHost: x\r\nA: "
                       . 'a' x 50000 . "\r\n\r\n" ],
    [ 'many headers', "GET /_/monitor HTTP/1.1\r\nHost: x\r\n"
                      . "A: b\r\n" x 20000 . "\r\n" ],
    [ 'a bad version', "GET /_/monitor HTTP/7.1\r\nHost: x\r\n\r\n" ],
    [ 'no host', "GET /_/monitor HTTP/1.1\r\nUpgrade: websocket\r\n"
                 . "Connection: upgrade\r\n\r\n" ],
);

for my $case (@handshakes) {
    my ($name, $bytes) = @$case;
    my $s = $t->connect();

    $s->send($bytes);
    my $answer = $s->read_response();
    ok(($answer->{status} >= 400 || $answer->{head} eq '' || $s->{eof})
       && $s->ended(), "handshake, $name: refused");
}

my $uuid = '11111111-2222-4333-8444-555555555555';
my @data = (
    [ 'no arguments', '/_/data', 400 ],
    [ 'empty arguments', '/_/data?clientId=&containerId=&mux=1', 400 ],
    [ 'no such tunnel', "/_/data?clientId=a&containerId=$uuid&mux=1", 404 ],
    [ 'not a UUID', '/_/data?clientId=a&containerId=' . 'x' x 3000
                    . '&mux=1', 404 ],
    [ 'bad escapes', '/_/data?clientId=a&containerId=%zz%0&mux=1', 404 ],
    [ 'zero bytes', '/_/data?clientId=%00&containerId=%00&mux=1', 404 ],
);

for my $case (@data) {
    my ($name, $path, $status) = @$case;
    is($t->websocket($path)->status, $status, "data, $name: $status");
}

{
    my $m = $t->login();
    my $reply = $m->{reply};

    is($t->websocket("/_/data?clientId=other"
                     . "&containerId=$reply->{containerId}&mux=1")->status,
       403, 'data, the client id of another: 403');
    is($t->websocket("/_/data?clientId=" . 'a' x 1000
                     . "&containerId=$reply->{containerId}&mux=1")->status,
       403, 'data, a long client id: 403');
    isnt($t->websocket("/_/data?clientId=$reply->{clientId}"
                       . "&containerId=$reply->{containerId}&mux=2")->status,
         101, 'data, another mux');
    $m->close();
}

ok(bystanders('handshakes'), 'the tunnel beside them goes on');


# Links.  Each case gets a link, and a stream on it if it wants one.

my $header = \&Inlets::Test::Yamux::header;
my $victim;


sub visit {
    my ($link) = @_;
    my $visitor = $t->connect();

    $visitor->send_request('GET', '/', host => 'bad.example.com');

    my $stream = $link->accept() or return;
    $stream->read_until(qr/\r\n\r\n/);
    $stream->{visitor} = $visitor;

    return $stream;
}


sub breaks {
    my ($name, $log, $send) = @_;

    $victim = $t->login(name => 'bad')
        if !$victim || $victim->{closed} || $victim->socket->{eof};

    my $link = $t->link($victim);

    $t->mark();
    $send->($link);

    my $ended = $link->ended(15);

    ok($ended, "link, $name: closed");
    ok($t->wait_log($log), "link, $name: logged");

    $victim->event('ping');
    ok($victim->wait_event('pong'), "link, $name: the monitor is not");
}

my $invalid = qr/inlets peer sent invalid data: /;

breaks('version', qr/${invalid}unknown yamux version/,
    sub { $_[0]->frame(DATA, 0, 2, 'x', version => 1) });
breaks('type', qr/${invalid}unknown yamux frame type/,
    sub { $_[0]->frame(4, 0, 2, 0) });
breaks('flags', qr/${invalid}invalid flags/,
    sub { $_[0]->frame(WINDOW, 0x10, 2, 0) });
breaks('all flags', qr/$invalid/,
    sub { $_[0]->frame(DATA, 0xffff, 2, 'x') });
breaks('stream 0', qr/${invalid}invalid yamux stream id/,
    sub { $_[0]->frame(DATA, 0, 0, 'x') });
breaks('a stream never opened', qr/${invalid}invalid yamux stream id/,
    sub { $_[0]->frame(DATA, 0, 2000, 'x') });
breaks('a stream of its own', qr/${invalid}a stream opened by the peer/,
    sub { $_[0]->open() });
breaks('SYN with our id', qr/${invalid}invalid yamux stream id/,
    sub { $_[0]->frame(WINDOW, SYN, 2, 0) });
breaks('data past the window', qr/${invalid}more data than the receive/,
    sub { my $s = visit($_[0]);
          $_[0]->frame(DATA, 0, $s->id, '', length => 0x7fffffff) });
breaks('a byte past the window', qr/${invalid}more data than the receive/,
    sub { my $s = visit($_[0]);
          $_[0]->frame(DATA, 0, $s->id, '', length => 262145) });
breaks('credit past 2^32', qr/${invalid}send window/,
    sub { my $s = visit($_[0]);
          $_[0]->frame(WINDOW, 0, $s->id, 0xffffffff) for 1 .. 2 });
breaks('data after FIN', qr/${invalid}data on a stream after/,
    sub { my $s = visit($_[0]);
          $s->send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
          $_[0]->raw($header->(WINDOW, FIN, $s->id, 0)
                     . $header->(DATA, 0, $s->id, 1) . 'x') });
breaks('an error reported', qr/${invalid}the peer reported/,
    sub { $_[0]->frame(GO_AWAY, 0, 0, 1) });
breaks('text', qr/${invalid}text WebSocket message/,
    sub { $_[0]->ws->frame(TEXT, 'x') });
breaks('no mask', qr/${invalid}wrong masking/,
    sub { $_[0]->ws->frame(BINARY, 'x', mask => 0) });
breaks('reserved bits', qr/${invalid}reserved bits/,
    sub { $_[0]->ws->frame(BINARY, 'x', rsv => 4) });
breaks('opcode', qr/${invalid}unknown WebSocket opcode/,
    sub { $_[0]->ws->frame(5, 'x') });
breaks('long Ping', qr/${invalid}fragmented or too long/,
    sub { $_[0]->ws->frame(WS_PING, 'x' x 200) });
breaks('cut Ping', qr/${invalid}fragmented or too long/,
    sub { $_[0]->ws->frame(WS_PING, 'x', fin => 0) });
breaks('continuation of nothing', qr/${invalid}unexpected or missing/,
    sub { $_[0]->ws->frame(CONTINUATION, 'x') });
breaks('message in a message', qr/${invalid}unexpected or missing/,
    sub { $_[0]->ws->frame(BINARY, '', fin => 0);
          $_[0]->ws->frame(BINARY, 'x') });
breaks('length over 2^63', qr/${invalid}invalid length/,
    sub { $_[0]->ws->frame(BINARY, '', length => ~0) });
breaks('length that is not minimal', qr/${invalid}invalid length/,
    sub { $_[0]->ws->frame(BINARY, 'x', bytes => 8) });
breaks('bad Close', qr/${invalid}invalid payload of a WebSocket Close/,
    sub { $_[0]->ws->frame(CLOSE, 'x') });
breaks('flood of pings', qr/${invalid}too many small/,
    sub { $_[0]->raw(join '', map { $header->(PING, SYN, 0, $_) }
                                  1 .. 1500) });
breaks('flood of WebSocket Pings', qr/${invalid}too many small/,
    sub { my $l = shift;
          $l->ws->socket->send(join '', map {
              $l->ws->frame_text(WS_PING, '') } 1 .. 1500) });
breaks('flood of empty messages', qr/${invalid}too many small/,
    sub { my $l = shift;
          $l->ws->socket->send(join '', map {
              $l->ws->frame_text(BINARY, '') } 1 .. 12000) });
breaks('flood of empty data', qr/${invalid}too many small/,
    sub { my $s = visit($_[0]);
          $_[0]->raw($header->(DATA, 0, $s->id, 0) x 12000) });
breaks('flood of empty updates', qr/${invalid}too many small/,
    sub { my $s = visit($_[0]);
          $_[0]->raw($header->(WINDOW, 0, $s->id, 0) x 12000) });
breaks('flood of resets', qr/${invalid}too many small/,
    sub { my $s = visit($_[0]);
          $_[0]->raw($header->(WINDOW, RST, $s->id, 0) x 250000) });
breaks('cut in the middle', qr/link closed/,
    sub { $_[0]->ws->socket->send("\x82\xff\0\0\0\0");
          $_[0]->ws->socket->shutdown() });
breaks('random bytes', qr/${invalid}/,
    sub { srand 7;
          $_[0]->ws->socket->send("\x82\xfe\xff\xff\0\0\0\0" . join '',
              map { chr int rand 256 } 1 .. 65535) });

{
    my $link = $t->link($victim);
    $t->mark();
    $link->ws->socket->send("\x82\xfe");
    $link->abort();
    ok($t->wait_log(qr/link closed/), 'link, reset in a frame: closed');
}

# Good, and odd: split at every byte, and pieces of frames in messages.

{
    my $link = $t->link($victim);
    my $stream = visit($link);
    my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    my $frame = $header->(DATA, 0, $stream->id, length $answer) . $answer;

    $link->ws->socket->send_slowly(
        join '', map { $link->ws->frame_text(BINARY, $_) } split //, $frame);

    is($stream->{visitor}->read_response()->{body}, 'hello',
       'link, a frame a byte: carried');
    $link->close();
}

# What a link carries is a service's answer: nginx judges it.

my @answers = (
    [ 'garbage in a header', "HTTP/1.1 200 OK\r\n\0\1\2: x\r\n\r\n", 502 ],
    [ 'a huge header', "HTTP/1.1 200 OK\r\nX: " . 'x' x 100000 . "\r\n\r\n",
      502 ],
    [ 'nothing', '', 502 ],
    [ 'half a header', "HTTP/1.1 200 OK\r\nCont", 502 ],
);

for my $case (@answers) {
    my ($name, $text, $status) = @$case;
    my $link = $t->link($victim);
    my $stream = visit($link);

    $stream->send_all($text) if length $text;
    $stream->fin();
    is($stream->{visitor}->read_response()->{status}, $status,
       "answer, $name: $status");
    $link->close();
}

$victim->close();
ok(bystanders('links'), 'the tunnel beside them goes on');


# Visitors.

my $slow = $t->connect();
my $slow_body = $t->connect();
my $cut_body = $t->connect();
my $cut_chunk = $t->connect();

$slow->send("GET / HTTP/1.1\r\nHost: good.example.com\r\nX-Slow: ");
$slow_body->send("POST /post HTTP/1.1\r\nHost: good.example.com\r\n"
                 . "Content-Length: 1000\r\n\r\nhalf");
$cut_body->send("POST /post HTTP/1.1\r\nHost: good.example.com\r\n"
                . "Content-Length: 1000\r\n\r\nhalf");
$cut_chunk->send("POST /post HTTP/1.1\r\nHost: good.example.com\r\n"
                 . "Transfer-Encoding: chunked\r\n\r\nffffffff\r\nhalf");
$cut_body->abort();
$cut_chunk->close();

my @requests = (
    [ 'bad chunk', "POST / HTTP/1.1\r\nHost: good.example.com\r\n"
                   . "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n" ],
    [ 'two lengths', "POST / HTTP/1.1\r\nHost: good.example.com\r\n"
                     . "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab" ],
    [ 'length and chunked', "POST / HTTP/1.1\r\nHost: good.example.com\r\n"
                            . "Content-Length: 3\r\n"
                            . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" ],
    [ 'two hosts', "GET / HTTP/1.1\r\nHost: good.example.com\r\n"
                   . "Host: b.example.com\r\n\r\n" ],
    [ 'a bad host', "GET / HTTP/1.1\r\nHost: good.example.com/../x\r\n\r\n" ],
    [ 'a line folded', "GET / HTTP/1.1\r\nHost: good.example.com\r\n"
                       . " X: y\r\n\r\n" ],
    [ 'a zero byte', "GET /\0 HTTP/1.1\r\nHost: good.example.com\r\n\r\n" ],
);

for my $case (@requests) {
    my ($name, $bytes) = @$case;
    my $visitor = $t->connect();

    $visitor->send($bytes);
    is($visitor->read_response()->{status}, 400, "visitor, $name: 400");
}

for my $n (1 .. 50) {
    my $visitor = $t->connect();
    $visitor->send_request('GET', '/bytes?n=5000000',
                           host => 'good.example.com');
    $visitor->read_exact(10000) if $n % 2;
    $visitor->abort();
}

my @opens = map { $t->connect(port => $tcp->port()) } 1 .. 200;
$_->abort() for @opens;

ok(bystanders('visitors'), 'aborted visitors: the tunnel goes on');
ok($slow->ended(15), 'slow header: closed');
ok($slow_body->ended(15), 'slow body: closed');

# All of their streams end, on both sides.

ok(bystanders('end'), 'the tunnel goes on');
is($good->output() =~ /broke the protocol/ ? 1 : 0, 0, 'client is content');
is(scalar(() = $good->output() =~ /^Forwarding/mg), 1,
   'client never had to reconnect');
$witness->close();

$t->finish();
