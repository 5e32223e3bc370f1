use strict;
use warnings;

# The registry: names and ports held, remembered, taken over, kept over a
# reload; a zone that is full; workers that die while they are leaving.

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);

$t->edge(
    zone => 'inlets_zone edge 64k;',
    connect => 'inlets_remember 30s;',
    tcp_ports => 3,
    http => 'inlets_wait 500ms;',
    stream => 'inlets_wait 500ms;',
)->run();

my $tcp = $t->port('tcp');


sub held {
    my ($monitor) = @_;
    return $monitor->{reply}{ok} ? 1 : 0;
}


sub status {
    my ($name) = @_;
    return $t->get('/', host => "$name.example.com")->{status};
}


# Who may have what.

my $first = $t->login(name => 'first');

ok(held($first), 'a name');
ok(!held($t->login(name => 'first')), 'is not given twice');

my @ports = map { $t->login(type => 'tcp') } 1 .. 3;
is(scalar(grep { held($_) } @ports), 3, 'all three ports');

my $none = $t->login(type => 'tcp');
ok(!held($none), 'and no fourth');
like($none->{reply}{message}, qr/port/, 'with a reason');

$ports[1]->close();
my $again;
ok((wait_for { held($again = $t->login(type => 'tcp')) } 5, 'a port'),
   'a port that was given back');

$_->close() for @ports, $again;

# Away, unknown, back.

is(status('never'), 404, 'unknown');

my $demo = $t->login(name => 'demo');

$demo->abort();
ok((wait_for { status('demo') == 503 } 5, '503'), 'away');

ok(held($demo = $t->login(name => 'demo')), 'and anyone may have it');

# Resumed: by the same identity, as the session that holds it.

my $id = $demo->{reply}{containerId};
my $next = $t->login(name => 'demo', resume => $id);

ok(held($next), 'a name taken over');
ok(!held($t->login(name => 'demo', resume => $id)), 'once');
ok(!held($t->login(name => 'demo', resume => 'none')), 'by no one else');

$demo->close();

my $link = $t->link($next);
my $visitor = $t->connect();

$visitor->send_request('GET', '/', host => 'demo.example.com', close => 1);

my $stream = $link->accept();
$stream->respond(200, 'resumed');
is($visitor->read_response()->{body}, 'resumed',
   'the older session takes nothing along when it ends');

# A reload.

ok($t->reload(), 'reload');
ok(!held($t->login(name => 'demo')), 'names are held over a reload');
ok(!held($t->login(name => 'first')), 'all of them');

# An old worker dies with its tunnels.

my @old = grep { my $pid = $_; !grep { $_ == $pid } $t->workers() }
              $t->workers(1);

cmp_ok(scalar @old, '>', 0, 'old workers have tunnels');
$t->allow_log(qr/exited on signal 9/);
kill 'KILL', @old;
$t->wait_old();

ok(held($demo = $t->login(name => 'demo')), 'its names are free at once');
ok((wait_for { status('first') == 503 } 5, '503'), 'or away');

# Rows of those away give way.

my $count = 0;

for my $n (1 .. 300) {
    my $monitor = $t->login(name => "away-$n");
    $count++ if held($monitor);
    $monitor->abort();
}

is($count, 300, 'more names than the zone has room for, one by one');
is(status('away-300'), 503, 'the last is remembered');

# At once, the zone is full.

my @many;

for my $n (1 .. 400) {
    my $monitor = $t->login(name => "many-$n");
    push @many, $monitor;
    last if !held($monitor);
}

my $full = pop @many;

cmp_ok(scalar @many, '>', 30, 'many names');
ok(!held($full), 'until the zone is full');
like($full->{reply}{message}, qr/\w/, 'the client is told');
$t->allow_log(qr/\[alert\].*inlets zone "edge" is full/);
ok($t->wait_log(qr/\[alert\].*inlets zone "edge" is full/),
   'and so is the log');

(pop @many)->close();
ok((wait_for { held($t->login(name => 'late')) } 5, 'room'),
   'one less, one more');

$_->close() for @many, $demo;

$t->finish();
