# An edge that means harm, or is broken: the client never crashes, says what
# was wrong, and tries again or ends as is right.

use strict;
use warnings;

use Digest::SHA qw(sha1_base64);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

use Inlets::Test;
use Inlets::Test::Socket;
use Inlets::Test::WebSocket;
use Inlets::Test::Yamux;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8,
               WS_PING => 9, WS_PONG => 10 };
use constant { DATA => 0, WINDOW => 1, PING => 2, GO_AWAY => 3 };
use constant { SYN => 1, ACK => 2, FIN => 4, RST => 8 };

my $t = Inlets::Test->new();
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $uuid = '11111111-2222-4333-8444-555555555555';
my $web = $t->service('http');


# The server's side of a WebSocket.

sub accept_key {
    my ($head) = @_;
    my ($key) = $head =~ /^Sec-WebSocket-Key: (\S+)/mi;
    my $digest = sha1_base64($key . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');

    $digest .= '=' while length($digest) % 4;

    return $digest;
}


sub answer_101 {
    my ($head, %header) = @_;
    my %all = (Upgrade => 'websocket', Connection => 'Upgrade',
               'Sec-WebSocket-Accept' => accept_key($head), %header);

    return "HTTP/1.1 101 Switching Protocols\r\n"
           . join('', map { defined $all{$_} ? "$_: $all{$_}\r\n" : () }
                          sort keys %all) . "\r\n";
}


sub upgrade {
    my ($s, $head, $early) = @_;

    $s->send(answer_101($head) . (defined $early ? $early : ''));

    return bless { socket => $s, mask => 0, events => [] },
                 'Inlets::Test::WebSocket';
}


sub welcome {
    my (%field) = @_;
    my %reply = (
        clientId => 'anonymous-12345678',
        containerId => $uuid,
        ok => JSON::PP::true,
        url => 'http://x.example.com',
        version => '2.0.0',
        config => {
            version => '2.0.0',
            negotiatedCapabilities => {
                flags => 65536, version => '2.0.0',
                features => { mux => { version => 1, links => 1,
                                       window => 1048576 } },
            },
        },
        %field,
    );

    return $json->encode([ 'authenticate', \%reply ]);
}


# A monitor as it should be, up to the welcome.

sub good_monitor {
    my ($s, $head, %field) = @_;
    my $ws = upgrade($s, $head);

    $ws->frame(TEXT, $json->encode([ 'id', $uuid ]));
    $ws->wait_event('authenticate');
    $ws->frame(TEXT, welcome(%field));

    return $ws;
}


# Answers pings until the client goes.

sub hold {
    my ($ws) = @_;

    while (my $event = $ws->read_event(30)) {
        $ws->frame(TEXT, '["pong",null]') if $event->[0] eq 'ping';
    }
}


sub wait_end {
    my ($s) = @_;
    $s->ended(30);
}


# The edge's side of a link.

sub good_link {
    my ($s, $head) = @_;
    return Inlets::Test::Yamux->new(upgrade($s, $head));
}


my $header = \&Inlets::Test::Yamux::header;
my $proxy = "\r\n\r\n\0\r\nQUIT\n\x21\x11" . pack('n', 12)
            . pack('C4C4nn', 192, 0, 2, 1, 192, 0, 2, 2, 1234, 80);


# Opens a stream, as the edge does.

sub open_stream {
    my ($link, $id, $data) = @_;

    $link->raw($header->(DATA, SYN, $id, length $data) . $data);

    $link->{streams}{$id} = bless { id => $id, data => '', link => $link,
        credit => 262144 }, 'Inlets::Test::Yamux::Stream';

    return $link->{streams}{$id};
}


# A request through the link, as the proof that it works.

sub request_ok {
    my ($link, $id) = @_;
    my $stream = open_stream($link, $id, $proxy
        . "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    return ($stream->read_all(10)) =~ /it works/;
}


# Runs clients towards such edges, all at once.  A case: name, what it does on
# the monitor, on a link, what the client says; more: exit code, flags.

my @running;

sub edge {
    my ($name, $monitor, $link, $say, %opt) = @_;

    my $service = $t->service(sub {
        my ($s, $self) = @_;
        my $head = $s->read_until(qr/\r\n\r\n/, 30);

        return if !defined $head;

        my $note = sub { Inlets::Test::Service::note($self, "note $_[0]") };

        if ($head =~ m{^GET /_/monitor }) {
            $monitor->($s, $head, $note);

        } else {
            $link->($s, $head, $note);
        }
    });

    my $client = $t->client({ token => 1 }, 'client', '-r',
        '127.0.0.1:' . $service->port(), '--grace', '300',
        @{$opt{flags} || []},
        'http', $web->upstream());

    push @running, { name => $name, client => $client, say => $say,
                     service => $service, %opt };

    check() if @running >= 16;
}


sub check {
    for my $case (@running) {
        my ($name, $client) = @$case{qw(name client)};

        ok($client->wait_output($case->{say}, $case->{wait} || 10),
           "$name: said") or diag($client->output());

        if (defined $case->{exit}) {
            is($client->wait_exit(10), $case->{exit}, "$name: exit code");

        } else {
            ok($client->alive(), "$name: alive");
        }

        if ($case->{note}) {
            ok((wait_for { $t->read_file($case->{service}{log})
                           =~ $case->{note} } 10), "$name: done");
        }

        if (!defined $case->{exit}) {
            is($client->stop(), 0, "$name: ends when told to");
        }

        unlike($client->output(), qr/\e|\x07/, "$name: no control bytes");
        $case->{service}->stop();
    }

    @running = ();
}


my $none = sub { };
my $hold = sub { my ($s, $head) = @_; hold(good_monitor($s, $head)) };


# The monitor's handshake.

edge('closed', sub { }, $none, qr/retrying in/);
edge('reset', sub { $_[0]->abort() }, $none, qr/retrying in/);
edge('404', sub { $_[0]->send("HTTP/1.1 404 Not Found\r\n"
                              . "Content-Length: 0\r\n\r\n");
                  wait_end($_[0]) },
     $none, qr/HTTP 404.*retrying in/);
edge('503', sub { $_[0]->send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n"
                              . "\r\nbusy"); wait_end($_[0]) },
     $none, qr/HTTP 503.*retrying in/);
edge('a redirect', sub { $_[0]->send("HTTP/1.1 302 Found\r\n"
                                     . "Location: http://127.0.0.1:1/\r\n"
                                     . "Content-Length: 0\r\n\r\n");
                         wait_end($_[0]) },
     $none, qr/retrying in/);
edge('200', sub { $_[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                              . "\r\nok"); wait_end($_[0]) },
     $none, qr/retrying in/);
edge('garbage', sub { $_[0]->send("\0\xff\x1b[31mgarbage\r\n\r\n" x 9);
                      wait_end($_[0]) },
     $none, qr/retrying in/, wait => 20);
edge('wrong accept', sub { my ($s, $head) = @_;
                           $s->send(answer_101($head,
                               'Sec-WebSocket-Accept' =>
                               'AAAAAAAAAAAAAAAAAAAAAAAAAAA='));
                           wait_end($s) },
     $none, qr/retrying in/);
edge('no accept', sub { my ($s, $head) = @_;
                        $s->send(answer_101($head,
                            'Sec-WebSocket-Accept' => undef));
                        wait_end($s) },
     $none, qr/retrying in/);
edge('endless header', sub { my ($s) = @_;
                             $s->send("HTTP/1.1 101 OK\r\n");
                             1 while $s->send('X: ' . 'y' x 1000 . "\r\n") },
     $none, qr/retrying in/);
edge('silence', sub { wait_end($_[0]) }, $none,
     qr/timed out.*retrying in|retrying in/, wait => 20);


# The monitor's frames.

sub frames {
    my ($name, $send, $say, %opt) = @_;

    edge($name, sub {
        my ($s, $head) = @_;
        my $ws = upgrade($s, $head);

        $ws->frame(TEXT, $json->encode([ 'id', $uuid ]));
        $ws->wait_event('authenticate');
        $send->($ws);
        hold($ws) if $opt{hold};
        wait_end($s);
    }, $none, $say, %opt);
}

my $again = qr/retrying in/;

frames('reserved bits', sub { $_[0]->frame(TEXT, '["x"]', rsv => 7) },
       $again);
frames('opcode', sub { $_[0]->frame(11, 'x') }, $again);
frames('huge frame', sub { $_[0]->frame(TEXT, 'x' x 65536,
                                        length => 2 ** 40);
                           1 while $_[0]->socket->send('x' x 65536) },
       qr/too long message.*retrying/);
frames('huge message', sub { my $ws = shift;
                             $ws->frame(TEXT, 'x' x 60000, fin => 0);
                             for (1 .. 10) {
                                 $ws->frame(CONTINUATION, 'x' x 60000,
                                            fin => 0) or last;
                             } },
       qr/too long message.*retrying/);
frames('half a frame', sub { $_[0]->socket->send("\x81\x7e\x10");
                             $_[0]->socket->shutdown() }, $again);
frames('long Ping', sub { $_[0]->frame(WS_PING, 'x' x 300) }, $again);
frames('Close', sub { $_[0]->frame(CLOSE, pack 'na*', 1001, "by\e[31me") },
       qr/1001.*retrying/);
frames('refused', sub { $_[0]->frame(TEXT, '["authenticate",{"message":'
                                           . '"no\u001b[31m way","ok":false}]') },
       qr/authentication failed: no.*way/, exit => 1);
frames('refused without a reason',
       sub { $_[0]->frame(TEXT, '["authenticate",{"ok":false}]') },
       qr/authentication failed/, exit => 1);
frames('an odd reply', sub { $_[0]->frame(TEXT, '["authenticate",7]') },
       qr/authentication failed/, exit => 1);
frames('no payload', sub { $_[0]->frame(TEXT, '["authenticate"]') },
       qr/authentication failed/, exit => 1);
frames('a fatal error', sub { $_[0]->frame(TEXT,
           '["error",{"fatal":true,"message":"full"}]') },
       qr/full/, exit => 1);
frames('no links', sub { $_[0]->frame(TEXT, welcome(config => {})) },
       qr/does not know/, exit => 1);
frames('long ids', sub { $_[0]->frame(TEXT,
           welcome(containerId => 'x' x 5000)) },
       qr/wrong id/, exit => 1);
frames('odd types', sub { $_[0]->frame(TEXT,
           welcome(containerId => [ 1 ], url => {}, config => 'x')) },
       qr/wrong id/, exit => 1);
frames('no JSON, then silence', sub {
           my $ws = shift;
           $ws->frame(TEXT, $_)
               for '', 'x', '[', '{}', '[1]', '[' x 20000, '["x"',
                   '["' . 'y' x 30000 . '"]', '["pong"]', '["warn",{}]',
                   '["warn","' . 'w\u001b' x 5000 . '"]',
                   '["error",7]', '["drain",{"deadline":-1}]', '["drain"]',
                   '["tcp:ready",{"host":7,"port":1e99}]',
                   '["@@CONFIG",{"pingInterval":-5,"pingTimeout":1e300}]',
                   '["@@CONFIG",[]]';
           $ws->frame(BINARY, 'x' x 100);
           hold($ws) },
       qr/did not answer the login in time.*retrying/,
       flags => [ '--healthcheck-interval', '2000' ]);
frames('pings unanswered', sub {
           my $ws = shift;
           $ws->frame(TEXT, '["@@CONFIG",{"pingInterval":200,'
                            . '"pingTimeout":300}]');
           wait_end($ws->socket) },
       qr/did not answer a ping in time.*retrying/);


# A link's handshake.

sub link_answer {
    my ($name, $send, $say, %opt) = @_;
    edge("link, $name", $hold, sub { $send->(@_); wait_end($_[0]) }, $say,
         %opt);
}

link_answer('closed', sub { $_[0]->shutdown() },
            qr/link 1 of 1 lost: connection closed/);
link_answer('503', sub { $_[0]->send("HTTP/1.1 503 Full\r\n\r\n") },
            qr/link 1 of 1 lost: .*HTTP 503/);
link_answer('garbage', sub { $_[0]->send("\x1b[31m\0\xff\r\n\r\n") },
            qr/link 1 of 1 lost: the edge did not answer in HTTP/);
link_answer('wrong accept',
            sub { $_[0]->send(answer_101($_[1], 'Sec-WebSocket-Accept' =>
                              'x' x 28)) },
            qr/link 1 of 1 lost: the edge sent a wrong WebSocket answer/);
link_answer('extensions',
            sub { $_[0]->send(answer_101($_[1], 'Sec-WebSocket-Extensions' =>
                              'permessage-deflate')) },
            qr/link 1 of 1 lost: the edge chose an extension/);
link_answer('endless header',
            sub { my ($s) = @_;
                  $s->send("HTTP/1.1 101 OK\r\n");
                  1 while $s->send('X: ' . 'y' x 1000 . "\r\n") },
            qr/link 1 of 1 lost: the edge sent a too long answer/);
link_answer('answer a byte at a time',
            sub { my ($s, $head, $note) = @_;
                  $s->send_slowly(answer_101($head), 1, 0.001);
                  my $link = Inlets::Test::Yamux->new(bless
                      { socket => $s, mask => 0 }, 'Inlets::Test::WebSocket');
                  $note->('worked') if request_ok($link, 2) },
            qr/Forwarding/, note => qr/note worked/);


# A link's frames.

sub link_frames {
    my ($name, $send, $say, %opt) = @_;

    edge("link, $name", $hold, sub {
        my ($s, $head, $note) = @_;
        my $link = good_link($s, $head);

        $send->($link, $note);

        if ($opt{survives}) {
            $note->('worked') if request_ok($link, 1000);
        }

        1 while $link->turn(30);

        $note->('closed ' . $link->ws->{closed}[0]) if $link->ws->{closed};
    }, $say, $opt{survives} ? (note => qr/note worked/) : (), %opt);
}

sub broke {
    my ($name, $send, $error) = @_;
    link_frames($name, $send,
        qr/the edge broke the protocol: $error.*\n(?:.*\n)*.*link 1 of 1 lost/,
        note => qr/note closed 100[23789]/);
}

broke('version', sub { $_[0]->frame(DATA, 0, 2, 'x', version => 9) },
      qr/unknown yamux version/);
broke('type', sub { $_[0]->frame(9, 0, 2, 0) }, qr/unknown yamux frame type/);
broke('flags', sub { $_[0]->frame(WINDOW, 0x100, 2, 0) }, qr/invalid flags/);
broke('a stream not opened', sub { $_[0]->frame(DATA, 0, 22, 'x') },
      qr/invalid yamux stream id/);
broke('SYN with an odd id', sub { $_[0]->frame(WINDOW, SYN, 3, 0) },
      qr/invalid yamux stream id/);
broke('opened twice', sub { open_stream($_[0], 2, $proxy);
                            $_[0]->frame(WINDOW, SYN, 2, 0) },
      qr/a stream opened twice/);
broke('past the window', sub { open_stream($_[0], 2, $proxy);
                               $_[0]->frame(DATA, 0, 2, '',
                                            length => 0xfffffff) },
      qr/more data than the receive window/);
broke('credit past 2^32', sub { open_stream($_[0], 2, $proxy);
                                $_[0]->frame(WINDOW, 0, 2, 0xffffffff)
                                    for 1 .. 2 },
      qr/send window/);
broke('text', sub { $_[0]->ws->frame(TEXT, 'x') }, qr/text WebSocket message/);
broke('masked', sub { $_[0]->ws->frame(BINARY, 'x', mask => 1) },
      qr/wrong masking/);
broke('an error reported', sub { $_[0]->frame(GO_AWAY, 0, 0, 2) },
      qr/the peer reported/);
broke('flood of pings', sub { $_[0]->raw(join '', map {
                                  $header->(PING, SYN, 0, $_) } 1 .. 2000) },
      qr/too many small/);
broke('flood of opens', sub { $_[0]->raw(join '', map {
                                  $header->(WINDOW, SYN, 2 * $_, 0)
                                  . $header->(WINDOW, RST, 2 * $_, 0) }
                                  1 .. 150000) },
      qr/too many small/);
link_frames('Close', sub { $_[0]->ws->frame(CLOSE, pack 'n', 1000) },
      qr/link 1 of 1 lost: closed by the edge/);
link_frames('reset in a frame', sub { $_[0]->ws->socket->send("\x82\x7e\1");
                                      $_[0]->abort() },
      qr/link 1 of 1 lost/);

# What is wrong in a stream ends the stream.

my %heads = (
    'no PROXY header' => "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    'a text PROXY header' => "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    'PROXY version 3' => substr($proxy, 0, 12) . "\x31" . substr($proxy, 13),
    'a PROXY header too long' => substr($proxy, 0, 14) . "\xff\xff",
    'a PROXY header too short' => substr($proxy, 0, 14) . pack('n', 3) . 'abc',
    'a bad TLV' => substr($proxy, 0, 14) . pack('n', 15)
                   . substr($proxy, 16) . "\2\xff\xff",
);

for my $name (sort keys %heads) {
    link_frames($name, sub {
        my ($link, $note) = @_;
        my $stream = open_stream($link, 2, $heads{$name});
        $note->('reset') if $stream->wait_reset(10);
    }, qr/stream 2: the edge sent a wrong header: /, survives => 1);
}

link_frames('PROXY header a byte a frame', sub {
    my ($link, $note) = @_;
    my $stream = open_stream($link, 2, '');
    $stream->send($_) for split //, $proxy
        . "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    $note->('worked') if $stream->read_all(10) =~ /it works/;
}, qr/Forwarding/, survives => 1);

link_frames('PROXY header that never ends', sub {
    my ($link, $note) = @_;
    open_stream($link, $_ * 2, substr $proxy, 0, 20) for 1 .. 50;
}, qr/Forwarding/, survives => 1);

link_frames('too many streams', sub {
    my ($link, $note) = @_;
    my @streams = map { open_stream($link, $_ * 2, '') } 1 .. 20;

    $note->('refused') if (grep { $_->wait_reset(10) } @streams[8 .. 19]) == 12;
    $_->reset() for @streams[0 .. 7];

    # a stream counts until the client has looked at its end

    $link->frame(PING, SYN, 0, 77);

    while (my $frame = $link->turn(10)) {
        last if $frame->{type} == PING && $frame->{length} == 77;
    }
}, qr/Forwarding/, flags => [ '--max-streams', '8' ], survives => 1);

# not hostile, but far: an edge has 2^31 streams in a link

edge('a link that is worn', sub {
    my ($s, $head, $note) = @_;
    my $ws = upgrade($s, $head);

    $ws->frame(TEXT, $json->encode([ 'id', $uuid ]));
    my $login = $ws->wait_event('authenticate');
    $note->('resumed') if ($login->{resume} || '') eq $uuid;
    $ws->frame(TEXT, welcome());
    hold($ws);
}, sub {
    my ($s, $head, $note) = @_;
    my $link = good_link($s, $head);
    request_ok($link, 2);
    $note->('worked') if request_ok($link, 0xfffffffc);
    1 while $link->turn(30);
}, qr/had nearly all the streams.*moved to another/s,
   note => qr/(?=.*note worked).*note resumed/s);

link_frames('a stream reset at once', sub {
    my ($link, $note) = @_;

    for my $i (1 .. 200) {
        my $stream = open_stream($link, $i * 2, $i % 2 ? $proxy
                                                       : "$proxy$proxy");
        $stream->reset();
    }
}, qr/Forwarding/, survives => 1);

check();

$t->finish();
