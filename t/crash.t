# What dies without a word: workers, clients, the whole edge.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;
use Inlets::Test::Service;

my $t = Inlets::Test->new(workers => 4);

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
    http => 'inlets_wait 10s;',
    connect => 'inlets_heartbeat_interval 500ms;
                inlets_heartbeat_timeout 1500ms;
                inlets_remember 60s;',
    server => 'location = /pid { return 200 $pid; }',
)->run();

my $web = $t->service('http');
my $echo = $t->service('echo');


sub get_ok {
    my ($name, $timeout) = @_;
    my $answer = $t->get('/', host => "$name.example.com",
                         timeout => $timeout);
    return $answer->{status} == 200 && $answer->{body} eq "it works\n";
}


sub last_match {
    my ($regex) = @_;
    my @all = $t->log() =~ /$regex/g;
    return $all[-1];
}


sub id_of {
    my ($client) = @_;
    my @ids = $client->output() =~ /Container ID: (\S+)/g;
    return $ids[-1];
}


# Which worker has the monitor, and which have links that are open.

sub monitor_of {
    my ($id) = @_;
    return last_match(qr/ (\d+)#\d+: \S+ inlets: tunnel \Q$id\E client \S+ serves/);
}


sub links_of {
    my ($id) = @_;
    my %alive = map { $_ => 1 } $t->workers();
    my %n;

    for (split /\n/, $t->log()) {
        next if !/ (\d+)#\d+: .*link (opened|closed).*tunnel: \Q$id\E/;
        $n{$1} += $2 eq 'opened' ? 1 : -1;
    }

    return grep { $n{$_} > 0 && $alive{$_} } keys %n;
}


sub kill_worker {
    my ($pid) = @_;

    kill 'KILL', $pid;

    return wait_for {
        my @now = $t->workers();
        return @now == 4 && !grep { $_ == $pid } @now;
    } 15, 'a new worker';
}


# Makes clients until one has its monitor and links where the code wants them.

sub client_where {
    my ($code) = @_;

    for my $i (1 .. 20) {
        my $client = $t->tunnel('http', $web->upstream(), '--links', 1);
        my $id = id_of($client);
        my ($link) = links_of($id);

        return ($client, monitor_of($id), $link)
            if $code->(monitor_of($id), $link);

        $client->stop();
    }

    return;
}


$t->allow_log(qr/exited on signal 9/);


# The worker of a monitor.

my ($bystander, $safe, $safe_link) = client_where(sub { $_[0] == $_[1] });
my ($victim, $dies, $link)
    = client_where(sub { $_[0] == $_[1] && $_[0] != $safe });

ok($bystander && $victim, 'tunnels in two workers');

# Raw ones in either worker.

my (@raw_dead, @raw_safe);

for my $i (1 .. 40) {
    last if @raw_dead && @raw_safe;

    my $m = $t->login(name => "raw$i");
    my $pid = monitor_of($m->{reply}{containerId});

    push @raw_dead, [ "raw$i", $m ] if $pid == $dies;
    push @raw_safe, [ "raw$i", $m ] if $pid == $safe;
}

ok(@raw_dead && @raw_safe, 'raw tunnels in the same workers');

my ($name) = $victim->host() =~ /^(\w+)/;
my ($bystander_name) = $bystander->host() =~ /^(\w+)/;

is($t->login(name => $raw_dead[0][0])->{reply}{message},
   'domain id has been used, please use another', 'a name is taken');

# A visitor of the bystander who doesn't come by the worker that dies.

my $visitor;

for (1 .. 100) {
    $visitor = $t->connect();
    $visitor->send_request('GET', '/pid');
    last if $visitor->read_response()->{body} != $dies;
}

$visitor->send_request('GET', '/sse?n=100000&ms=20',
                       host => "$bystander_name.example.com");
ok($visitor->read_until(qr/data: 3\n/), 'a visitor of the bystander');

ok(kill_worker($dies), 'the worker of a monitor is killed');

ok($raw_dead[0][1]->ended(5), 'its connections are gone');
ok($t->login(name => $raw_dead[0][0])->{reply}{ok}, 'the name is free at once');

ok($victim->wait_up(2, 15), 'its client comes back');
is($victim->host(), "$name.example.com", 'with its name');
isnt(id_of($victim), undef, 'and a new id');
ok(get_ok($name), 'and serves');

$visitor->{buffer} = '';
ok($visitor->read_until(qr/data: \d+\n/), 'the bystander goes on');
is(scalar(() = $bystander->output() =~ /Container ID/g), 1,
   'and its client did nothing');
ok(get_ok($bystander_name), 'and serves');
$raw_safe[0][1]->event('ping');
ok($raw_safe[0][1]->wait_event('pong'), 'nor did the raw one');
$visitor->close();


# The worker of a link only: the session goes on.

my ($client, $monitor_pid, $link_pid) = client_where(sub { $_[0] != $_[1] });
ok($client, 'monitor and link in two workers');
($name) = $client->host() =~ /^(\w+)/;
ok(get_ok($name), 'it serves');

ok(kill_worker($link_pid), 'the worker of its link is killed');
ok(get_ok($name), 'a request waits for the new link');
is(scalar(() = $client->output() =~ /Container ID/g), 1, 'the session goes on');
is(scalar(grep { get_ok($name) } 1 .. 20), 20, 'served by all workers');

# The worker of its monitor, while the link is elsewhere.

$monitor_pid = monitor_of(id_of($client));
($link_pid) = links_of(id_of($client));

SKIP: {
    skip 'they are in one worker now', 3 if $monitor_pid == $link_pid;

    my $id = id_of($client);
    ok(kill_worker($monitor_pid), 'the worker of its monitor is killed');
    ok($client->wait_up(2, 15), 'the client comes back');
    ok((wait_for { !grep { $_ == $link_pid } links_of($id) } 15),
       'the old link is closed');
}

is(scalar(grep { get_ok($name) } 1 .. 20), 20, 'served by all workers');
$client->stop();


# All workers at once.

my $tcp = $t->tunnel('tcp', $echo->upstream());
my $port = $tcp->port();

kill 'KILL', $t->workers();
ok((wait_for { $t->workers() == 4 } 15), 'all workers are killed');
ok($tcp->wait_up(2, 20), 'the TCP client comes back');
is($tcp->port(), $port, 'with its port');

my $s = $t->connect(port => $port);
$s->send("hello\n");
is($s->read_line(), "hello\n", 'and serves');
$s->close();
ok((wait_for { get_ok($bystander_name, 3) } 20), 'so does the bystander');


# Clients.

my $killed = $t->tunnel('http', $web->upstream(), '-s', 'killed');
my $before = id_of($killed);
my $held = $t->connect();
$held->send_request('GET', '/hang', host => 'killed.example.com');
wait_for { grep { $_ eq 'GET /hang' } $web->requests() } 10, 'request';

$t->mark();
kill 'KILL', $killed->pid();
ok($t->wait_log(qr/tunnel \Q$before\E client \S+ ended/), 'a killed client');
is($held->read_response()->{status}, 502, 'its visitor gets 502');
is($killed->wait_exit(), -9, 'it is dead');

my $next = $t->tunnel('http', $web->upstream(), '-s', 'killed');
ok(get_ok('killed'), 'the name is used again');
$next->stop();

# Alive, but deaf: the heartbeat finds out.

my $frozen = $t->tunnel('http', $web->upstream(), '-s', 'frozen');
$before = id_of($frozen);
ok(get_ok('frozen'), 'a client');

$t->mark();
$frozen->signal('STOP');
ok($t->wait_log(qr/tunnel \Q$before\E client \S+ ended: client is silent/, 10),
   'is stopped');

my $raw = $t->login(name => 'frozen');
ok($raw->{reply}{ok}, 'its name is free');
$raw->close();

$frozen->signal('CONT');
ok((wait_for { get_ok('frozen', 3) } 30), 'goes on, and is back');

# The same identity resumes at once, while the edge still waits for the other.

my $old = $t->login(name => 'resumed');
my $new = $t->login(name => 'resumed',
                    resume => $old->{reply}{containerId});
ok($new->{reply}{ok}, 'resumed before the other has ended');
$old->abort();
my $l = $t->link($new);
my $v = $t->connect();
$v->send_request('GET', '/', host => 'resumed.example.com');
my $stream = $l->accept();
$stream->read_until(qr/\r\n\r\n/);
$stream->respond(200, 'resumed');
is($v->read_response()->{body}, 'resumed', 'and served');
$new->close();


# The edge.

my @workers = $t->workers(1);
$t->stop('KILL');
kill 'KILL', @workers;
ok((wait_for { !$t->connect() && !grep { kill 0, $_ } @workers } 10),
   'the edge is killed');
ok($bystander->wait_output(qr/retrying in/, 10), 'its clients notice');
delete $t->{status};
$t->run();

ok((wait_for { get_ok($bystander_name, 2) } 40), 'started again: they are back');
is($bystander->host(), "$bystander_name.example.com", 'with their names');
ok((wait_for { my $c = $t->connect(port => $port) or return 0;
               $c->send("again\n"); ($c->read_line(2) || '') eq "again\n" } 40),
   'and ports');

$t->stop('TERM');
delete $t->{status};
$t->run();
ok((wait_for { get_ok($bystander_name, 2) } 40), 'after a stop as well');

$t->finish();
