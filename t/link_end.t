# A link that ends: streams that had ended before it are read to their end, the
# others are reset.

use strict;
use warnings;

use Test::More tests => 18;

use Inlets::Test;
use Inlets::Test::Yamux;

my $whole = Inlets::Test::Service::pattern(240_000);

for my $workers (1, 2) {
    my $t = Inlets::Test->new(workers => $workers);
    $t->edge(stream => 'server {
                            listen 127.0.0.1:%%PORT_small%% sndbuf=4k;
                            inlets_tunnel edge;
                        }')->run();

    for my $how (qw(abort close)) {
        my $port = $t->port('small');
        my $monitor = $t->login(type => 'tcp', port => $port);
        my $link = $t->link($monitor);

        # reads nothing yet, so that the rest waits in the edge

        my @done = map { $t->connect(port => $port, rcvbuf => 4096) } 1 .. 3;
        my $open = $t->connect(port => $port);

        $_->send('question'), $_->shutdown() for @done;
        $open->send('stay put');

        for (0 .. 3) {
            my $stream = $link->accept();
            next if $stream->read_exact(8) eq 'stay put';
            $stream->wait_fin();
            $stream->send_all($whole);
            $stream->fin();
        }

        # a ping's answer tells that the edge has got all of it

        $link->frame(2, 1, 0, 7);
        while (my $frame = $link->turn(10)) {
            last if $frame->{type} == 2 && $frame->{flags} == 2;
        }

        $done[0]->abort();
        $link->$how();
        $monitor->close();

        is(length $done[$_]->read_all(20), length $whole,
           "$how, $workers: ended stream $_ is read to its end") for 1, 2;
        ok($open->ended(10), "$how, $workers: the open one ends");
        $_->close() for @done[1, 2], $open;
    }

    is($t->get('/', host => 'nobody.example.com')->{status}, 404,
       'the worker is alive');
    $t->finish();
}
