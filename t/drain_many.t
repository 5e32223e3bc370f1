# One reload after the other: a client keeps a session for each edge process
# that visitors still hold on to, and goes on to the newest.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 1);
my $echo = $t->service('echo');
my $rounds = 18;

$t->edge(http => 'inlets_drain_timeout 0;', tcp_ports => 2)->run();

my $client = $t->tunnel('tcp', $echo->upstream);
my @visitors;

for my $i (1 .. $rounds) {
    my $visitor = $t->connect(port => $client->port);
    $visitor->send('hello');
    is($visitor->read_exact(5), 'hello', "visitor $i");
    push @visitors, $visitor;

    $t->reload() or last;
    ok($client->wait_output(qr/(?:moved to another(?s:.*?)){$i}/, 15),
       "moved $i") or last;
}

# the client keeps sixteen sessions that drain, and the newest

my @alive = grep { $_->send('again'); $_->read_exact(5) } @visitors;
cmp_ok(scalar @alive, '>=', 16, 'visitors of processes that have left');

unlike($client->output, qr/cannot connect/, 'no attempt failed');

$_->close() for @visitors;
is($client->stop(), 0, 'exit code');

$t->finish();
