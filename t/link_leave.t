# A client that leaves: its links carry what is under way, and nothing more.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Yamux;

my $VISITORS = 8;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;
my $t = Inlets::Test->new();

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $monitor;

    $t->edge(http => 'inlets_wait 300ms;')->run();

    $monitor = $t->login(name => 'demo');

    my $link = $t->link($monitor);

    # as many as it takes to have some in each worker

    my @visitor = map { $t->connect() } 1 .. $VISITORS;
    my $host = 'demo.example.com';

    $_->send_request('GET', '/one', host => $host) for @visitor;

    my @stream = map { $link->accept() } @visitor;
    $_->read_until(qr/\r\n\r\n/) for @stream;

    # the answer to a ping tells that the edge has seen what was before it

    $link->frame(3, 0, 0, 0);
    $link->frame(2, 1, 0, 7);

    while (my $frame = $link->turn(10)) {
        last if $frame->{type} == 2 && $frame->{flags} == 2;
    }

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


# What the edge sends before it knows is served: a network that is slow, and
# suddenly takes nothing from the client.

my $web = $t->service('http');
my $hold = $t->dir . '/hold';

$t->edge()->run();

my $slow = $t->service(sub {
    my ($client) = @_;
    my $edge = $t->connect();
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

my $client = $t->client({ token => 1 }, 'client', '-r',
                        '127.0.0.1:' . $slow->port, '-s', 'demo', 'http',
                        $web->upstream);
ok($client->wait_up(), 'a client behind a slow network');

$t->file('hold', '');
$client->signal('TERM');
ok($client->wait_output(qr/shutting down/), 'leaves');

my $visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'demo.example.com');
wait_for { $web->requests == 1 } 10, 'the request';

unlink $hold;

is($visitor->read_response()->{body}, "it works\n", 'the last visitor');
is($client->wait_exit(), 0, 'exit code');
unlike($client->output(), qr/did not end in time|were cut/,
       'nothing was cut');

$t->finish();
