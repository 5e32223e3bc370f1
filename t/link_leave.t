# A client that leaves: its links carry what is under way, and nothing more.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Yamux;

my $VISITORS = 8;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;

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
