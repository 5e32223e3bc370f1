# Every bound of the edge: streams, links, time, rates, sizes.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::WebSocket;
use Inlets::Test::Yamux;

use constant { TEXT => 1, PING => 9 };

my $t = Inlets::Test->new();

$t->edge(
    tcp_ports => 2,
    http => 'inlets_wait 500ms;',
    connect => 'inlets_max_streams 4;
                inlets_max_links 2;
                inlets_auth_timeout 1s;
                inlets_heartbeat_interval 400ms;
                inlets_heartbeat_timeout 1200ms;
                inlets_remember 30s;',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_other%%;
                    location / {
                        inlets_connect edge;
                        inlets_max_streams 4;
                        inlets_max_links 2;
                        inlets_heartbeat_interval 300s;
                        inlets_heartbeat_timeout 600s;
                    }
                }',
)->run();


# A monitor and a link whose heartbeat needs no care.

sub login {
    my (%opt) = @_;
    return $t->login(%opt, connect => { port => $t->port('other') });
}


sub link_of {
    my ($monitor) = @_;
    return $t->link($monitor, port => $t->port('other'));
}


sub visit {
    my ($name) = @_;
    my $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => "$name.example.com");
    return $visitor;
}


# Streams of a link.

my $monitor = login(name => 'streams');
my $link = link_of($monitor);
is($link->status, 101, 'link');

my @visitors = map { visit('streams') } 1 .. 4;
my @streams = map { $link->accept() } 1 .. 4;

is(scalar(grep { $_ && $_->read_until(qr/\r\n\r\n/) } @streams), 4,
   'inlets_max_streams: that many at once');

$t->mark();
my $fifth = visit('streams');
is($fifth->read_response()->{status}, 503, 'one more: 503');
ok($t->wait_log(qr/no room for a stream/), 'logged');

$streams[0]->respond(200, 'first');
is($visitors[0]->read_response()->{body}, 'first', 'the others go on');
$visitors[0]->close();

# The stream that was kept alive is used again.

my $again = visit('streams');
ok($streams[0]->read_until(qr/\r\n\r\n/), 'a kept stream is used again');

my $second = link_of($monitor);
is($second->status, 101, 'a second link');
my $more = visit('streams');
my $stream = $second->accept();
ok($stream && $stream->read_until(qr/\r\n\r\n/), 'has room of its own');
$stream->respond(200, 'more');
is($more->read_response()->{body}, 'more', 'and answers');
$streams[0]->respond(200, 'again');
is($again->read_response()->{body}, 'again', 'so does the first');


# Links of a tunnel.

is(link_of($monitor)->status, 503, 'inlets_max_links: one more: 503');
$second->close();
ok((wait_for { link_of($monitor)->status == 101 } 10, 'room for a link'),
   'until one is closed');
is($monitor->{reply}{config}{negotiatedCapabilities}{features}{mux}{links}, 2,
   'what the client is told');

$_->reset() for @streams[1 .. 3];
is($_->read_response()->{status}, 502, 'reset stream: 502') for @visitors[1 .. 3];
$link->close();
$monitor->close();


# Time to log in, and the heartbeat; both free what they held.

$t->mark();
my $silent = $t->monitor();
ok($silent->ended(5), 'inlets_auth_timeout: closed');
ok($t->wait_log(qr/did not log in in time/), 'logged');

$monitor = $t->login(name => 'quiet');
$link = $t->link($monitor);
ok($monitor->{reply}{ok}, 'logged in');

my $rival = $t->login(name => 'quiet');
is($rival->{reply}{message},
   'domain id has been used, please use another', 'the name is taken');

$t->mark();
ok($monitor->ended(8), 'inlets_heartbeat_timeout: closed');
ok($t->wait_log(qr/ended: client is silent/), 'logged');
ok($link->ended(8), 'its link is closed');

$rival = $t->login(name => 'quiet');
ok($rival->{reply}{ok}, 'the name is free');
$rival->close();

my $tcp = $t->login(type => 'tcp');
my $port = $tcp->wait_event('tcp:ready')->{port};
ok($port, 'TCP port');
ok($tcp->ended(8), 'silent: closed');

