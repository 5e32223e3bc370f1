# Links: the data endpoint, what it refuses, and how links end.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::WebSocket;
use Inlets::Test::Yamux;

my $t = Inlets::Test->new(workers => 2);

$t->edge(
    http => 'inlets_max_links 2; inlets_wait 1s;
             inlets_heartbeat_interval 500ms;
             inlets_heartbeat_timeout 30s;',
    server => 'location /base/ { inlets_connect edge; }',
)->run();

my $monitor = $t->login(name => 'demo', auth => 'credentials',
                        client => 'me & you');
my $id = $monitor->{reply}{containerId};


# Refused before the upgrade.

sub refused {
    my ($name, $query, $status, $text, %opt) = @_;

    my $ws = $t->websocket('/_/data' . $query, %opt);
    is($ws->status, $status, "$name: $status");
    is($ws->{response}{body}, "$text\n", "$name: text");
}

my $missing = 'Missing clientId, containerId or streamId';
my $good = "?clientId=me%20%26%20you&containerId=$id&mux=1";
my $text = 'text/plain; charset=utf-8';

refused('nothing', '', 400, $missing);
refused('no clientId', "?containerId=$id&mux=1", 400, $missing);
refused('empty clientId', "?clientId=&containerId=$id&mux=1", 400, $missing);
refused('no containerId', '?clientId=me&mux=1', 400, $missing);
refused('no such tunnel', '?clientId=me&mux=1&'
        . 'containerId=00000000-0000-4000-8000-000000000000', 404,
        'Container not found');
refused('no UUID', '?clientId=me&containerId=me&mux=1', 404,
        'Container not found');
refused('long containerId', '?clientId=me&mux=1&containerId=' . 'a' x 700,
        404, 'Container not found');
refused('another clientId', "?clientId=me&containerId=$id&mux=1", 403,
        'ClientId mismatch');
refused('no mux', "?clientId=me%20%26%20you&containerId=$id", 501,
        'data channels without mux=1 are not supported');
refused('mux=2', "?clientId=me%20%26%20you&containerId=$id&mux=2", 501,
        'data channels without mux=1 are not supported');
refused('no key', $good, 400,
        'WebSocket handshake needs one valid Sec-WebSocket-Key',
        headers => [ 'Sec-WebSocket-Key' => undef ]);
refused('another version', $good, 426,
        'WebSocket handshake needs "Sec-WebSocket-Version: 13"',
        headers => [ 'Sec-WebSocket-Version' => '14' ]);

my $r = $t->get('/_/data');
is($r->{status}, 400, 'not a WebSocket');
is($r->{headers}{'content-type'}, $text, 'Content-Type');


# A link, and early bytes on it: yamux frames behind the handshake.

sub visit {
    my ($link, $body) = @_;
    my $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => 'demo.example.com');

    my $stream = $link->accept() or return '';
    $stream->read_until(qr/\r\n\r\n/);
    $stream->respond(200, $body);

    return $visitor->read_response()->{body};
}

my $ping = Inlets::Test::WebSocket->frame_text(2,
               pack 'CCnNN', 0, 2, 1, 0, 4711);
my $ws = $t->websocket("/base/_/data$good", early => $ping . substr $ping, 0, 9);
is($ws->status, 101, 'link');
ok($ws->accept_ok, 'Sec-WebSocket-Accept');
is($ws->read_message(), pack('CCnNN', 0, 2, 2, 0, 4711), 'early ping');
$ws->socket->send(substr $ping, 9);
is($ws->read_message(), pack('CCnNN', 0, 2, 2, 0, 4711), 'cut ping');

my $link = Inlets::Test::Yamux->new($ws, client => 1);
is(visit($link, 'one'), 'one', 'a stream');

my $second = $t->link($monitor, path => "/_/data$good");
is($second->status, 101, 'second link');
refused('third link', $good, 503, 'tunnel has as many links as it may have');

$t->mark();
$link->close();
ok($t->wait_log(qr/link closed/), 'first link closed');
is(visit($second, 'two'), 'two', 'the other one serves');

my $third = $t->link($monitor, path => "/_/data$good");
is($third->status, 101, 'there is room again');


# A broken link takes nothing else down.

$t->mark();
$third->ws->frame(1, 'text');
ok($third->ended(), 'text on a link: closed');
ok($t->wait_log(qr/peer sent invalid data/), 'logged');

$monitor->event('ping');
is($monitor->wait_event('pong'), 1, 'the monitor is alive');


# The end of the tunnel is the end of its links, in any worker.

my $n = 0;

for my $try (1 .. 8) {
    my $m = $t->login(name => "end$try");
    my @links = map { $t->link($m) } 1 .. 2;

    $t->mark();
    $m->abort();
    ok($t->wait_log(qr/tunnel $m->{reply}{containerId} .* ended/), 'ended');

    for my $link (@links) {
        ok($link->ended(10), 'its link is closed');
        $n++;
    }
}

is($n, 16, 'all of them');

my $late = $t->login(name => 'late');
my $query = sprintf '/_/data?clientId=%s&containerId=%s&mux=1',
                    $late->{reply}{clientId}, $late->{reply}{containerId};
$t->mark();
$late->close();
ok($t->wait_log(qr/ended/), 'tunnel ended');
is($t->websocket($query)->status, 404, 'no links any more');

$t->finish();
