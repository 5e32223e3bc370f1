use strict;
use warnings;

# Any worker reaches any tunnel: trunks, killed workers, reload.

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 4);

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
    connect => 'inlets_remember 30s;',
    server => 'location = /pid { return 200 $pid; }',
    stream => <<'END',
    log_format tcp '$pid $status';
    access_log %%TESTDIR%%/tcp.log tcp;
    inlets_wait 15s;
END
    http => <<'END',
    log_format any '$pid $status';
    access_log %%TESTDIR%%/http.log any;
    inlets_wait 15s;
END
)->run();

my $web = $t->service('http');
my $echo = $t->service('echo');


sub get_ok {
    my ($path) = @_;
    my $answer = $t->get($path || '/', host => 'demo.example.com');
    return $answer->{status} == 200 && $answer->{body} eq "it works\n";
}


sub echo_ok {
    my ($port, $data) = @_;
    my $visitor = $t->connect(port => $port) or return 0;

    $visitor->send($data, 30) or return 0;
    $visitor->shutdown();

    return $visitor->read_all(30) eq $data;
}


sub pids {
    my ($file) = @_;
    my %pids = map { /^(\d+) 200$/ ? ($1 => 1) : () }
                   split /\n/, $t->read_file($file);
    return scalar keys %pids;
}


sub trunks {
    my ($self) = @_;
    my @lines = $t->log() =~ /inlets trunk to worker/g;
    return scalar @lines;
}


# One link each: the three workers that don't have it go through trunks.

my $http = $t->tunnel('http', $web->upstream(), '-s', 'demo', '--links', 1);
my $tcp = $t->tunnel('tcp', $echo->upstream(), '--links', 1);

is(scalar(grep { get_ok() } 1 .. 100), 100, 'HTTP by any worker');
cmp_ok(pids('http.log'), '>', 1, 'which were several');

is(scalar(grep { echo_ok($tcp->port(), "visitor $_") } 1 .. 60), 60,
   'TCP by any worker');

my $big = 'x' x 3_000_000;
is(scalar(grep { echo_ok($tcp->port(), $big) } 1 .. 6), 6, 'amounts too');

# Many streams on the trunks at once.

my @visitors = map { $t->connect(port => $tcp->port()) } 1 .. 120;

$visitors[$_]->send("visitor $_\n") for 0 .. $#visitors;
is(scalar(grep { ($visitors[$_]->read_line() || '') eq "visitor $_\n" }
          0 .. $#visitors), 120, '120 streams at once');
$_->abort() for @visitors;

my $refused = $t->tunnel('tcp', $t->service('closed')->upstream(),
                         '--links', 1);
my $resets = 0;

for (1 .. 12) {
    my $visitor = $t->connect(port => $refused->port());
    $resets++ if $visitor ? $visitor->ended() && $visitor->reset_seen()
                          : $!{ECONNRESET};
}

is($resets, 12, 'resets cross trunks');
$refused->stop();

# A reload: streams go on in the old workers, new ones find their way.

my @old = map { $t->connect(port => $tcp->port()) } 1 .. 16;
$_->send("before\n") for @old;
is(scalar(grep { ($_->read_line() || '') eq "before\n" } @old), 16,
   'streams before the reload');

ok($t->reload(), 'reload');

is(scalar(grep { get_ok() } 1 .. 40), 40, 'HTTP after the reload');
is(scalar(grep { echo_ok($tcp->port(), "after $_") } 1 .. 40), 40,
   'TCP after the reload');

$_->send("still\n") for @old;
is(scalar(grep { ($_->read_line() || '') eq "still\n" } @old), 16,
   'streams go on over it');
$_->close() for @old;

ok($t->wait_old(25), 'old workers have ended');

is(scalar(grep { get_ok() } 1 .. 40), 40, 'HTTP when they have');
is(scalar(grep { echo_ok($tcp->port(), "gone $_") } 1 .. 40), 40,
   'TCP when they have');

# Workers are killed, one by one.  Nothing of them is left in the registry:
# the clients come back with their names.

$t->allow_log(qr/exited on signal 9/);

for my $pid ($t->workers()) {
    my %before = map { $_ => 1 } $t->workers();

    kill 'KILL', $pid;
    ok((wait_for { my @now = $t->workers(); @now == 4 && !grep { $_ == $pid }
                   @now } 10, 'a new worker'), 'a worker is killed');

    ok((wait_for { get_ok() && echo_ok($tcp->port(), 'again') } 30,
        'the tunnels'), 'its tunnels are back');
    is(scalar(grep { get_ok() } 1 .. 20), 20, 'HTTP by any worker');
    is(scalar(grep { echo_ok($tcp->port(), "again $_") } 1 .. 20), 20,
       'TCP by any worker');
}

ok($http->alive() && $tcp->alive(), 'the clients live');

$t->finish();