$tcp = $t->login(type => 'tcp', port => $port);
ok($tcp->{reply}{ok}, 'the port is free');
$tcp->close();

# A link that is silent while the monitor is alive.

$monitor = login(name => 'links');
$link = $t->link($monitor);
$t->mark();
ok($link->ended(8), 'a link that answers no ping: closed');
ok($t->wait_log(qr/inlets peer is silent/), 'logged');
ok($t->link($monitor)->status == 101, 'the tunnel goes on');

my $half = $t->link($monitor);
$half->ws->socket->send("\x82");
$t->mark();
ok($half->ended(8), 'half a frame, then silence: closed');
ok($t->wait_log(qr/inlets peer is silent/), 'logged');


# Rates.

$monitor = login(name => 'rates');
$t->mark();
$monitor->event('ping') for 1 .. 60;
my $pongs = 0;

while (my $event = $monitor->read_event()) {
    $pongs++ if $event->[0] eq 'pong';
}

is($monitor->{closed}[0], 1008, 'too many events: closed');
cmp_ok($pongs, '<', 60, 'before all of them were answered');
ok($t->wait_log(qr/sent more than \d+ messages a second/), 'logged');

$monitor = login(name => 'rates');
ok($monitor->{reply}{ok}, 'the name is free');

for (1 .. 15) {
    $monitor->event('ping');
    $monitor->wait_event('pong');
    select undef, undef, undef, 0.06;
}

ok(!$monitor->{closed}, 'a slower rate is fine');


# Sizes of messages.

$monitor->event('other', 'x' x 60000);
$monitor->event('ping');
ok($monitor->wait_event('pong'), 'a long event after login');
$monitor->event('other', 'x' x 66000);
1 while defined $monitor->read_message();
is($monitor->{closed}[0], 1009, 'a longer one: closed');

$monitor = $t->monitor();
$monitor->event('other', 'x' x 16000);
$monitor->event('ping');
ok($monitor->wait_event('pong'), 'a long event before login');
$monitor->event('other', 'x' x 17000);
1 while defined $monitor->read_message();
is($monitor->{closed}[0], 1009, 'a longer one: closed');


# A monitor that doesn't read.

sub resident {
    my ($pid) = @_;
    my $text = $t->read_file("/proc/$pid/status");
    return $text =~ /^VmRSS:\s+(\d+) kB/m ? $1 * 1024 : 0;
}

my ($worker) = $t->workers();
my @deaf = map { $t->monitor(rcvbuf => 4096) } 1 .. 20;
my $before = resident($worker);

for my $i (1 .. 25) {
    $_->frame(PING, 'x' x 125) for @deaf;
}

my $alive = login(name => 'alive');
ok($alive->{reply}{ok}, 'others are served');
cmp_ok(resident($worker) - $before, '<', 8 * 1024 * 1024,
       'what is not read is bounded');
$_->abort() for @deaf;


# Floods on a link.

sub flood {
    my ($name, $bytes) = @_;
    my $m = login(name => 'flood');
    my $l = link_of($m);

    $t->mark();
    $l->raw($bytes);
    ok($l->ended(10), "$name: closed");
    ok($t->wait_log(qr/too many small or control frames/), "$name: logged");

    $m->event('ping');
    ok($m->wait_event('pong'), "$name: the monitor is not");
    $m->close();

    wait_for { $t->log() =~ /client closed connection/ } 1;
}

my $header = \&Inlets::Test::Yamux::header;

flood('pings', join '', map { $header->(2, 1, 0, $_) } 1 .. 700);
flood('answers to no ping', join '', map { $header->(2, 2, 0, $_) } 1 .. 700);
flood('go away', $header->(3, 0, 0, 0) x 6000);


# Opens and closes without end.

my @many = map { $t->monitor() } 1 .. 300;
is(scalar(grep { $_->status == 101 } @many), 300, '300 monitors at once');
$_->abort() for @many;
$alive->event('ping');
ok($alive->wait_event('pong'), 'others are served');

$t->finish();
