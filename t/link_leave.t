# A client that leaves: its links carry what is under way, and nothing more.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Yamux;

my $VISITORS = 8;

# The edge has seen what was sent, and what it said before is here.
sub heard {
    my ($link) = @_;

    $link->frame(2, 1, 0, 7);

    while (my $frame = $link->turn(10)) {
        last if $frame->{type} == 2 && $frame->{flags} == 2;
    }
}

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;
my $refusing = Inlets::Test->new();
my $slow = Inlets::Test->new();

for my $workers (1, 4) {
    my $t = $t{$workers};

    $t->edge(http => 'inlets_wait 300ms;')->run();

    my $monitor = $t->login(name => 'demo');
    my $link = $t->link($monitor);

    # as many as it takes to have some in each worker

    my @visitor = map { $t->connect() } 1 .. $VISITORS;
    my $host = 'demo.example.com';

    $_->send_request('GET', '/one', host => $host) for @visitor;

    my @stream = map { $link->accept() } @visitor;
    $_->read_until(qr/\r\n\r\n/) for @stream;

    $link->frame(3, 0, 0, 0);
    heard($link);

    $_->respond(200, 'one') for @stream;

    is(join(' ', map { $_->read_response()->{body} } @visitor),
       join(' ', ('one') x $VISITORS), "$workers workers: what was under way");

    $_->send_request('GET', '/two', host => $host) for @visitor;

    is(join(' ', map { $_->read_response()->{status} } @visitor),
       join(' ', (503) x $VISITORS), 'no more requests on these streams');
    ok(!(grep { !$_->wait_reset(10) } @stream), 'which end');

    unlike(join('', map { $_->{data} } @stream), qr{/two}, 'with nothing more');

    $_->close() for @visitor, $link, $monitor;
    $t->finish();
}


# A stream that is refused before it was taken: its request, whatever it is, is
# sent again, once.  One that was taken is not.

$refusing->edge(http => 'inlets_wait 300ms;')->run();

for my $case ([ 'refused', [ 8 ], 200 ], [ 'refused twice', [ 8, 8 ], 502 ],
              [ 'taken', [ 10 ], 502 ], [ 'refused, taken', [ 8, 10 ], 502 ])
{
    my ($name, $flags, $status) = @$case;
    my $monitor = $refusing->login(name => 'demo');
    my $link = $refusing->link($monitor);
    my $visitor = $refusing->connect();

    $visitor->send_request('POST', '/', host => 'demo.example.com',
                           body => 'once');
    $link->auto_update(0);

    for (@$flags) {
        my $stream = $link->accept();
        $stream->read_until(qr/\r\n\r\nonce/);
        $link->frame(1, $_, $stream->id, 0);
    }

    if ($status == 200) {
        my $stream = $link->accept();
        ok($stream->read_until(qr/\r\n\r\nonce\z/), "$name: all of it again");
        $stream->respond(200, 'yes');
    }

    is($visitor->read_response()->{status}, $status, $name);
    heard($link);
    is(scalar @{$link->{queue}}, 0, "$name: no other stream");
    $_->close() for $visitor, $link, $monitor;
}

$refusing->finish();


# What the edge sends before it knows is served: a network that is slow, and
# suddenly takes nothing from the client.

my $web = $slow->service('http');
my $hold = $slow->dir . '/hold';

$slow->edge()->run();

my $network = $slow->service(sub {
    my ($client) = @_;
    my $edge = $slow->connect();
    my @ways = ([ $client, $edge ], [ $edge, $client ]);

    while (@ways) {
        my $ready = '';

        vec($ready, fileno $_->[0]->fh, 1) = 1 for @ways;
        select $ready, undef, undef, undef;

        for my $way (grep { vec $ready, fileno $_->[0]->fh, 1 } @ways) {
            my ($from, $to) = @$way;

            if ($from == $client && -e $hold) {
                select undef, undef, undef, 0.01;
                next;
            }

            if (sysread $from->fh, my $data, 65536) {
                $to->send($data);
                next;
            }

            $to->shutdown();
            @ways = grep { $_ != $way } @ways;
        }
    }
});

my $client = $slow->client({ token => 1 }, 'client', '-r',
                           '127.0.0.1:' . $network->port, '-s', 'demo',
                           'http', $web->upstream);
ok($client->wait_up(), 'a client behind a slow network');

$slow->file('hold', '');
$client->signal('TERM');
ok($client->wait_output(qr/shutting down/), 'leaves');

my $visitor = $slow->connect();
$visitor->send_request('GET', '/', host => 'demo.example.com');
wait_for { $web->requests == 1 } 10, 'the request';

unlink $hold;

is($visitor->read_response()->{body}, "it works\n", 'the last visitor');
is($client->wait_exit(), 0, 'exit code');
unlike($client->output(), qr/did not end in time|were cut/,
       'nothing was cut');

$slow->finish();
